//! Whatever path is asked for, nothing outside is reached and nothing but files and directories is opened.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use proptest::prelude::*;
use serde_json::json;

use super::fixture::{HIDDEN, LIST, Library, READ, names, text};
use super::large::Meanwhile;

const ALICE: &str = "common, data, digital twins, functions, models, tools | README.md";

#[tokio::test]
async fn paths_are_taken_as_v0_2_takes_them() {
    let library = Library::new();
    let server = library.serve();
    for (path, expected) in [
        ("", "alice, bob, common | "),
        (".", "alice, bob, common | "),
        ("/", "alice, bob, common | "),
        ("alice/..", "alice, bob, common | "),
        ("alice", ALICE),
        ("/alice", ALICE),
        ("alice/", ALICE),
        ("//alice//", ALICE),
        ("./alice/models/..", ALICE),
        ("none/../alice", ALICE),
        ("alice/digital twins", " | "),
        ("..", "200 FORBIDDEN"),
        ("/..", "200 FORBIDDEN"),
        ("alice/../..", "200 FORBIDDEN"),
        ("../files/alice", "200 FORBIDDEN"),
        ("../../../../../../etc", "200 FORBIDDEN"),
        ("/etc", "200 NOT_FOUND"),
        ("%2e%2e/", "200 NOT_FOUND"),
        ("alice%2fmodels", "200 NOT_FOUND"),
        ("..\\alice", "200 NOT_FOUND"),
        ("alice\0", "200 NOT_FOUND"),
        ("alice/models\0/x", "200 NOT_FOUND"),
        ("\u{2025}/alice", "200 NOT_FOUND"),
        ("~", "200 NOT_FOUND"),
        ("alice\n", "200 NOT_FOUND"),
    ] {
        let reply = server.ask(LIST, json!({ "path": path })).await;
        assert_eq!(names(&reply), expected, "{path:?}");
    }
    let long = json!({"path": format!("alice/{}", "x".repeat(5000))});
    assert_eq!(names(&server.ask(LIST, long).await), "200 NOT_FOUND");
}

#[tokio::test]
async fn links_are_followed_while_they_stay_in_their_folder() {
    let library = Library::new();
    library.link("alice/near", "models/spring.txt");
    library.link("alice/models/around", "../../alice/README.md");
    library.link("alice/models/above", "../README.md");
    library.link("alice/folder", "models");
    let server = library.serve();
    let read = async |path| text(&server.ask(READ, json!({ "path": path })).await);
    assert_eq!(read("alice/near").await, "k = 1");
    assert_eq!(read("alice/models/above").await, "# alice");
    assert_eq!(read("alice/folder/spring.txt").await, "k = 1");
    // It comes back in the end, but by way of the outside.
    assert_eq!(read("alice/models/around").await, "200 FORBIDDEN");
    // As in v0.2, a link is listed as a blob, whatever it leads to.
    let reply = server.ask(LIST, json!({"path": "alice"})).await;
    assert_eq!(names(&reply), format!("{ALICE}, folder, near"));
}

#[tokio::test]
async fn links_that_lead_out_are_refused() {
    let library = Library::new();
    library.plant_traps();
    library.link("carol", "bob");
    library.link("etc", "/etc");
    for server in [library.serve(), library.serve_users()] {
        for (query, path) in [
            (READ, "alice/shadow"),
            (READ, "alice/passwd"),
            (READ, "alice/outside"),
            (READ, "alice/bobs-file"),
            (READ, "alice/bobs-absolute"),
            (READ, "alice/own-absolute"),
            (READ, "alice/through-models"),
            (READ, "alice/bobs/secret.txt"),
            (READ, "alice/up/bob/secret.txt"),
            (READ, "alice/slash/etc/passwd"),
            (READ, "alice/proc/etc/passwd"),
            (READ, "alice/round"),
            (READ, "common/to-bob/secret.txt"),
            (LIST, "alice/bobs"),
            (LIST, "alice/up"),
            (LIST, "alice/slash"),
            (LIST, "alice/common/to-bob"),
            (LIST, "common/to-bob"),
        ] {
            let reply = server.ask_as("alice", query, json!({ "path": path })).await;
            // Without users, `alice/common` is a folder of its own.
            let expected = match (path, server.ask(LIST, json!({"path": ""})).await.status) {
                ("alice/common/to-bob", 200) => "200 NOT_FOUND",
                _ => "200 FORBIDDEN",
            };
            assert_eq!(reply.code(), expected, "{path:?}: {}", reply.text);
        }
    }
    let server = library.serve();
    for path in ["carol", "carol/secret.txt", "etc", "etc/passwd"] {
        for query in [READ, LIST] {
            let reply = server.ask(query, json!({ "path": path })).await;
            assert_eq!(reply.code(), "200 FORBIDDEN", "{path:?}");
        }
    }
}

#[tokio::test]
async fn a_users_folder_that_is_a_link_is_refused() {
    let library = Library::new();
    library.link("carol", "bob");
    library.link("dave", "/etc");
    let server = library.serve_users();
    for (user, path) in [
        ("carol", "carol"),
        ("dave", "dave"),
        ("dave", "dave/passwd"),
    ] {
        let reply = server.ask_as(user, LIST, json!({ "path": path })).await;
        assert_eq!(reply.code(), "200 FORBIDDEN", "{path:?}");
    }
}

#[tokio::test]
async fn what_is_neither_file_nor_directory_is_listed_and_never_opened() {
    let library = Library::new();
    super::fixture::make_fifo(&library.path("alice/data/fifo"));
    library.link("alice/data/to-fifo", "fifo");
    let _socket =
        std::os::unix::net::UnixListener::bind(library.path("alice/data/socket")).unwrap();
    let server = library.serve();
    let reply = server.ask(LIST, json!({"path": "alice/data"})).await;
    assert_eq!(names(&reply), " | fifo, socket, to-fifo");
    // v0.2 stops for good at the fourth.
    for _ in 0..5 {
        for path in ["alice/data/fifo", "alice/data/to-fifo", "alice/data/socket"] {
            let reply = server.ask(READ, json!({ "path": path })).await;
            assert_eq!(reply.code(), "200 NOT_A_FILE", "{path:?}");
            let reply = server.ask(LIST, json!({ "path": path })).await;
            assert_eq!(reply.code(), "200 NOT_A_DIRECTORY", "{path:?}");
        }
    }
}

#[tokio::test]
async fn names_that_are_not_utf8_are_listed_and_marked() {
    let library = Library::new();
    for name in [&b"caf\xe9"[..], b"caf\xe8", b"plain"] {
        std::fs::write(library.path("alice/data").join(OsStr::from_bytes(name)), "").unwrap();
    }
    let server = library.serve();
    let reply = server.ask(LIST, json!({"path": "alice/data"})).await;
    assert_eq!(
        names(&reply),
        " | caf\u{fffd} (not UTF-8: 636166e8), caf\u{fffd} (not UTF-8: 636166e9), plain"
    );
}

#[tokio::test]
async fn a_link_that_changes_while_it_is_read_leads_nowhere_else() {
    let library = Library::new();
    library.make_directory("alice/flip");
    library.write("alice/flip/secret.txt", "mine");
    library.link("alice/flop", "../bob");
    let server = library.serve_users();
    let flipping = Meanwhile::swapping(&library.path("alice"), "flip", "flop");
    let (mut mine, mut refused) = (0, 0);
    while (mine < 20 || refused < 20) && mine + refused < 5000 {
        let path = json!({"path": "alice/flip/secret.txt"});
        match text(&server.ask_as("alice", READ, path).await).as_str() {
            "mine" => mine += 1,
            // Which refusal it is depends on the moment.
            other if other.starts_with("200 ") => refused += 1,
            other => panic!("{other}"),
        }
    }
    flipping.stop();
    assert!(mine > 0 && refused > 0, "{mine} mine, {refused} refused");
}

/// Paths of segments that lead somewhere, and of some that should not.
fn paths() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "alice",
        "bob",
        "common",
        "models",
        "secret.txt",
        "README.md",
        "..",
        ".",
        "",
        "...",
        "outside.txt",
        "shadow",
        "passwd",
        "slash",
        "up",
        "outside",
        "bobs",
        "bobs-file",
        "bobs-absolute",
        "proc",
        "round",
        "through-models",
        "to-bob",
        "fifo",
        "etc",
        "%2e%2e",
        "..%2f",
        "\0",
        "..\\",
        "files",
        "root",
        "self",
    ]);
    let segment = prop_oneof![8 => known.prop_map(str::to_owned), 1 => "\\PC{0,6}"];
    let start = prop::sample::select(vec!["", "/", "alice/", "common/", "bob/", "../", "/etc/"]);
    (start, prop::collection::vec(segment, 0..7))
        .prop_map(|(start, segments)| format!("{start}{}", segments.join("/")))
}

#[test]
fn no_path_shows_alice_what_is_not_hers() {
    let library = Library::new();
    library.plant_traps();
    let server = library.serve_users();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(500)
    });
    let outcome = runner.run(&paths(), |path| {
        runtime.block_on(async {
            for query in [READ, LIST] {
                let reply = server.ask_as("alice", query, json!({ "path": path })).await;
                prop_assert_eq!(reply.status, 200);
                for trace in [HIDDEN, "root:", "secret.txt\"}", "\"bin\"", "\"bob\""] {
                    prop_assert!(!reply.text.contains(trace), "{}: {}", path, reply.text);
                }
                let place = library.root().display().to_string();
                prop_assert!(!reply.text.contains(&place), "{}: {}", path, reply.text);
            }
            Ok(())
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
