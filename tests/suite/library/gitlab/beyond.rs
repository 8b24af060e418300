//! What goes beyond v0.2 takes a disk, and says so where there is none.

use serde_json::{Value, json};

use super::super::fixture::{Reply, client};
use super::super::gitlab_server::Behaviour;
use super::Setup;

/// Twins as people lay them out.
fn with_twins() -> Setup {
    let setup = Setup::new();
    setup.gitlab.project("alice", |project| {
        project.write("digital twins/spring/README.md", "# spring\n");
        project.write("digital twins/spring/lifecycle/execute", "#!/bin/sh\n");
        project.write("digital twins/mass/config.json", "{}");
    });
    setup
}

#[tokio::test]
async fn twins_and_readmes_are_found_in_gitlab() {
    let setup = with_twins();
    let server = setup.serve();
    let query = "{ digitalTwins(path: \"alice\") { name readme { rawBlob } phases { name path executable } }
        listDirectory(path: \"alice\") { repository { tree { readme { rawBlob } trees(first: 1) { edges { node { name path } } } } } } }";
    let reply = server.ask(query, json!({})).await;
    let execute = json!({
        "name": "execute", "path": "alice/digital twins/spring/lifecycle/execute", "executable": null,
    });
    assert_eq!(
        reply.json(),
        json!({"data": {
            "digitalTwins": [
                {"name": "mass", "readme": null, "phases": []},
                {"name": "spring", "readme": {"rawBlob": "# spring"}, "phases": [execute]},
            ],
            "listDirectory": {"repository": {"tree": {
                "readme": {"rawBlob": "# alice"},
                "trees": {"edges": [{"node": {"name": "digital twins", "path": "alice/digital twins"}}]},
            }}},
        }})
    );
    // What cannot be asked for is not taken for nothing.
    setup
        .gitlab
        .behave(Behaviour::refuse(500, "Internal server error"));
    let reply = server
        .ask("{ digitalTwins(path: \"alice\") { name } }", json!({}))
        .await;
    assert_eq!(reply.code(), "200 UPSTREAM");
}

#[tokio::test]
async fn what_takes_a_disk_is_refused() {
    let setup = with_twins();
    let server = setup.serve_with("", &["--no-auth", "--writable"]);
    let warning = "--writable has no effect: a library in GitLab is changed through git";
    assert!(
        server.said.iter().any(|line| line.contains(warning)),
        "{:?}",
        server.said
    );
    for (query, expected) in [
        (
            "{ search(path: \"alice\", name: \"*.md\") { edges { node { path } } } }",
            "200 NOT_SUPPORTED",
        ),
        (
            "{ readFile(path: \"alice/README.md\") { repository { blobs { nodes { size } } } } }",
            "200 NOT_SUPPORTED",
        ),
        (
            "mutation { writeFile(path: \"alice/new\", text: \"x\") { path } }",
            "200 READ_ONLY",
        ),
    ] {
        assert_eq!(
            server.ask(query, Value::Null).await.code(),
            expected,
            "{query}"
        );
    }
    let file = server.at("/lib/files/alice/README.md");
    for request in [
        client().get(&file),
        client().head(&file),
        client().put(&file).body("x"),
        client().delete(&file),
    ] {
        assert_eq!(Reply::of(request).await.status, 501);
    }
    // GitLab was asked nothing.
    assert_eq!(setup.questions(), 0);
}
