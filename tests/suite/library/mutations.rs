//! Changing the library over GraphQL.

use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use super::files_client::Files;
use super::fixture::{HIDDEN, LIST, Library, Reply, SECRET, Server, client, question};

const MAKE: &str = "mutation($path: String!) { createDirectory(path: $path) { name type path } }";
const WRITE: &str = "mutation($path: String!, $text: String!, $overwrite: Boolean = false, $tag: String) {
    writeFile(path: $path, text: $text, overwrite: $overwrite, ifMatch: $tag) { path size sha256 } }";
const MOVE: &str = "mutation($from: String!, $to: String!, $overwrite: Boolean = false) {
    move(from: $from, to: $to, overwrite: $overwrite) { __typename path } }";
const DELETE: &str = "mutation($path: String!, $recursive: Boolean = false) {
    delete(path: $path, recursive: $recursive) }";

fn writable(library: &Library) -> Server {
    library.serve_with("", &["--no-auth", "--writable"])
}

/// The value of the only field, or status and code.
fn said(reply: &Reply) -> Value {
    let json = reply.json();
    match json["data"]
        .as_object()
        .and_then(|data| data.values().next())
    {
        Some(value) => value.clone(),
        None => json!(reply.code()),
    }
}

#[tokio::test]
async fn a_page_of_another_origin_changes_nothing() {
    let library = Library::new();
    let server = writable(&library);
    let make = question(MAKE, json!({"path": "alice/made"}));
    let list = question(LIST, json!({"path": "alice/models"}));
    for site in ["cross-site", "same-site"] {
        let site = [("Sec-Fetch-Site", site)];
        let reply = server.post_as(make.clone(), &site).await;
        assert_eq!(reply.code(), "403 CROSS_SITE");
        assert_eq!(server.post_as(list.clone(), &site).await.code(), "200 ok");
    }
    assert!(!library.path("alice/made").exists());
    let here = [("Sec-Fetch-Site", "same-origin")];
    assert_eq!(server.post_as(make, &here).await.code(), "200 ok");
    assert!(library.path("alice/made").exists());
}

#[tokio::test]
async fn an_origin_that_may_read_changes_nothing_over_plain_http() {
    let library = Library::new();
    // Given a library whose pages may be read from one other origin,
    let page = "http://page.example";
    let server = library.serve_with("", &["--no-auth", "--writable", "--allow-origin", page]);
    let make = question(MAKE, json!({"path": "alice/made"}));
    // when that origin or another one sends a change, as a browser does over plain http,
    for origin in [page, "http://evil.example", "null"] {
        let reply = server.post_as(make.clone(), &[("Origin", origin)]).await;
        // then it is refused,
        assert_eq!(reply.code(), "403 CROSS_SITE", "{origin}");
        let files = Files::of(&server);
        let headers = [("Origin", origin)];
        let put = files.send("PUT", "alice/made", &headers, "x").await;
        assert_eq!(put.said(), "403 CROSS_SITE", "{origin}");
    }
    assert!(!library.path("alice/made").exists());
    // and the library's own page may change it.
    let own = format!("http://{}", server.address());
    let reply = server.post_as(make, &[("Origin", &own)]).await;
    assert_eq!(reply.code(), "200 ok");
    assert!(library.path("alice/made").exists());
}

#[tokio::test]
async fn directories_and_files_are_made_moved_and_removed() {
    let library = Library::new();
    let server = writable(&library);
    let ask = async |query, variables| said(&server.ask(query, variables).await);
    assert_eq!(
        ask(MAKE, json!({"path": "/alice/data/new/"})).await,
        json!({"name": "new", "type": "tree", "path": "alice/data/new"})
    );
    assert!(library.path("alice/data/new").is_dir());
    assert_eq!(
        ask(
            WRITE,
            json!({"path": "alice/data/new/deep/k.txt", "text": "k = 1\n"})
        )
        .await,
        json!({
            "path": "alice/data/new/deep/k.txt",
            "size": "6",
            "sha256": "df378274136ce1ccd5099fdde388d0d4ccc45f4dfef8355844a18fc52b833829",
        })
    );
    let written = std::fs::read_to_string(library.path("alice/data/new/deep/k.txt")).unwrap();
    assert_eq!(written, "k = 1\n");
    assert_eq!(
        ask(
            MOVE,
            json!({"from": "alice/data/new/deep", "to": "common/data/deep"})
        )
        .await,
        json!({"__typename": "TreeEntry", "path": "common/data/deep"})
    );
    assert_eq!(
        ask(
            MOVE,
            json!({"from": "common/data/deep/k.txt", "to": "common/data/l.txt"})
        )
        .await,
        json!({"__typename": "Blob", "path": "common/data/l.txt"})
    );
    assert_eq!(
        ask(DELETE, json!({"path": "common/data/deep"})).await,
        "common/data/deep"
    );
    assert_eq!(
        ask(DELETE, json!({"path": "common/data"})).await,
        "200 NOT_EMPTY"
    );
    assert_eq!(
        ask(DELETE, json!({"path": "common/data", "recursive": true})).await,
        "common/data"
    );
    assert!(!library.path("common/data").exists());
}

#[tokio::test]
async fn nothing_is_replaced_unless_that_is_meant() {
    let library = Library::new();
    let server = writable(&library);
    let path = "alice/models/spring.txt";
    let ask = async |query, variables| said(&server.ask(query, variables).await);
    let text = || std::fs::read_to_string(library.path(path)).unwrap();
    let write = json!({"path": path, "text": "two"});
    assert_eq!(ask(WRITE, write).await, "200 EXISTS");
    assert_eq!(
        ask(MAKE, json!({"path": "alice/models"})).await,
        "200 EXISTS"
    );
    let onto = json!({"from": "alice/README.md", "to": path});
    assert_eq!(ask(MOVE, onto).await, "200 EXISTS");
    assert_eq!(text(), "k = 1\n");

    let stale = json!({"path": path, "text": "two", "tag": "\"of another time\""});
    assert_eq!(ask(WRITE, stale).await, "200 PRECONDITION_FAILED");
    assert_eq!(text(), "k = 1\n");
    let tag = loop {
        let query = "query($path: String!) { readFile(path: $path) { repository { blobs { nodes { etag } } } } }";
        let json = server.ask(query, json!({ "path": path })).await.json();
        let nodes = &json["data"]["readFile"]["repository"]["blobs"]["nodes"];
        let tag = nodes[0]["etag"].as_str().unwrap().to_owned();
        // While it is weak, another change could bear the same time.
        if !tag.starts_with("W/") {
            break tag;
        }
    };
    let matching = json!({"path": path, "text": "two", "tag": tag});
    assert_eq!(ask(WRITE, matching).await["size"], "3");
    assert_eq!(text(), "two");
    let over = json!({"path": path, "text": "", "overwrite": true});
    assert_eq!(ask(WRITE, over).await["size"], "0");
    let onto = json!({"from": "alice/README.md", "to": path, "overwrite": true});
    assert_eq!(
        ask(MOVE, onto).await,
        json!({"__typename": "Blob", "path": path})
    );
    assert_eq!(text(), "# alice\n");
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let library = Library::new();
    library.plant_traps();
    let server = writable(&library);
    let outside = library.root().parent().unwrap().join("outside.txt");
    for (query, variables, expected) in [
        (MAKE, json!({"path": ""}), "200 FORBIDDEN"),
        (MAKE, json!({"path": "dave"}), "200 FORBIDDEN"),
        (MAKE, json!({"path": "alice/none/x"}), "200 NOT_FOUND"),
        (MAKE, json!({"path": "alice/bobs/x"}), "200 FORBIDDEN"),
        (MAKE, json!({"path": "../x"}), "200 FORBIDDEN"),
        (
            WRITE,
            json!({"path": "alice/up/bob/x", "text": ""}),
            "200 FORBIDDEN",
        ),
        (
            WRITE,
            json!({"path": "alice/README.md/x", "text": ""}),
            "200 NOT_A_DIRECTORY",
        ),
        (
            MOVE,
            json!({"from": "alice/none", "to": "alice/x"}),
            "200 NOT_FOUND",
        ),
        (
            MOVE,
            json!({"from": "alice/data", "to": "alice/data/x"}),
            "200 IMPOSSIBLE",
        ),
        (
            MOVE,
            json!({"from": "alice/README.md", "to": "alice/slash/tmp/x"}),
            "200 FORBIDDEN",
        ),
        (
            MOVE,
            json!({"from": "alice", "to": "alicia"}),
            "200 FORBIDDEN",
        ),
        (DELETE, json!({"path": "alice/none"}), "200 NOT_FOUND"),
        (
            DELETE,
            json!({"path": "alice", "recursive": true}),
            "200 FORBIDDEN",
        ),
        (
            DELETE,
            json!({"path": "/", "recursive": true}),
            "200 FORBIDDEN",
        ),
        (
            DELETE,
            json!({"path": "alice/bobs/secret.txt"}),
            "200 FORBIDDEN",
        ),
    ] {
        let reply = server.ask(query, variables.clone()).await;
        assert_eq!(reply.code(), expected, "{variables}: {}", reply.text);
        assert_eq!(reply.json()["data"], Value::Null);
    }
    // A link itself is moved and removed, whatever it leads to.
    let reply = server
        .ask(MOVE, json!({"from": "alice/outside", "to": "alice/inside"}))
        .await;
    assert_eq!(
        said(&reply),
        json!({"__typename": "Blob", "path": "alice/inside"})
    );
    let reply = server.ask(DELETE, json!({"path": "alice/inside"})).await;
    assert_eq!(said(&reply), "alice/inside");
    assert_eq!(std::fs::read(outside).unwrap(), HIDDEN.as_bytes());
    let secret = library.path("bob/secret.txt");
    assert_eq!(std::fs::read(secret).unwrap(), HIDDEN.as_bytes());
}

#[tokio::test]
async fn each_user_changes_their_own_and_publishers_what_is_common() {
    let library = Library::new();
    let server = library.serve_users_with(&["--writable"]);
    let ask = async |user: &str, groups: &str, query, variables| {
        let headers = [
            ("X-Dtaas-Gateway", SECRET),
            ("X-Forwarded-User", user),
            ("X-Forwarded-Groups", groups),
        ];
        said(&server.post_as(question(query, variables), &headers).await)
    };
    let made = |path: &str| json!({"name": "x", "type": "tree", "path": path});
    for (user, groups, path, expected) in [
        ("alice", "", "alice/data/x", made("alice/data/x")),
        ("alice", "", "bob/data/x", json!("200 NOT_FOUND")),
        ("alice", "", "common/data/x", json!("200 READ_ONLY")),
        ("alice", "", "alice/common/data/x", json!("200 READ_ONLY")),
        (
            "bob",
            "publishers",
            "bob/common/data/x",
            made("bob/common/data/x"),
        ),
        ("bob", "publishers", "alice/data/y", json!("200 NOT_FOUND")),
    ] {
        let answer = ask(user, groups, MAKE, json!({ "path": path })).await;
        assert_eq!(answer, expected, "{user}: {path}");
    }
    assert!(library.path("common/data/x").is_dir());
    let taken = json!({"from": "common/README.md", "to": "alice/x.md"});
    assert_eq!(ask("alice", "", MOVE, taken).await, "200 READ_ONLY");
    let away = json!({"from": "alice/README.md", "to": "bob/x.md"});
    assert_eq!(ask("alice", "", MOVE, away).await, "200 NOT_FOUND");
    // What alice writes is owned as her folder is.
    let write = json!({"path": "alice/y.txt", "text": "y"});
    assert_eq!(ask("alice", "", WRITE, write).await["size"], "1");
    let owner = |path: &str| std::fs::metadata(library.path(path)).unwrap().uid();
    assert_eq!(owner("alice/y.txt"), owner("alice"));
}

#[tokio::test]
async fn a_library_that_is_read_only_changes_nothing() {
    let library = Library::new();
    let server = library.serve();
    for (query, variables) in [
        (MAKE, json!({"path": "alice/x"})),
        (WRITE, json!({"path": "alice/x", "text": "x"})),
        (MOVE, json!({"from": "alice/README.md", "to": "alice/x"})),
        (DELETE, json!({"path": "alice/README.md"})),
    ] {
        let reply = server.ask(query, variables).await;
        assert_eq!(reply.code(), "200 READ_ONLY", "{}", reply.text);
    }
    assert!(library.path("alice/README.md").exists());
    assert!(!library.path("alice/x").exists());
}

#[tokio::test]
async fn an_address_changes_nothing() {
    let library = Library::new();
    let server = writable(&library);
    let query = "mutation { createDirectory(path: \"alice/x\") { name } }";
    let reply = server.get(&[("query", query)]).await;
    assert_eq!(reply.code(), "405 BAD_REQUEST");
    assert_eq!(reply.headers["allow"], "POST");
    let both = format!(
        "query Look {{ __typename }} {}",
        query.replace("mutation", "mutation Change")
    );
    let reply = server
        .get(&[("query", &both), ("operationName", "Change")])
        .await;
    assert_eq!(reply.code(), "405 BAD_REQUEST");
    let reply = server
        .get(&[("query", &both), ("operationName", "Look")])
        .await;
    assert_eq!(reply.code(), "200 ok");
    // Nor does what a form on another site can send.
    let body = question(query, json!({}));
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let request = client().post(&server.url).header("Content-Type", kind);
        let reply = Reply::of(request.body(body.clone())).await;
        assert_eq!(reply.code(), "415 BAD_REQUEST");
    }
    assert!(!library.path("alice/x").exists());
}
