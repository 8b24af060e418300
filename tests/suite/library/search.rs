//! Searching by name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::{Value, json};

use super::fixture::{HIDDEN, Library, Reply, Server, make_fifo};

const SEARCH: &str = "query($path: String!, $name: String!, $first: Int = 100, $after: String) {
    search(path: $path, name: $name, first: $first, after: $after) {
        edges { node { type path } }
        pageInfo { endCursor hasNextPage }
        truncated
    } }";

/// What is found: paths, those of directories with a slash behind, or status and code.
fn paths(reply: &Reply) -> String {
    let json = reply.json();
    let Some(edges) = json["data"]["search"]["edges"].as_array() else {
        return reply.code();
    };
    let path = |edge: &Value| {
        let slash = match edge["node"]["type"].as_str() {
            Some("tree") => "/",
            _ => "",
        };
        format!("{}{slash}", edge["node"]["path"].as_str().unwrap())
    };
    edges.iter().map(path).collect::<Vec<_>>().join(", ")
}

async fn search(server: &Server, user: &str, path: &str, name: &str) -> Reply {
    let variables = json!({"path": path, "name": name});
    server.ask_as(user, SEARCH, variables).await
}

#[tokio::test]
async fn a_user_finds_what_they_may_see() {
    let library = Library::new();
    library.make_directory("alice/digital twins/spring/Springs");
    library.write("alice/digital twins/spring/Springs/SPRING.fmu", "");
    library.write("alice/spring", "");
    library.write("common/models/spring.mo", "");
    library.write("bob/models/spring.mo", HIDDEN);
    let server = library.serve_users();
    for (user, path, name, expected) in [
        (
            "alice",
            "",
            "spring",
            "alice/digital twins/spring/, alice/digital twins/spring/Springs/, \
             alice/digital twins/spring/Springs/SPRING.fmu, alice/models/spring.txt, alice/spring, \
             common/models/spring.mo",
        ),
        ("alice", "alice", "*.mo", "alice/common/models/spring.mo"),
        ("alice", "", "*.mo", "common/models/spring.mo"),
        (
            "alice",
            "alice/common",
            "SPRING.??",
            "alice/common/models/spring.mo",
        ),
        (
            "alice",
            "common/models/",
            "spring",
            "common/models/spring.mo",
        ),
        ("alice", "alice/models", "", "alice/models/spring.txt"),
        ("alice", "", "common", "alice/common/, common/"),
        ("alice", "", "secret", ""),
        ("alice", "bob", "spring", "200 NOT_FOUND"),
        ("alice", "..", "spring", "200 FORBIDDEN"),
        ("alice", "alice/none", "spring", "200 NOT_FOUND"),
        ("alice", "alice/spring", "spring", "200 NOT_A_DIRECTORY"),
        (
            "bob",
            "",
            "spring",
            "bob/models/spring.mo, common/models/spring.mo",
        ),
        ("carol", "", "spring", "common/models/spring.mo"),
    ] {
        let reply = search(&server, user, path, name).await;
        assert_eq!(paths(&reply), expected, "{user}: {name:?} in {path:?}");
    }
    // Without users, everything is searched.
    let server = library.serve();
    assert_eq!(
        paths(&search(&server, "", "", "*.mo").await),
        "bob/models/spring.mo, common/models/spring.mo"
    );
}

#[tokio::test]
async fn no_link_is_followed_and_nothing_but_directories_is_opened() {
    let library = Library::new();
    library.plant_traps();
    make_fifo(&library.path("alice/data/fifo"));
    library.link("alice/data/again", "..");
    let server = library.serve_users();
    for (name, expected) in [
        ("secret", ""),
        ("outside", "alice/outside"),
        ("fifo", "alice/data/fifo, alice/fifo"),
        ("passwd", "alice/passwd"),
        ("again", "alice/data/again"),
        ("spring", "alice/models/spring.txt"),
    ] {
        let reply = search(&server, "alice", "alice", name).await;
        assert_eq!(paths(&reply), expected, "{name:?}");
        assert!(!reply.text.contains(HIDDEN));
    }
    // A top folder that is a link is none.
    library.link("dave", "bob");
    assert_eq!(
        paths(&search(&server, "dave", "dave", "").await),
        "200 FORBIDDEN"
    );
    assert_eq!(paths(&search(&server, "dave", "", "secret").await), "");
}

#[tokio::test]
async fn names_that_are_not_utf8_are_found_and_marked() {
    let library = Library::new();
    let data = library.path("alice/data");
    std::fs::write(data.join(OsStr::from_bytes(b"caf\xe9.csv")), "x").unwrap();
    std::fs::create_dir(data.join(OsStr::from_bytes(b"d\xff"))).unwrap();
    std::fs::write(data.join(OsStr::from_bytes(b"d\xff/inner.csv")), "x").unwrap();
    let server = library.serve();
    let query = "{ search(path: \"alice\", name: \"*.csv\") {
        edges { cursor node { __typename name type path ... on Blob { size mediaType sha256 } } }
        pageInfo { startCursor endCursor hasNextPage hasPreviousPage } truncated } }";
    let marked = "caf\u{fffd}.csv (not UTF-8: 636166e92e637376)";
    let cursor = "ZGF0YS9jYWbpLmNzdg==";
    assert_eq!(
        server.ask(query, json!({})).await.json(),
        json!({"data": {"search": {
            "edges": [{"cursor": cursor, "node": {
                "__typename": "Blob",
                "name": marked,
                "type": "blob",
                "path": format!("alice/data/{marked}"),
                "size": "1",
                "mediaType": "text/csv; charset=utf-8",
                "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
            }}],
            "pageInfo": {
                "startCursor": cursor,
                "endCursor": cursor,
                "hasNextPage": false,
                "hasPreviousPage": false,
            },
            "truncated": false,
        }}})
    );
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let library = Library::new();
    for path in ["a", "a b", "a/x", "b"] {
        library.make_directory(&format!("alice/data/{path}"));
        for name in ["1.csv", "2.csv"] {
            library.write(&format!("alice/data/{path}/{name}"), "");
        }
    }
    let server = library.serve();
    let all = paths(&search(&server, "", "alice/data", "*.csv").await);
    for size in 1..=9 {
        let (mut found, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables =
                json!({"path": "alice/data", "name": "*.csv", "first": size, "after": after});
            let reply = server.ask(SEARCH, variables).await;
            found.push(paths(&reply));
            let info = &reply.json()["data"]["search"]["pageInfo"];
            if info["hasNextPage"] == false {
                break;
            }
            after = info["endCursor"].clone();
        }
        assert_eq!(found.join(", "), all, "{size} at a time");
        assert_eq!(found.len(), 8_usize.div_ceil(size), "{size} at a time");
    }
}

#[tokio::test]
async fn a_search_that_may_not_look_at_everything_says_so_and_can_go_on() {
    let library = Library::new();
    for folder in 0..20 {
        library.make_directory(&format!("alice/data/{folder:02}"));
        for n in 0..200 {
            library.write(&format!("alice/data/{folder:02}/{n}.csv"), "");
        }
    }
    // Room for what is found, and for looking at 750 entries or so.
    let server = library.serve_with("", &["--no-auth", "--max-answer", "24000"]);
    let (mut found, mut after, mut requests) = (Vec::new(), Value::Null, 0);
    loop {
        let variables = json!({"path": "alice/data", "name": "199.csv", "after": after});
        let query = SEARCH.replace("node { type path }", "cursor");
        let json = server.ask(&query, variables).await.json();
        let search = &json["data"]["search"];
        found.extend(search["edges"].as_array().unwrap().iter().cloned());
        requests += 1;
        if search["pageInfo"]["hasNextPage"] == false {
            assert_eq!(search["truncated"], false);
            break;
        }
        assert_eq!(search["truncated"], true, "{json}");
        assert_ne!(search["pageInfo"]["endCursor"], after);
        after = search["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(found.len(), 20);
    assert!(requests > 1, "{requests}");

    // One directory is larger than that: what is beyond is left out.
    library.make_directory("alice/models/wide");
    for n in 0..1000 {
        library.write(&format!("alice/models/wide/{n}.txt"), "");
    }
    let (mut after, mut requests) = (Value::Null, 0);
    let truncated = loop {
        let variables = json!({"path": "alice/models", "name": "none", "after": after});
        let json = server.ask(SEARCH, variables).await.json();
        let search = &json["data"]["search"];
        requests += 1;
        assert!(requests < 10, "{json}");
        if search["pageInfo"]["hasNextPage"] == false {
            break requests > 1 || search["truncated"] == true;
        }
        after = search["pageInfo"]["endCursor"].clone();
    };
    assert!(truncated);
}

#[tokio::test]
async fn a_tree_that_is_nested_deeply_is_searched_down_to_a_depth() {
    let library = Library::new();
    library.make_directory(&format!("alice/data/{}", "d/".repeat(100)));
    let server = library.serve();
    let reply = search(&server, "", "alice", "d").await;
    let json = reply.json();
    assert_eq!(json["data"]["search"]["truncated"], true);
    assert_eq!(json["data"]["search"]["pageInfo"]["hasNextPage"], false);
    assert_eq!(
        paths(&reply)
            .split(", ")
            .filter(|path| path.ends_with("d/"))
            .count(),
        64
    );
}

#[tokio::test]
async fn what_cannot_be_meant_or_costs_too_much_is_refused() {
    let library = Library::new();
    let server = library.serve_with("", &["--no-auth", "--max-answer", "2k"]);
    for (first, after, name, expected) in [
        (json!(-1), json!(null), "x".to_owned(), "200 BAD_USER_INPUT"),
        (
            json!(1001),
            json!(null),
            "x".to_owned(),
            "200 BAD_USER_INPUT",
        ),
        (json!(1), json!("?"), "x".to_owned(), "200 BAD_USER_INPUT"),
        (json!(1), json!(null), "x".repeat(256), "200 BAD_USER_INPUT"),
        (json!(1), json!(null), "x".repeat(255), "200 ok"),
    ] {
        let variables = json!({"path": "alice", "name": name, "first": first, "after": after});
        let reply = server.ask(SEARCH, variables).await;
        assert_eq!(reply.code(), expected, "{}", reply.text);
    }
    let many: String = (0..200)
        .map(|n| format!("a{n}: search(path: \"alice\", name: \"x\") {{ truncated }} "))
        .collect();
    let reply = server.ask(&format!("{{ {many} }}"), json!({})).await;
    assert_eq!(reply.code(), "200 TOO_LARGE");
}
