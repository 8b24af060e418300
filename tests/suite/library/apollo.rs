//! Real Apollo Clients from npm, of the current version and of the one that v0.2's time knew, ask the real server.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::fixture::Library;
use crate::rig::there_is;

/// The program that asks, with what it needs, as it lies in the repository.
const FILES: [&str; 4] = ["package.json", "package-lock.json", ".npmrc", "ask.mjs"];

/// A directory with the clients in it. They are installed once, from exactly what the lock file names.
fn installed() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("apollo");
    std::fs::create_dir_all(&place).unwrap();
    let lock = std::fs::File::create(place.join(".lock")).unwrap();
    lock.lock().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apollo");
    let read = |directory: &Path, name: &str| std::fs::read(directory.join(name)).ok();
    let lockfile = read(&source, "package-lock.json").unwrap();
    for name in FILES {
        std::fs::write(place.join(name), read(&source, name).unwrap()).unwrap();
    }
    if read(&place, ".installed").as_ref() != Some(&lockfile) {
        let _ = std::fs::remove_file(place.join(".installed"));
        succeeded(
            Command::new("npm")
                .args(["ci", "--ignore-scripts"])
                .current_dir(&place)
                .output()
                .unwrap(),
        );
        std::fs::write(place.join(".installed"), lockfile).unwrap();
    }
    place
}

fn succeeded(output: Output) -> String {
    let said = String::from_utf8(output.stdout).unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}\n{talk}");
    said
}

#[test]
fn an_apollo_client_gets_what_it_asks_for() {
    let test = "an_apollo_client_gets_what_it_asks_for";
    let npm = which::which("npm").is_ok() && which::which("node").is_ok();
    if !there_is("npm", npm, test) {
        return;
    }
    let library = Library::new();
    library.make_directory("alice/digital twins/incubator");
    let server = library.serve();
    let place = installed();
    let asked = Command::new("node")
        .args(["ask.mjs", &server.url])
        .current_dir(&place)
        .output()
        .unwrap();
    let answers: Value = serde_json::from_str(&succeeded(asked)).unwrap();

    // The clients ask for `__typename` everywhere on their own.
    let tree = |name: &str| json!({"__typename": "TreeEdge", "node": {"__typename": "TreeEntry", "name": name, "type": "tree"}});
    let list = json!({"listDirectory": {"__typename": "Project", "repository": {
        "__typename": "Repository",
        "tree": {
            "__typename": "Tree",
            "blobs": {"__typename": "BlobConnection", "edges": [
                {"__typename": "BlobEdge", "node": {"__typename": "Blob", "name": "README.md", "type": "blob"}},
            ]},
            "trees": {"__typename": "TreeConnection", "edges": [
                tree("common"), tree("data"), tree("digital twins"), tree("functions"), tree("models"), tree("tools"),
            ]},
        },
    }}});
    let blob = |name: &str, text: &str| {
        let mut blob = json!({"__typename": "RepositoryBlob", "rawBlob": text});
        if !name.is_empty() {
            blob["name"] = name.into();
            blob["rawTextBlob"] = text.into();
        }
        json!({"readFile": {"__typename": "Project", "repository": {
            "__typename": "Repository",
            "blobs": {"__typename": "RepositoryBlobConnection", "nodes": [blob]},
        }}})
    };
    let folder = json!({"listDirectory": {"__typename": "Project", "repository": {
        "__typename": "Repository",
        "tree": {
            "__typename": "Tree",
            "trees": {"__typename": "TreeConnection", "edges": [
                {"__typename": "TreeEdge", "node": {"__typename": "TreeEntry", "name": "incubator"}},
            ]},
        },
    }}});
    let missing = json!({"code": "NOT_FOUND", "message": "\"bob/none.txt\" is not in the library"});
    for version in ["Apollo Client 4", "Apollo Client 3"] {
        for (way, requests) in [
            ("POST", json!(["POST", "POST", "POST", "POST", "POST"])),
            ("GET", json!(["GET", "GET", "GET", "GET", "GET"])),
            ("batch", json!(["POST array"])),
        ] {
            let expected = json!({
                "requests": requests,
                "list": list,
                "read": blob("README.md", "# common"),
                "folder": folder,
                "text": blob("", "k = 1"),
                "missing": missing,
            });
            assert_eq!(
                answers[format!("{version}, {way}")],
                expected,
                "{version}, {way}"
            );
        }
    }
}
