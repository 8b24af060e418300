//! Digital twins and the phases of their lives.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::fixture::{Library, Server, make_fifo};

const TWINS: &str = "query($path: String!) { digitalTwins(path: $path) {
    name path readme { name rawBlob } phases { name path executable } } }";

fn program(library: &Library, path: &str, mode: u32) {
    library.write(path, "#!/bin/bash\n");
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(library.path(path), permissions).unwrap();
}

/// Two twins of alice's, one that is common, one of bob's.
fn library() -> Library {
    let library = Library::new();
    for twin in [
        "alice/digital twins/mass-spring-damper",
        "alice/digital twins/bare",
        "alice/digital twins/.git",
        "common/digital twins/incubator",
        "bob/digital twins/three-tank",
    ] {
        library.make_directory(&format!("{twin}/lifecycle"));
    }
    std::fs::remove_dir(library.path("alice/digital twins/bare/lifecycle")).unwrap();
    library.write("alice/digital twins/notes.txt", "no twin\n");
    let spring = "alice/digital twins/mass-spring-damper";
    library.write(&format!("{spring}/README.md"), "# Mass, spring\n");
    for (name, mode) in [
        ("terminate", 0o755),
        ("create", 0o755),
        ("execute", 0o644),
        ("execute.py", 0o755),
        ("analyse.sh", 0o700),
        ("plot.py", 0o755),
    ] {
        program(&library, &format!("{spring}/lifecycle/{name}"), mode);
    }
    library.link(&format!("{spring}/lifecycle/clean"), "terminate");
    library.link(
        &format!("{spring}/lifecycle/save"),
        "../../../../bob/secret.txt",
    );
    make_fifo(&library.path(&format!("{spring}/lifecycle/evolve")));
    program(
        &library,
        "common/digital twins/incubator/lifecycle/execute",
        0o755,
    );
    program(
        &library,
        "bob/digital twins/three-tank/lifecycle/execute",
        0o755,
    );
    library
}

async fn twins(server: &Server, user: &str, path: &str) -> Value {
    let json = server
        .ask_as(user, TWINS, json!({ "path": path }))
        .await
        .json();
    match json.get("errors") {
        None => json["data"]["digitalTwins"].clone(),
        Some(errors) => errors[0]["extensions"]["code"].clone(),
    }
}

fn phase(twin: &str, name: &str, program: &str, executable: bool) -> Value {
    json!({
        "name": name,
        "path": format!("{twin}/lifecycle/{program}"),
        "executable": executable,
    })
}

fn bare() -> Value {
    json!({"name": "bare", "path": "alice/digital twins/bare", "readme": null, "phases": []})
}

fn spring() -> Value {
    let twin = "alice/digital twins/mass-spring-damper";
    json!({
        "name": "mass-spring-damper",
        "path": twin,
        "readme": {"name": "README.md", "rawBlob": "# Mass, spring"},
        "phases": [
            phase(twin, "create", "create", true),
            phase(twin, "execute", "execute", false),
            phase(twin, "analyze", "analyse.sh", true),
            phase(twin, "clean", "clean", true),
            phase(twin, "terminate", "terminate", true),
        ],
    })
}

fn with_execute(name: &str, twin: &str) -> Value {
    json!({
        "name": name,
        "path": twin,
        "readme": null,
        "phases": [phase(twin, "execute", "execute", true)],
    })
}

#[tokio::test]
async fn the_twins_of_a_folder_have_the_phases_that_there_are_programs_for() {
    let library = library();
    let server = library.serve_users();
    let incubator = with_execute("incubator", "common/digital twins/incubator");
    let alices = json!([bare(), spring()]);
    assert_eq!(twins(&server, "alice", "alice/digital twins").await, alices);
    assert_eq!(twins(&server, "alice", "/alice/").await, alices);
    assert_eq!(
        twins(&server, "alice", "").await,
        json!([bare(), spring(), incubator])
    );
    let shared = with_execute("incubator", "alice/common/digital twins/incubator");
    assert_eq!(
        twins(&server, "alice", "alice/common").await,
        json!([shared])
    );
    assert_eq!(
        twins(&server, "bob", "").await,
        json!([
            with_execute("three-tank", "bob/digital twins/three-tank"),
            incubator
        ])
    );
    for (path, expected) in [
        ("alice/data", json!([])),
        ("alice/digital twins/bare", json!([])),
        ("alice/none", json!("NOT_FOUND")),
        ("alice/none/digital twins", json!("NOT_FOUND")),
        ("alice/README.md", json!("NOT_A_DIRECTORY")),
        ("bob", json!("NOT_FOUND")),
        ("bob/digital twins", json!("NOT_FOUND")),
        ("..", json!("FORBIDDEN")),
    ] {
        assert_eq!(twins(&server, "alice", path).await, expected, "{path:?}");
    }
}

#[tokio::test]
async fn a_folder_of_twins_that_leads_out_is_refused_and_a_twin_that_does_is_none() {
    let library = library();
    let folder = library.path("alice/digital twins");
    std::fs::remove_dir_all(&folder).unwrap();
    library.make_directory("alice/digital twins/mine");
    library.link(
        "alice/digital twins/mine/lifecycle",
        "../../../bob/digital twins/three-tank/lifecycle",
    );
    library.link(
        "alice/digital twins/bobs",
        "../../bob/digital twins/three-tank",
    );
    library.link(
        "alice/digital twins/mine/README.md",
        "../../../bob/secret.txt",
    );
    let server = library.serve_users();
    let reply = server
        .ask_as("alice", TWINS, json!({"path": "alice"}))
        .await;
    assert_eq!(
        reply.json()["data"],
        json!({"digitalTwins": [{
            "name": "mine",
            "path": "alice/digital twins/mine",
            "readme": null,
            "phases": [],
        }]})
    );
    assert_eq!(reply.code(), "200 FORBIDDEN");
    assert_eq!(
        reply.json()["errors"][0]["path"],
        json!(["digitalTwins", 0, "readme"])
    );
    std::fs::remove_dir_all(&folder).unwrap();
    library.link("alice/digital twins", "../bob/digital twins");
    assert_eq!(
        twins(&server, "alice", "alice/digital twins").await,
        "FORBIDDEN"
    );
    assert_eq!(twins(&server, "alice", "alice").await, json!([]));
}

#[tokio::test]
async fn many_twins_with_long_readmes_are_too_much() {
    let library = Library::new();
    for n in 0..20 {
        library.make_directory(&format!("alice/digital twins/{n}"));
        library.write(
            &format!("alice/digital twins/{n}/README.md"),
            "x".repeat(1000),
        );
    }
    let server = library.serve_with("", &["--no-auth", "--max-answer", "16k"]);
    assert_eq!(twins(&server, "", "alice").await, "TOO_LARGE");
    let reply = server
        .ask("{ digitalTwins(path: \"alice\") { name } }", json!({}))
        .await;
    let twins = reply.json()["data"]["digitalTwins"].clone();
    assert_eq!(twins.as_array().map(Vec::len), Some(20));
}
