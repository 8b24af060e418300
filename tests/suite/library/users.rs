//! Behind the gateway: each user sees their own folder and `common`, and nobody can claim to be someone.

use serde_json::json;

use super::fixture::{LIST, Library, READ, SECRET, names, question, text};

#[tokio::test]
async fn a_user_sees_their_folder_and_common() {
    let library = Library::new();
    library.make_directory(".removed/alice-2025-01-01");
    library.make_directory("alicex");
    let server = library.serve_users();
    for (path, expected) in [
        ("", "alice, common | "),
        ("/", "alice, common | "),
        ("bob/..", "alice, common | "),
        (
            "alice",
            "common, data, digital twins, functions, models, tools | README.md",
        ),
        (
            "common",
            "data, digital twins, functions, models, tools | README.md",
        ),
        (
            "alice/common",
            "data, digital twins, functions, models, tools | README.md",
        ),
        ("alice/common/data", " | "),
        ("bob", "200 NOT_FOUND"),
        ("alice/../bob", "200 NOT_FOUND"),
        ("alice/common/../../bob", "200 NOT_FOUND"),
        ("alicex", "200 NOT_FOUND"),
        ("Alice", "200 NOT_FOUND"),
        ("none", "200 NOT_FOUND"),
        (".removed", "200 NOT_FOUND"),
        ("..", "200 FORBIDDEN"),
    ] {
        let reply = server.ask_as("alice", LIST, json!({ "path": path })).await;
        assert_eq!(names(&reply), expected, "{path:?}");
    }
    for (user, path, expected) in [
        ("alice", "alice/models/spring.txt", "k = 1"),
        ("alice", "common/README.md", "# common"),
        ("alice", "alice/common/README.md", "# common"),
        ("alice", "bob/secret.txt", "200 NOT_FOUND"),
        ("bob", "alice/models/spring.txt", "200 NOT_FOUND"),
        ("bob", "bob/common/README.md", "# common"),
    ] {
        let reply = server.ask_as(user, READ, json!({ "path": path })).await;
        assert_eq!(text(&reply), expected, "{user}: {path:?}");
    }
}

#[tokio::test]
async fn a_user_without_a_folder_sees_common() {
    let library = Library::new();
    let server = library.serve_users();
    let top = server.ask_as("carol", LIST, json!({"path": ""})).await;
    assert_eq!(names(&top), "common | ");
    let own = server.ask_as("carol", LIST, json!({"path": "carol"})).await;
    assert_eq!(names(&own), "200 NOT_FOUND");
}

#[tokio::test]
async fn without_the_gateways_secret_nobody_is_anyone() {
    let library = Library::new();
    let server = library.serve_users();
    let longer = format!("{SECRET}x");
    for (headers, expected) in [
        (vec![], "401 UNAUTHENTICATED"),
        (vec![("X-Forwarded-User", "alice")], "401 UNAUTHENTICATED"),
        (
            vec![
                ("X-Forwarded-User", "alice"),
                ("Authorization", "Basic YWxpY2U6eA=="),
            ],
            "401 UNAUTHENTICATED",
        ),
        (
            vec![("X-Dtaas-Gateway", "guess"), ("X-Forwarded-User", "alice")],
            "403 FORBIDDEN",
        ),
        (
            vec![("X-Dtaas-Gateway", ""), ("X-Forwarded-User", "alice")],
            "403 FORBIDDEN",
        ),
        (
            vec![("X-Dtaas-Gateway", &longer), ("X-Forwarded-User", "alice")],
            "403 FORBIDDEN",
        ),
        (vec![("X-Dtaas-Gateway", SECRET)], "403 FORBIDDEN"),
        (
            vec![("X-Dtaas-Gateway", SECRET), ("X-Forwarded-User", "")],
            "403 FORBIDDEN",
        ),
        (
            vec![("X-Dtaas-Gateway", SECRET), ("X-Forwarded-User", "..")],
            "403 FORBIDDEN",
        ),
        (
            vec![("X-Dtaas-Gateway", SECRET), ("X-Forwarded-User", "common")],
            "403 FORBIDDEN",
        ),
        (
            vec![
                ("X-Dtaas-Gateway", SECRET),
                ("X-Forwarded-User", "alice"),
                ("X-Forwarded-User", "bob"),
            ],
            "403 FORBIDDEN",
        ),
        (
            vec![("X-Dtaas-Gateway", SECRET), ("X-Forwarded-User", "alice")],
            "200 ok",
        ),
    ] {
        let body = question(LIST, json!({"path": "alice"}));
        let reply = server.post_as(body, &headers).await;
        assert_eq!(reply.code(), expected, "{headers:?}");
    }
    let get = server.get(&[("query", "{ __typename }")]).await;
    assert_eq!(get.code(), "401 UNAUTHENTICATED");
}

#[tokio::test]
async fn stand_alone_the_users_header_changes_nothing() {
    let library = Library::new();
    let server = library.serve();
    let reply = server.ask_as("alice", LIST, json!({"path": ""})).await;
    assert_eq!(names(&reply), "alice, bob, common | ");
    let own = server.ask(LIST, json!({"path": "alice/common"})).await;
    assert_eq!(names(&own), " | ");
}

#[tokio::test]
async fn on_this_machine_alone_only_its_own_names_count() {
    let library = Library::new();
    let body = || question(LIST, json!({"path": ""}));
    let server = library.serve();
    // A page at a name of its own that leads here is no page of this machine's.
    for (host, expected) in [
        ("localhost", "200 ok"),
        ("127.0.0.1:4001", "200 ok"),
        ("evil.com:4001", "421 MISDIRECTED"),
    ] {
        let reply = server.post_as(body(), &[("Host", host)]).await;
        assert_eq!(reply.code(), expected, "{host}");
    }
    let behind_a_proxy = library.serve_with("", &["--no-auth", "--host", "foo.com"]);
    let reply = behind_a_proxy.post_as(body(), &[("Host", "foo.com")]).await;
    assert_eq!(reply.code(), "200 ok");
}
