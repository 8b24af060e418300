//! Every way to say a path, against everything that takes one: nothing that is hidden is shown, and nothing of others is
//! changed.

use std::io::{Read, Write};
use std::net::TcpStream;

use proptest::prelude::*;
use serde_json::json;

use super::fixture::{LIST, Library, PATIENCE, READ, SECRET, Server, question};
use super::hidden::{self, judge, of_others};

/// What is done with a path.
#[derive(Debug, Clone)]
enum Deed {
    Ask(&'static str),
    File(&'static str, &'static str),
    Put(&'static str),
    Move(String),
}

/// Names that lead somewhere, and ways to write what should lead nowhere.
fn segment() -> impl Strategy<Value = String> {
    let known = vec![
        "alice",
        "bob",
        "common",
        "models",
        "secret.txt",
        "README.md",
        "data",
        "tools",
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
        "files",
        "root",
    ];
    let tricks = vec![
        "..",
        ".",
        "",
        "...",
        "%2e%2e",
        ".%2e",
        "%2E.",
        "%252e%252e",
        "..%2f..%2fbob",
        "%2f",
        "%5c..",
        "..\\bob",
        "%00",
        "secret.txt%00.md",
        "%c0%ae%c0%ae",
        "%ff",
        "%",
        "%2",
        "%u002e",
        "..;",
        ".. ",
        "..%20",
        "..%09",
        "bob.",
        "BOB",
        "\u{2024}\u{2024}",
        "\u{ff0e}\u{ff0e}",
        "\u{2215}bob",
        "\u{ff0f}",
        "b\u{43e}b",
        "~",
        "~root",
        "*",
        "$HOME",
        "?zip",
        "#",
        "&",
        "+",
        ".dtaas-aside-in-00",
        "AUX",
        "//bob",
        "/etc/passwd",
        "file:///etc/passwd",
    ];
    prop_oneof![
        5 => prop::sample::select(known).prop_map(str::to_owned),
        4 => prop::sample::select(tricks).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
        1 => (1_usize..400).prop_map(|length| "x".repeat(length)),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let start = prop::sample::select(vec![
        "alice/",
        "alice/",
        "alice/",
        "common/",
        "bob/",
        "../",
        "",
        "/",
        "alice/common/",
        "alice/../",
    ]);
    let one = (start, prop::collection::vec(segment(), 0..5))
        .prop_map(|(start, segments)| format!("{start}{}", segments.join("/")));
    let deep =
        (1_usize..200).prop_map(|depth| format!("alice/{}bob/secret.txt", "../".repeat(depth)));
    prop_oneof![20 => one, 1 => deep]
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        Just(Deed::Ask(LIST)),
        Just(Deed::Ask(READ)),
        prop::sample::select(vec![
            ("GET", ""),
            ("GET", ""),
            ("GET", "?zip"),
            ("HEAD", ""),
            ("DELETE", ""),
            ("DELETE", "?recursive"),
            ("MKCOL", ""),
            ("COPY", ""),
            ("OPTIONS", ""),
        ])
        .prop_map(|(method, query)| Deed::File(method, query)),
        prop::sample::select(vec!["", "?executable", "?upload=u"]).prop_map(Deed::Put),
        path().prop_map(Deed::Move),
    ]
}

/// What comes back for a request of exactly these bytes, head and all. In HTTP 1.0 a body has no frames.
fn exchange(server: &Server, method: &str, target: &str, headers: &str, body: &str) -> Vec<u8> {
    let request = format!(
        "{method} {target} HTTP/1.0\r\nX-Dtaas-Gateway: {SECRET}\r\nX-Forwarded-User: alice\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    // What is no request is answered before all of it is sent.
    let _ = connection.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    answer
}

fn do_it(server: &Server, deed: &Deed, path: &str) -> Vec<u8> {
    let target = format!("/lib/files/{path}");
    let headers = |path: &str| format!("Destination: /lib/files/{path}\r\n");
    match deed {
        Deed::Ask(query) => {
            let body = question(query, json!({ "path": path }));
            let json = "Content-Type: application/json\r\n";
            exchange(server, "POST", "/lib", json, &body)
        }
        Deed::File(method, query) => exchange(server, method, &format!("{target}{query}"), "", ""),
        Deed::Put(query) => {
            let range = match *query {
                "?upload=u" => "Content-Range: bytes 0-4/9\r\n",
                _ => "",
            };
            exchange(server, "PUT", &format!("{target}{query}"), range, "alice")
        }
        Deed::Move(to) => exchange(server, "MOVE", &target, &headers(to), ""),
    }
}

#[test]
fn no_way_to_say_a_path_leads_out() {
    let cases = std::cell::Cell::new((0, 0));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(100)
    });
    let deeds = prop::collection::vec((deed(), path()), 1..10);
    let outcome = runner.run(&deeds, |deeds| {
        thread_local! {
            static SERVED: (Library, Server) = {
                let library = Library::new();
                hidden::plant(&library);
                library.plant_traps();
                let server = library.serve_users_with(&["--writable"]);
                (library, server)
            };
        }
        SERVED.with(|(library, server)| {
            let before = of_others(library);
            for (deed, path) in &deeds {
                let answer = do_it(server, deed, path);
                judge(&answer, &(deed, path));
                let text = String::from_utf8_lossy(&answer);
                let (mut good, mut all) = cases.get();
                all += 1;
                good += i32::from(text.starts_with("HTTP/1.0 2"));
                cases.set((good, all));
                assert!(
                    !text.starts_with("HTTP/1.0 500"),
                    "{deed:?} {path:?}: {text}"
                );
            }
            assert_eq!(of_others(library), before, "{deeds:?}");
            library.replant();
        });
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let (good, all) = cases.get();
    assert!(
        good > all / 20,
        "only {good} of {all} were answered: there was nothing to find"
    );
}
