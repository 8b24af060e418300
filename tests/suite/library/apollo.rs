//! Real Apollo Clients from npm, of the current version and of the one that v0.2's time knew, ask the real server.

use std::process::Command;

use serde_json::{Value, json};

use super::fixture::Library;
use crate::npm::{installed, succeeded};

#[test]
fn an_apollo_client_gets_what_it_asks_for() {
    let test = "an_apollo_client_gets_what_it_asks_for";
    let Some(place) = installed("apollo", test) else {
        return;
    };
    let library = Library::new();
    library.make_directory("alice/digital twins/incubator");
    let server = library.serve();
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
