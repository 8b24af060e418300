//! What goes beyond v0.2, as far as listing and reading bring it about.

use serde_json::{Value, json};

use super::Setup;

fn setup() -> Setup {
    let setup = Setup::new();
    setup.gitlab.project("alice", |project| {
        let twin = "digital twins/spring";
        project.write(&format!("{twin}/Readme.md"), "# Spring\n");
        for name in ["execute", "execute.py", "analyse", "plot.py"] {
            project.write(&format!("{twin}/lifecycle/{name}"), "#!/bin/bash\n");
        }
        project.write("digital twins/bare/x", "");
        project.write("digital twins/notes.txt", "");
    });
    setup
}

#[tokio::test]
async fn twins_and_readmes_are_those_of_the_repository() {
    let setup = setup();
    let server = setup.serve_users();
    let query = "query($path: String!) { digitalTwins(path: $path) {
        name path readme { name path rawBlob mediaType } phases { name path executable } } }";
    let twin = "alice/digital twins/spring";
    let phase = |name: &str, program: &str| json!({"name": name, "path": format!("{twin}/lifecycle/{program}"), "executable": null});
    let expected = json!({"data": {"digitalTwins": [
        {"name": "bare", "path": "alice/digital twins/bare", "readme": null, "phases": []},
        {
            "name": "spring",
            "path": twin,
            "readme": {
                "name": "Readme.md",
                "path": format!("{twin}/Readme.md"),
                "rawBlob": "# Spring",
                "mediaType": "text/markdown; charset=utf-8",
            },
            "phases": [phase("execute", "execute"), phase("analyze", "analyse")],
        },
    ]}});
    for path in ["", "alice", "alice/digital twins"] {
        let reply = server.ask_as("alice", query, json!({ "path": path })).await;
        assert_eq!(reply.json(), expected, "{path:?}");
    }
    let query = "{ listDirectory(path: \"alice\") { repository { tree {
        readme { name rawBlob }
        trees(first: 1) { count edges { cursor node { name path } } pageInfo { hasNextPage } } } } } }";
    let reply = server.ask_as("alice", query, json!({})).await;
    assert_eq!(
        reply.json()["data"]["listDirectory"]["repository"]["tree"],
        json!({
            "readme": {"name": "README.md", "rawBlob": "# alice"},
            "trees": {
                "count": 1,
                "edges": [{
                    "cursor": "ZGlnaXRhbCB0d2lucw==",
                    "node": {"name": "digital twins", "path": "alice/digital twins"},
                }],
                "pageInfo": {"hasNextPage": false},
            },
        })
    );
}

#[tokio::test]
async fn what_takes_a_disk_is_refused_and_nothing_is_changed() {
    let setup = setup();
    let server = setup.serve();
    let entries = |field: &str| {
        format!(
            "{{ listDirectory(path: \"alice\") {{ repository {{ tree {{ blobs {{ edges {{ node {{ {field} }} }} }} }} }} }} }}"
        )
    };
    let file = |field: &str| {
        format!(
            "{{ readFile(path: \"alice/README.md\") {{ repository {{ blobs {{ nodes {{ {field} }} }} }} }} }}"
        )
    };
    let search = "{ search(path: \"alice\", name: \"x\") { truncated } }".to_owned();
    for (query, expected) in [
        (entries("size"), "200 NOT_SUPPORTED"),
        (entries("modified"), "200 NOT_SUPPORTED"),
        (entries("sha256"), "200 NOT_SUPPORTED"),
        (entries("name mediaType path"), "200 ok"),
        (file("size"), "200 NOT_SUPPORTED"),
        (file("base64EncodedBlob"), "200 NOT_SUPPORTED"),
        (file("isText"), "200 NOT_SUPPORTED"),
        (file("path mediaType rawBlob"), "200 ok"),
        (search, "200 NOT_SUPPORTED"),
        (
            "mutation { delete(path: \"alice/README.md\") }".to_owned(),
            "200 READ_ONLY",
        ),
    ] {
        let reply = server.ask(&query, json!({})).await;
        assert_eq!(reply.code(), expected, "{query}: {}", reply.text);
        let refused = expected != "200 ok";
        assert_eq!(reply.json()["data"] == Value::Null, refused, "{query}");
    }
}
