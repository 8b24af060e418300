//! The auth endpoint, as the gateway asks it.

mod account;
mod entrances;
pub mod fixture;
mod floods;
mod guesses;
mod sessions;
mod shares;
mod sockets;

use std::fs;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use fixture::{Platform, basic, sign_in, until_from_memory, within_a_second};

#[test]
fn a_user_passes_where_the_address_names_them_and_no_one_else() {
    let platform = Platform::new()
        .with("alice", "hunter2", r#"{"groups":["publishers","admins"]}"#)
        .with("j.doe", "pässwörd: 1", r#"{"groups":[]}"#);
    let server = platform.serve();

    // The second time the answer comes from memory.
    for _ in 0..2 {
        for path in ["/authz", "/authz/alice"] {
            let answer = sign_in(&server, path, "alice", "hunter2");
            assert_eq!((answer.status, answer.body.as_str()), (200, ""));
            assert_eq!(answer.header("x-forwarded-user"), Some("alice"));
            assert_eq!(
                answer.header("x-forwarded-groups"),
                Some("publishers,admins")
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
        let answer = sign_in(&server, "/authz/j.doe", "j.doe", "pässwörd: 1");
        assert_eq!(answer.header("x-forwarded-groups"), Some(""));

        let answer = sign_in(&server, "/authz/alice", "j.doe", "pässwörd: 1");
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (403, "This is another user's.\n")
        );
        assert_eq!(answer.header("x-forwarded-user"), None);
    }
    for method in ["POST", "HEAD", "OPTIONS", "DELETE", "PROPFIND"] {
        let authorization = basic("alice", "hunter2");
        let answer = server.ask(method, "/authz", &[("Authorization", &authorization)]);
        assert_eq!(answer.status, 200, "{method}");
        assert_eq!(server.ask(method, "/authz", &[]).status, 401, "{method}");
    }
}

#[test]
fn whoever_does_not_pass_is_asked_to_sign_in() {
    let platform = Platform::new()
        .with("alice", "hunter2", r#"{"groups":[]}"#)
        .with("disabled", "hunter2", "{}");
    fs::remove_file(platform.path("users/disabled.json")).unwrap();
    fs::write(platform.path("users/nopassword.json"), r#"{"groups":[]}"#).unwrap();
    fs::write(platform.path("auth/cleartext"), "cleartext:hunter2\n").unwrap();
    fs::write(platform.path("users/cleartext.json"), r#"{"groups":[]}"#).unwrap();
    let server = platform.serve();

    let long = "hunter2".repeat(200);
    for (number, (user, password)) in [
        ("alice", "hunter3"),
        ("alice", ""),
        ("alice", &long),
        ("alice", "hunter2\0"),
        ("nobody", "hunter2"),
        ("disabled", "hunter2"),
        ("nopassword", "hunter2"),
        ("nopassword", ""),
        ("cleartext", "hunter2"),
        ("Alice", "hunter2"),
        ("../auth/alice", "hunter2"),
        ("", ""),
    ]
    .into_iter()
    .enumerate()
    {
        for (path, host) in [("/authz", 1), ("/authz/alice", 2)] {
            // From elsewhere each time: here they would have to wait.
            let from = format!("192.0.{host}.{number}");
            let authorization = basic(user, password);
            let headers = [
                ("Authorization", authorization.as_str()),
                ("X-Forwarded-For", &from),
            ];
            let answer = server.get(path, &headers);
            assert_eq!(answer.status, 401, "{user}:{password} {path}");
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Basic realm=\"foo.com\", charset=\"UTF-8\"")
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("x-forwarded-user"), None);
            assert_eq!(answer.body, "Sign in.\n");
        }
    }
}

#[test]
fn identity_that_a_visitor_claims_is_not_believed() {
    let platform = Platform::new().with("bob", "hunter2", r#"{"groups":[]}"#);
    let server = platform.serve();
    let claims = [
        ("X-Forwarded-User", "alice"),
        ("X-Forwarded-Groups", "admins"),
        ("X-Forwarded-Uri", "/bob"),
        ("Authorization", &basic("bob", "hunter2")),
    ];
    assert_eq!(server.get("/authz/alice", &claims).status, 403);
    let answer = server.get("/authz", &claims);
    assert_eq!(answer.header("x-forwarded-user"), Some("bob"));
    assert_eq!(answer.header("x-forwarded-groups"), Some(""));
}

#[test]
fn tricks_in_the_address_name_nobody() {
    let platform = Platform::new().with("alice", "hunter2", r#"{"groups":[]}"#);
    fs::copy(platform.path("auth/alice"), platform.path("alice")).unwrap();
    let server = platform.serve();
    for path in [
        "/",
        "/authz/",
        "/authz/../alice",
        "/authz/..",
        "/authz/%2e%2e",
        "/authz/%2e%2e%2falice",
        "/authz/%61lice",
        "/authz/alice/",
        "/authz/alice/../alice",
        "/authz/alice%00",
        "/authz//alice",
        "/authz/Alice",
        "/authz/alice;x",
        "/authzalice",
        "//authz",
        "/x/../authz",
    ] {
        assert_eq!(
            sign_in(&server, path, "alice", "hunter2").status,
            404,
            "{path}"
        );
    }
    let answer = sign_in(&server, "/authz/alice?user=bob", "alice", "hunter2");
    assert_eq!(answer.status, 200);
}

#[test]
fn a_change_counts_within_a_second() {
    let platform = Platform::new().with("alice", "hunter2", r#"{"groups":["publishers"]}"#);
    let server = platform.serve();
    let status = |password: &str| sign_in(&server, "/authz/alice", "alice", password).status;
    until_from_memory(&server, "alice", "hunter2");

    platform.set_password("alice", "correct horse");
    within_a_second(401, || status("hunter2"));
    within_a_second(200, || status("correct horse"));

    platform.replace("users/alice.json", r#"{"groups":["admins"]}"#);
    let answer = sign_in(&server, "/authz", "alice", "correct horse");
    assert_eq!(answer.header("x-forwarded-groups"), Some("admins"));

    fs::rename(platform.path("users/alice.json"), platform.path("aside")).unwrap();
    within_a_second(401, || status("correct horse"));
    fs::rename(platform.path("aside"), platform.path("users/alice.json")).unwrap();
    within_a_second(200, || status("correct horse"));

    fs::remove_file(platform.path("auth/alice")).unwrap();
    within_a_second(401, || status("correct horse"));
}

#[test]
fn entries_brought_along_from_elsewhere_open() {
    let platform = Platform::new();
    for (user, hash) in [
        ("apr1", "$apr1$i2lATwbN$dKvDiEbk.m5JGsjQHpq.e0"),
        ("sha", "{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0="),
        (
            "bcrypt",
            "$2y$04$ZQ0vJDZVJOxz1dR8DSmsXuB/wN6VlxIt96wLGWYiNOHGVbLY7JIbO",
        ),
    ] {
        platform.replace(&format!("auth/{user}"), &format!("{user}:{hash}\n"));
        platform.replace(&format!("users/{user}.json"), r#"{"groups":[]}"#);
    }
    let server = platform.serve();
    for user in ["apr1", "sha", "bcrypt"] {
        assert_eq!(
            sign_in(&server, "/authz", user, "hunter2").status,
            200,
            "{user}"
        );
        assert_eq!(
            sign_in(&server, "/authz", user, "hunter3").status,
            401,
            "{user}"
        );
    }
}

#[test]
fn a_damaged_account_closes_the_door_to_its_owner_alone() {
    let platform = Platform::new().with("alice", "hunter2", "{").with(
        "bob",
        "hunter2",
        r#"{"groups":["a\r\nX-Forwarded-User: root"]}"#,
    );
    let server = platform.serve();
    for user in ["alice", "bob"] {
        assert_eq!(
            sign_in(&server, "/authz", user, "hunter2").status,
            500,
            "{user}"
        );
        assert_eq!(
            sign_in(&server, "/authz", user, "hunter3").status,
            401,
            "{user}"
        );
    }
}

#[test]
fn no_header_passes_by_being_strange() {
    let platform = Platform::new().with("alice", "hunter2", r#"{"groups":[]}"#);
    let server = platform.serve();
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        proptest::collection::vec(any::<u8>(), 0..60).prop_map(|bytes| format!(
            "Basic {}",
            STANDARD.encode(bytes)
        )
        .into_bytes()),
        "(Basic|basic|Bearer)? ?[A-Za-z0-9+/=:]{0,40}".prop_map(String::into_bytes),
    ];
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(300)
    });
    runner
        .run(&value, |value| {
            let value: Vec<u8> = value
                .into_iter()
                .filter(|byte| !matches!(byte, b'\r' | b'\n'))
                .collect();
            let mut request =
                b"GET /authz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ".to_vec();
            request.extend(value);
            request.extend(b"\r\n\r\n");
            let status = server.send(&request).status;
            prop_assert!(matches!(status, 400 | 401 | 503), "{status}");
            Ok(())
        })
        .unwrap();
    assert_eq!(sign_in(&server, "/authz", "alice", "hunter2").status, 200);
}

#[test]
fn it_says_when_it_is_ready_and_stops_when_told() {
    let server = Platform::new().serve();
    let answer = server.get("/healthz", &[]);
    assert_eq!((answer.status, answer.body.as_str()), (200, "ready\n"));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let platform = Platform::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let output = Command::new(env!("CARGO_BIN_EXE_dtaas"))
            .args(["auth", "serve", "--listen", address, "--htpasswd"])
            .arg(platform.path("auth"))
            .arg("--users")
            .arg(platform.path("users"))
            .arg("--sessions")
            .arg(platform.path("sessions"))
            .arg("--key-file")
            .arg(platform.path("key"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{address}");
        let talk = String::from_utf8(output.stderr).unwrap();
        assert!(
            talk.contains(&format!(
                "auth: {address} can be reached from other machines"
            )),
            "{talk}"
        );
    }
}
