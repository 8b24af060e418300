//! What users do with their own account.

use std::fs;

use serde_json::{Value, json};

use super::fixture::Platform;
use super::sessions::{asks, cookie};
use crate::loopback::{Answer, Server};

const JSON: &str = "application/json";

fn platform() -> Platform {
    Platform::new()
        .with(
            "alice",
            "hunter2",
            r#"{"groups":["publishers"],"workspace":"127.0.0.1:9"}"#,
        )
        .with("bob", "hunter3", r#"{"groups":[]}"#)
}

fn post(server: &Server, path: &str, cookie: &str, body: Value) -> Answer {
    send(server, "POST", path, cookie, &body.to_string())
}

fn send(server: &Server, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
    let headers = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", "192.0.2.7"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Cookie", cookie),
    ];
    server.give(method, path, &headers, JSON, body)
}

fn said(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}", answer.body))
}

#[test]
fn a_user_is_told_who_it_is() {
    let platform = platform();
    let server = platform.serve();
    let alice = cookie(&server, "alice", "hunter2");
    let answer = asks(&server, "/account/me", &alice, &[]);
    let me = said(&answer);
    assert_eq!(
        (me["user"].as_str(), &me["groups"]),
        (Some("alice"), &json!(["publishers"]))
    );
    assert!(me["until"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = asks(
        &server,
        "/account/me",
        "x=y",
        &[("Sec-Fetch-Mode", "navigate")],
    );
    assert_eq!(
        (answer.status, said(&answer)),
        (401, json!({"error": "Sign in."}))
    );
    for (method, path, status) in [
        ("POST", "/account/me", 405),
        ("GET", "/account/signout", 405),
        ("GET", "/account/elsewhere", 404),
        ("GET", "/account/", 404),
    ] {
        let answer = send(&server, method, path, &alice, "");
        assert_eq!(answer.status, status, "{path}");
    }
}

#[test]
fn a_password_is_changed_by_whoever_knows_it() {
    let platform = platform();
    let server = platform.serve();
    let (here, there) = (
        cookie(&server, "alice", "hunter2"),
        cookie(&server, "alice", "hunter2"),
    );
    let change = |current: &str, new: &str| {
        post(
            &server,
            "/account/password",
            &here,
            json!({"current": current, "new": new}),
        )
    };
    let before = fs::read_to_string(platform.path("auth/alice")).unwrap();
    let answer = change("guess", "correct horse");
    assert_eq!(answer.status, 403);
    assert_eq!(said(&answer)["error"], "That is not your current password.");
    let answer = change("hunter2", "");
    assert_eq!(
        (answer.status, &said(&answer)["error"]),
        (422, &json!("Choose another one: the password is empty."))
    );
    assert_eq!(change("hunter2", &"x".repeat(73)).status, 422);
    for body in [
        "",
        "{}",
        r#"{"current":"hunter2"}"#,
        "[]",
        r#"{"current":1,"new":"x"}"#,
    ] {
        assert_eq!(
            send(&server, "POST", "/account/password", &here, body).status,
            400,
            "{body}"
        );
    }
    assert_eq!(
        fs::read_to_string(platform.path("auth/alice")).unwrap(),
        before
    );

    // Given the right one, whoever changed it stays signed in here, and is signed out everywhere else.
    let answer = change("hunter2", "correct horse");
    assert_eq!(answer.status, 204);
    let new = answer
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    assert_eq!(asks(&server, "/authz/alice", new, &[]).status, 200);
    for ended in [&here, &there] {
        assert_eq!(asks(&server, "/authz/alice", ended, &[]).status, 401);
    }
    cookie(&server, "alice", "correct%20horse");
    let mode =
        std::os::unix::fs::MetadataExt::mode(&fs::metadata(platform.path("auth/alice")).unwrap());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn credentials_are_shown_to_whoever_knows_the_password() {
    let platform = platform();
    let server = platform.serve();
    let alice = cookie(&server, "alice", "hunter2");
    let show = |current: &str| {
        post(
            &server,
            "/account/credentials",
            &alice,
            json!({"current": current}),
        )
    };
    assert_eq!(show("hunter2").status, 404);
    fs::create_dir(platform.path("credentials/alice")).unwrap();
    let text = "# The services.\nMQTT_HOST='services.foo.com'\nMQTT_PASSWORD='p=w'\n";
    fs::write(platform.path("credentials/alice/services.env"), text).unwrap();
    assert_eq!(show("guess").status, 403);
    assert_eq!(
        said(&show("hunter2")),
        json!({"variables": [
            {"name": "MQTT_HOST", "value": "services.foo.com"},
            {"name": "MQTT_PASSWORD", "value": "p=w"},
        ]})
    );
}

#[test]
fn what_a_user_shares_is_made_listed_and_ended() {
    let platform = platform();
    let server = platform.serve();
    let alice = cookie(&server, "alice", "hunter2");
    let share = |body: Value| post(&server, "/account/shares", &alice, body);
    let twin =
        |current: &str| share(json!({"name": "twin", "port": 5000, "days": 7, "current": current}));
    assert_eq!(twin("guess").status, 403);
    let answer = twin("hunter2");
    assert_eq!(answer.status, 201, "{}", answer.body);
    let made = said(&answer);
    let link = made["link"].as_str().unwrap();
    assert!(
        link.starts_with("https://test/alice/services/twin/?token="),
        "{link}"
    );
    assert_eq!(twin("hunter2").status, 409);
    for (name, port, days) in [
        ("Twin", 5000, 7),
        ("x", 8080, 7),
        ("x", 0, 7),
        ("x", 5000, 0),
        ("x", 5000, 400),
    ] {
        let answer = share(json!({"name": name, "port": port, "days": days, "current": "hunter2"}));
        assert_eq!(answer.status, 422, "{name} {port} {days}");
    }
    let listed = said(&asks(&server, "/account/shares", &alice, &[]));
    let [one] = listed["shares"].as_array().unwrap().as_slice() else {
        panic!("{listed}")
    };
    assert_eq!(
        (&one["name"], &one["port"], &one["public"]),
        (&json!("twin"), &json!(5000), &json!(false))
    );
    assert_eq!(one["url"], "/alice/services/twin/");
    assert!(one.get("link").is_none());

    // Nobody sees or ends another's.
    let bob = cookie(&server, "bob", "hunter3");
    assert_eq!(
        said(&asks(&server, "/account/shares", &bob, &[])),
        json!({"shares": []})
    );
    assert_eq!(
        send(&server, "DELETE", "/account/shares/twin", &bob, "").status,
        404
    );
    assert_eq!(
        send(&server, "DELETE", "/account/shares/twin", &alice, "").status,
        204
    );
    assert_eq!(
        said(&asks(&server, "/account/shares", &alice, &[])),
        json!({"shares": []})
    );
}
