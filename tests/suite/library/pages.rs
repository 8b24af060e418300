//! Large directories: in pages, and whole.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use serde_json::{Value, json};

use super::fixture::{Library, Reply, Server, client, question};

/// A page of blobs, as clients of GitLab ask for one.
const PAGE: &str = "query($path: String!, $first: Int, $after: String) {
    listDirectory(path: $path) { repository { tree { blobs(first: $first, after: $after) {
        count
        edges { cursor node { name } }
        pageInfo { startCursor endCursor hasNextPage hasPreviousPage }
    } } } } }";

async fn page(server: &Server, first: Option<i32>, after: &Value) -> Value {
    let variables = json!({"path": "alice/data", "first": first, "after": after});
    let json = server.ask(PAGE, variables).await.json();
    match json.get("errors") {
        None => json["data"]["listDirectory"]["repository"]["tree"]["blobs"].clone(),
        Some(_) => json,
    }
}

#[tokio::test]
async fn a_page_is_a_part_of_the_sorted_names() {
    let library = Library::new();
    for name in [&b"a"[..], b"B", b"caf\xe9", b"caf\xe8", "ä".as_bytes()] {
        std::fs::write(library.path("alice/data").join(OsStr::from_bytes(name)), "").unwrap();
    }
    let server = library.serve();

    let first = page(&server, Some(2), &Value::Null).await;

    assert_eq!(
        first,
        json!({
            "count": 5,
            "edges": [
                {"cursor": "Qg==", "node": {"name": "B"}},
                {"cursor": "YQ==", "node": {"name": "a"}},
            ],
            "pageInfo": {
                "startCursor": "Qg==",
                "endCursor": "YQ==",
                "hasNextPage": true,
                "hasPreviousPage": false,
            },
        })
    );
    // What comes and goes elsewhere does not move the next page.
    library.write("alice/data/A", "");
    std::fs::remove_file(library.path("alice/data/a")).unwrap();
    let second = page(&server, Some(2), &first["pageInfo"]["endCursor"]).await;
    assert_eq!(
        second,
        json!({
            "count": 5,
            "edges": [
                {"cursor": "Y2Fm6A==", "node": {"name": "caf\u{fffd} (not UTF-8: 636166e8)"}},
                {"cursor": "Y2Fm6Q==", "node": {"name": "caf\u{fffd} (not UTF-8: 636166e9)"}},
            ],
            "pageInfo": {
                "startCursor": "Y2Fm6A==",
                "endCursor": "Y2Fm6Q==",
                "hasNextPage": true,
                "hasPreviousPage": true,
            },
        })
    );
    let third = page(&server, Some(2), &second["pageInfo"]["endCursor"]).await;
    assert_eq!(
        third["edges"],
        json!([{"cursor": "w6Q=", "node": {"name": "ä"}}])
    );
    assert_eq!(third["pageInfo"]["hasNextPage"], false);
    let beyond = page(&server, Some(2), &third["pageInfo"]["endCursor"]).await;
    assert_eq!(
        beyond,
        json!({"count": 5, "edges": [], "pageInfo": {
            "startCursor": null, "endCursor": null, "hasNextPage": false, "hasPreviousPage": true,
        }})
    );
    let none = page(&server, Some(0), &Value::Null).await;
    assert_eq!(none["pageInfo"]["hasNextPage"], true);
    assert_eq!(none["edges"], json!([]));
}

#[tokio::test]
async fn trees_have_pages_of_their_own_and_each_alias_too() {
    let library = Library::new();
    let server = library.serve();
    let query = "{ listDirectory(path: \"alice\") { repository { tree {
        one: trees(first: 1) { edges { node { name } } }
        two: trees(first: 2, after: \"ZGF0YQ==\") { edges { node { name path } } }
        rest: trees(after: \"bW9kZWxz\") { count edges { node { name } } pageInfo { hasNextPage } }
        blobs(first: 5) { edges { node { name size } } }
    } } } }";
    let node = |name: &str| json!({"node": {"name": name}});
    let below = |name: &str| json!({"node": {"name": name, "path": format!("alice/{name}")}});
    assert_eq!(
        server.ask(query, json!({})).await.json()["data"]["listDirectory"]["repository"]["tree"],
        json!({
            "one": {"edges": [node("common")]},
            "two": {"edges": [below("digital twins"), below("functions")]},
            "rest": {"count": 6, "edges": [node("tools")], "pageInfo": {"hasNextPage": false}},
            "blobs": {"edges": [{"node": {"name": "README.md", "size": "8"}}]},
        })
    );
}

#[tokio::test]
async fn a_page_that_cannot_be_meant_is_refused() {
    let library = Library::new();
    let server = library.serve();
    for (first, after, expected) in [
        (json!(-1), json!(null), "200 BAD_USER_INPUT"),
        (json!(1), json!("?"), "200 BAD_USER_INPUT"),
        (json!("1"), json!(null), "400 BAD_USER_INPUT"),
        (json!(1.5), json!(null), "400 BAD_USER_INPUT"),
        (json!(3_000_000_000_u64), json!(null), "400 BAD_USER_INPUT"),
        (json!(1), json!(1), "400 BAD_USER_INPUT"),
    ] {
        let variables = json!({"path": "alice", "first": first, "after": after});
        let reply = server.ask(PAGE, variables).await;
        assert_eq!(reply.code(), expected, "{first} {after}");
    }
    let last = PAGE.replace("first: $first", "last: $first");
    let reply = server
        .ask(&last, json!({"path": "alice", "first": 1}))
        .await;
    assert_eq!(reply.code(), "400 GRAPHQL_VALIDATION_FAILED");
}

/// The most memory that a process has ever had, in KiB.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_hundred_thousand_entries_are_listed_in_bounded_memory() {
    const ENTRIES: usize = 100_000;
    let library = Library::new();
    let directory = std::fs::File::open(library.path("alice/data")).unwrap();
    for n in 0..ENTRIES {
        // Links are quicker to make than files.
        rustix::fs::symlinkat("x", &directory, format!("{n:06}.csv")).unwrap();
    }
    let server = library.serve();
    let query = "{ listDirectory(path: \"alice/data\") { repository { tree { blobs {
        count edges { node { name size } } } } } } }";
    // Without optimisation, and beside other tests, it takes its time.
    let request = client()
        .post(&server.url)
        .timeout(Duration::from_secs(300))
        .header("Content-Type", "application/json")
        .body(question(query, json!({})));

    let whole = Reply::of(request).await.text;

    let begin = r#"{"data":{"listDirectory":{"repository":{"tree":{"blobs":{"count":100000,"edges":[{"node":{"name":"000000.csv","size":null}},{"node":{"name":"000001.csv","size":null}},"#;
    let end = r#",{"node":{"name":"099999.csv","size":null}}]}}}}}}"#;
    assert!(whole.starts_with(begin), "{whole:.300}");
    assert!(whole.ends_with(end));
    assert_eq!(whole.matches("{\"node\":").count(), ENTRIES);
    let first = page(&server, Some(2), &Value::Null).await;
    let second = page(&server, Some(2), &first["pageInfo"]["endCursor"]).await;
    assert_eq!(second["count"], ENTRIES);
    assert_eq!(second["edges"][1]["node"]["name"], "000003.csv");
    let peak = peak(&server);
    assert!(peak < 64 * 1024, "{peak} KiB");
}

#[tokio::test]
async fn what_is_asked_for_twice_in_one_place_is_merged() {
    let library = Library::new();
    for n in 0..5_000 {
        library.write(&format!("alice/data/{n:04}"), "");
    }
    let server = library.serve();
    let query = "query($first: Int) { listDirectory(path: \"alice/data\") { repository { tree {
        blobs(first: $first) { edges { node { name } } } ...more } } } }
        fragment more on Tree { blobs(first: $first) { edges { node { type } } } }";
    for first in [10, 101, 5_000] {
        let json = server.ask(query, json!({ "first": first })).await.json();
        let tree = &json["data"]["listDirectory"]["repository"]["tree"];
        let edges = tree["blobs"]["edges"].as_array().unwrap();
        assert_eq!(edges.len(), first);
        assert_eq!(
            edges[first - 1],
            json!({"node": {"name": format!("{:04}", first - 1), "type": "blob"}})
        );
    }
    // It takes more room, and counts so.
    let small = library.serve_with("", &["--no-auth", "--max-answer", "2m"]);
    let reply = small.ask(query, json!({"first": 5_000})).await;
    assert_eq!(reply.code(), "200 TOO_LARGE");
    let once = "{ listDirectory(path: \"alice/data\") { repository { tree { blobs { edges { node { name type } } } } } } }";
    assert_eq!(small.ask(once, json!({})).await.code(), "200 ok");
}
