//! Signing in on the page, and what the cookie is worth.

use std::fs;

use super::fixture::{Platform, basic, within_a_second};
use crate::loopback::{Answer, Server};

const FORM: &str = "application/x-www-form-urlencoded";
/// What the gateway says of a request that came to it over TLS.
const TLS: [(&str, &str); 3] = [
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "foo.com"),
    ("X-Forwarded-For", "192.0.2.7"),
];
/// What a browser says of a form on one of our own pages.
const OWN_PAGE: (&str, &str) = ("Sec-Fetch-Site", "same-origin");

fn platform() -> Platform {
    Platform::new()
        .with("alice", "hunter2", r#"{"groups":["publishers"]}"#)
        .with("bob", "hunter3", r#"{"groups":[]}"#)
}

pub fn sign_in(server: &Server, body: &str) -> Answer {
    let headers = [&TLS[..], &[OWN_PAGE]].concat();
    server.give("POST", "/signin", &headers, FORM, body)
}

/// The cookie of a user who has just signed in, as a browser sends it back.
pub fn cookie(server: &Server, user: &str, password: &str) -> String {
    let answer = sign_in(server, &format!("user={user}&password={password}&to=%2F"));
    assert_eq!(answer.status, 303, "{}", answer.body);
    let cookie = answer.header("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

pub fn asks(server: &Server, path: &str, cookie: &str, more: &[(&str, &str)]) -> Answer {
    let headers = [&TLS[..], &[("Cookie", cookie)], more].concat();
    server.get(path, &headers)
}

#[test]
fn a_cookie_of_any_letters_beside_ours_hides_it_not() {
    let platform = platform();
    let server = platform.serve();
    let cookies = format!("n=José; {}; _xsrf=2", cookie(&server, "alice", "hunter2"));
    let answer = asks(&server, "/authz/alice", &cookies, &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cookie"), Some("n=José; _xsrf=2"));
}

#[test]
fn a_long_address_leads_to_the_page_all_the_same() {
    let platform = platform();
    let server = platform.serve();
    let long = format!("/alice/lab?x={}", "/".repeat(5000));
    let page = [("Sec-Fetch-Mode", "navigate"), ("X-Forwarded-Uri", &long)];
    let answer = asks(&server, "/authz/alice", "x=y", &page);
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/signin"))
    );
}

#[test]
fn a_damaged_file_is_not_a_wrong_password() {
    let platform = platform();
    let server = platform.serve();
    platform.replace("sessions/alice", &"x".repeat(100));
    let answer = sign_in(&server, "user=alice&password=hunter2");
    assert_eq!(answer.status, 500);
    assert!(
        answer.body.contains("Tell your operator."),
        "{}",
        answer.body
    );
}

#[test]
fn people_are_led_to_the_page_and_back() {
    let platform = platform();
    let server = platform.serve();
    let page = [
        ("Sec-Fetch-Mode", "navigate"),
        ("X-Forwarded-Uri", "/alice/lab?a=b&c=%20"),
    ];
    let answer = asks(&server, "/authz/alice", "x=y", &page);
    assert_eq!(answer.status, 303);
    assert_eq!(
        answer.header("location"),
        Some("/signin?to=%2Falice%2Flab%3Fa%3Db%26c%3D%2520")
    );
    assert_eq!(answer.header("www-authenticate"), None);

    // The page holds the way back, and nothing of it can become part of the page.
    let answer = server.get(
        "/signin?to=%2Falice%2Flab%22%3E%3Cscript%3E{user}&user={to}",
        &TLS,
    );
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .body
            .contains("/alice/lab&quot;&gt;&lt;script&gt;{user}")
    );
    assert!(
        answer
            .header("content-security-policy")
            .unwrap()
            .contains("form-action 'self'")
    );
    assert_eq!(server.get("/signin/style.css", &TLS).status, 200);

    let answer = sign_in(
        &server,
        "user=alice&password=hunter2&to=%2Falice%2Flab%3Fa%3Db",
    );
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/alice/lab?a=b"))
    );
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-dtaas-session-foo="), "{cookie}");
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/"),
        "{cookie}"
    );

    // A page that fetches something is told no, without a password window; a program is asked for a password.
    let fetches = [
        ("Sec-Fetch-Mode", "cors"),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    let answer = asks(&server, "/authz", "x=y", &fetches);
    assert_eq!(
        (answer.status, answer.header("www-authenticate")),
        (401, None)
    );
    let answer = asks(&server, "/authz", "x=y", &[]);
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").is_some());
}

#[test]
fn nobody_is_led_elsewhere() {
    let platform = platform();
    for (base, to_the_page) in [("", "/"), ("lab/dtaas", "/lab/dtaas")] {
        let server = platform.serve_with(&["--base-path", base]);
        let page = if base.is_empty() {
            "/signin"
        } else {
            "/lab/dtaas/signin"
        };
        for to in [
            "",
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example",
            "/%5Cevil.example\\",
            "/%0d%0aSet-Cookie:%20a=b",
            "javascript:alert(1)",
            "/%09/evil.example",
            "evil",
        ] {
            let body = format!("user=alice&password=hunter2&to={to}");
            let headers = [&TLS[..], &[OWN_PAGE]].concat();
            let answer = server.give("POST", page, &headers, FORM, &body);
            assert_eq!(answer.status, 303, "{to}");
            assert_eq!(answer.header("location"), Some(to_the_page), "{to}");
        }
    }
}

#[test]
fn a_cookie_opens_what_is_its_users_and_no_more() {
    let platform = platform();
    let server = platform.serve();
    let alice = cookie(&server, "alice", "hunter2");
    let sent = format!("_xsrf=1; {alice}; theme=dark");
    for path in ["/authz", "/authz/alice"] {
        let answer = asks(&server, path, &sent, &[]);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-forwarded-user"), Some("alice"));
        assert_eq!(answer.header("x-forwarded-groups"), Some("publishers"));
        assert_eq!(answer.header("cookie"), Some("_xsrf=1; theme=dark"));
        assert_eq!(answer.header("set-cookie"), None);
    }
    assert_eq!(asks(&server, "/authz/bob", &alice, &[]).status, 403);
    let wrong = format!("{}x", &alice[..alice.len() - 1]);
    assert_eq!(asks(&server, "/authz/alice", &wrong, &[]).status, 401);
    // Another platform's key is another.
    fs::write(platform.path("key"), "something else\n").unwrap();
    assert_eq!(asks(&platform.serve(), "/authz", &alice, &[]).status, 401);
}

#[test]
fn another_page_gains_nothing_by_a_visitors_cookie() {
    let platform = platform();
    let server = platform.serve();
    let alice = cookie(&server, "alice", "hunter2");
    for more in [
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "cors")],
        [
            ("Sec-Fetch-Site", "same-site"),
            ("Sec-Fetch-Mode", "no-cors"),
        ],
        [("Origin", "null"), ("X-Forwarded-Method", "POST")],
        [("Origin", "https://evil.example"), ("Upgrade", "websocket")],
    ] {
        let answer = asks(&server, "/authz/alice", &alice, &more);
        assert_eq!(answer.status, 401, "{more:?}");
        let headers = [&TLS[..], &[("Cookie", alice.as_str())], &more].concat();
        let answer = server.give("POST", "/account/signout", &headers, "text/plain", "");
        assert_eq!(answer.status, 401, "{more:?}");
    }
    let elsewhere = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ];
    assert_eq!(
        asks(&server, "/authz/alice", &alice, &elsewhere).status,
        200
    );
    // Nor can one sign somebody in as somebody else.
    let headers = [&TLS[..], &[("Origin", "https://evil.example")]].concat();
    let body = "user=bob&password=hunter3";
    let answer = server.give("POST", "/signin", &headers, FORM, body);
    assert_eq!((answer.status, answer.header("set-cookie")), (403, None));
}

#[test]
fn a_session_ends_within_a_second_of_what_ends_it() {
    let platform = platform();
    let server = platform.serve();
    let status = |cookie: &str| asks(&server, "/authz/alice", cookie, &[]).status;

    let first = cookie(&server, "alice", "hunter2");
    let second = cookie(&server, "alice", "hunter2");
    let headers = [&TLS[..], &[("Cookie", first.as_str())]].concat();
    let answer = server.ask("POST", "/account/signout", &headers);
    assert_eq!(answer.status, 204);
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    for ended in [&first, &second] {
        within_a_second(401, || status(ended));
    }

    let third = cookie(&server, "alice", "hunter2");
    assert_eq!(status(&third), 200);
    platform.set_password("alice", "correct horse");
    within_a_second(401, || status(&third));

    let account = fs::read_to_string(platform.path("users/alice.json")).unwrap();
    let fourth = cookie(&server, "alice", "correct%20horse");
    fs::remove_file(platform.path("users/alice.json")).unwrap();
    within_a_second(401, || status(&fourth));
    platform.replace("users/alice.json", &account);
    within_a_second(200, || status(&fourth));

    // It does not end with the process.
    assert_eq!(
        asks(&platform.serve(), "/authz/alice", &fourth, &[]).status,
        200
    );
}

#[test]
fn without_tls_people_sign_in_on_this_machine_or_behind_a_proxy_that_is_named() {
    let platform = platform();
    let server = platform.serve_with(&["--trusted-proxy=10.0.0.1/32"]);
    let body = "user=alice&password=hunter2";
    let sent = |proto: &str, from: &str| {
        let headers = [
            ("X-Forwarded-Proto", proto),
            ("X-Forwarded-For", from),
            OWN_PAGE,
        ];
        let answer = server.give("POST", "/signin", &headers, FORM, body);
        (
            answer.status,
            answer.header("set-cookie").map(str::to_owned),
        )
    };
    assert_eq!(sent("http", "192.0.2.7"), (403, None));
    assert_eq!(sent("http", "192.0.2.7, 10.0.0.1"), (403, None));
    let (status, cookie) = sent("http", "127.0.0.1");
    let cookie = cookie.unwrap();
    assert_eq!(status, 303);
    assert!(cookie.starts_with("dtaas-session-foo="), "{cookie}");
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Lax; Path=/"),
        "{cookie}"
    );
    assert!(
        sent("https", "192.0.2.7, 10.0.0.1")
            .1
            .unwrap()
            .starts_with("__Host-")
    );
    let page = server.get("/signin", &[("X-Forwarded-For", "192.0.2.7")]);
    assert!(page.body.contains("not encrypted"), "{}", page.body);

    // Programs that send their password with each request go on as before.
    let headers = [
        ("X-Forwarded-For", "192.0.2.7"),
        ("Authorization", &basic("alice", "hunter2")),
    ];
    assert_eq!(server.get("/authz/alice", &headers).status, 200);
}

#[test]
fn a_form_that_is_none_is_refused() {
    let platform = platform();
    let server = platform.serve();
    let headers = [&TLS[..], &[OWN_PAGE]].concat();
    let long = format!("user=alice&password={}", "x".repeat(9000));
    for (kind, body) in [
        (
            "application/json",
            r#"{"user":"alice","password":"hunter2"}"#,
        ),
        ("text/plain", "user=alice&password=hunter2"),
        (FORM, long.as_str()),
    ] {
        let answer = server.give("POST", "/signin", &headers, kind, body);
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (400, None),
            "{kind}"
        );
    }
    for body in [
        "",
        "user=alice",
        "password=hunter2",
        "user=%2e%2e&password=x",
        "user=<b>&password=x",
    ] {
        let answer = server.give("POST", "/signin", &headers, FORM, body);
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (401, None),
            "{body}"
        );
        assert!(!answer.body.contains("<b>"));
    }
    assert_eq!(server.ask("DELETE", "/signin", &headers).status, 405);
    assert_eq!(server.get("/signin/x", &headers).status, 404);
}
