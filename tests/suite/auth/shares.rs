//! What is shared with people who have no account.

use std::fs;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dtaas::auth::shares::{self, Wanted};
use tokio::net::TcpListener;

use super::fixture::Platform;
use super::sessions::cookie;
use super::sockets::{Echo, ends, open, says_back};
use crate::loopback::{Answer, Server};

/// A small web program in a workspace, and what it was asked.
struct Program {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Program {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        let app = Router::new().fallback(async move |request: Request| {
            let uri = request.uri().clone();
            kept.lock()
                .unwrap()
                .push(format!("{uri} {:?}", request.headers()));
            match uri.path() {
                "/login" => (StatusCode::FOUND, [("location", "/welcome")]).into_response(),
                path => {
                    let headers = [
                        ("set-cookie", "dtaas-session-foo=forged; Path=/"),
                        ("clear-site-data", "\"cookies\""),
                        ("www-authenticate", "Basic realm=\"DTaaS\""),
                        ("nel", "{}"),
                        ("report-to", "{}"),
                        ("reporting-endpoints", "a=\"https://evil.example\""),
                        ("alt-svc", "h3=\":443\""),
                        ("accept-ch", "Sec-CH-UA-Model"),
                        ("set-login", "logged-out"),
                        ("content-security-policy", "default-src 'self'"),
                        ("access-control-allow-credentials", "true"),
                    ];
                    (headers, format!("twin at {path}")).into_response()
                }
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { port, heads }
    }
}

fn now() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    since.as_secs()
}

fn platform() -> Platform {
    Platform::new()
        .with(
            "alice",
            "hunter2",
            r#"{"groups":[],"workspace":"127.0.0.1:9"}"#,
        )
        .with("bob", "hunter3", r#"{"groups":[]}"#)
}

/// Shares a port of alice's; gives the token.
fn share(platform: &Platform, name: &str, port: u16, public: bool) -> String {
    let wanted = Wanted {
        name: name.parse().unwrap(),
        port,
        public,
        days: 1,
    };
    let directory = platform.path("shares");
    let made = shares::add(&directory, &"alice".parse().unwrap(), wanted, now());
    made.unwrap()
        .1
        .map_or_else(String::new, |token| token.expose().to_owned())
}

fn visit(server: &Server, path: &str, more: &[(&str, &str)]) -> Answer {
    let tls = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", "192.0.2.7"),
    ];
    server.get(path, &[&tls[..], more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_token_comes_in_and_nobody_else() {
    let platform = platform();
    let program = Program::start().await;
    let token = share(&platform, "twin", program.port, false);
    let server = platform.serve();
    let alice = cookie(&server, "alice", "hunter2");

    // The link leads to an address that holds the token, where the program's own relative addresses carry it on.
    let answer = visit(
        &server,
        &format!("/alice/services/twin/?a=b&token={token}"),
        &[],
    );
    let inside = format!("/alice/services/twin/~{token}/");
    assert_eq!(answer.status, 303);
    assert_eq!(
        answer.header("location"),
        Some(format!("{inside}?a=b").as_str())
    );
    let answer = visit(&server, &format!("{inside}deep/page?x=1"), &[]);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "twin at /deep/page")
    );
    let bearer = format!("Bearer {token}");
    let answer = visit(
        &server,
        "/alice/services/twin/",
        &[("Authorization", &bearer)],
    );
    assert_eq!((answer.status, answer.body.as_str()), (200, "twin at /"));

    let other = share(&platform, "other", program.port, false);
    for path in [
        "/alice/services/twin/".to_owned(),
        "/alice/services/twin/?token=".to_owned(),
        format!("/alice/services/twin/?token={other}"),
        format!("/alice/services/twin/~{other}/"),
        format!("/alice/services/twin/~{}/", &token[1..]),
        "/alice/services/twin/~/".to_owned(),
    ] {
        for headers in [vec![], vec![("Cookie", alice.as_str())]] {
            let answer = visit(&server, &path, &headers);
            assert_eq!(answer.status, 401, "{path}");
        }
    }
    for path in [
        format!("/bob/services/twin/~{token}/"),
        format!("/alice/services/elsewhere/~{token}/"),
        format!("/alice/services/twin%2F~{token}/"),
    ] {
        assert_eq!(visit(&server, &path, &[]).status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_visitor_goes_in_and_nothing_for_the_platform_comes_out() {
    let platform = platform();
    let program = Program::start().await;
    share(&platform, "open", program.port, true);
    let server = platform.serve();
    let alice = format!("theme=dark; {}", cookie(&server, "alice", "hunter2"));
    let basic = super::fixture::basic("bob", "hunter3");
    let visitor = [
        ("Cookie", alice.as_str()),
        ("Authorization", &basic),
        ("Origin", "null"),
    ];
    let answer = visit(&server, "/alice/services/open/", &visitor);
    assert_eq!(answer.status, 200);
    let head = program.heads.lock().unwrap().pop().unwrap();
    for kept in ["cookie", "authorization", "theme", "hunter"] {
        assert!(!head.contains(kept), "{kept} in {head}");
    }
    assert!(
        head.contains(r#""x-forwarded-prefix": "/alice/services/open""#),
        "{head}"
    );
    assert!(head.contains(r#""origin": "https://test""#), "{head}");
    // Its pages are nobody's: they can act as no user of the platform.
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("sandbox allow-scripts "), "{policy}");
    assert!(!policy.contains("allow-same-origin"), "{policy}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    for none in [
        "set-cookie",
        "clear-site-data",
        "access-control-allow-credentials",
    ] {
        assert_eq!(answer.header(none), None);
    }
    // Where it sends somebody on, that is below its own address.
    let answer = visit(&server, "/alice/services/open/login", &[]);
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, Some("/alice/services/open/welcome"))
    );
    let answer = visit(&server, "/alice/services/open", &[]);
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some("/alice/services/open/"))
    );
    // What was asked for comes along.
    let answer = visit(&server, "/alice/services/open?x=1&y=%20", &[]);
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some("/alice/services/open/?x=1&y=%20"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_browsers_send_by_themselves_stays_here_and_a_program_asks_for_no_password() {
    let platform = platform();
    let program = Program::start().await;
    share(&platform, "open", program.port, true);
    let server = platform.serve();
    let seen = |headers: &[(&str, &str)]| {
        let answer = visit(&server, "/alice/services/open/", headers);
        assert_eq!(answer.status, 200);
        for none in [
            "www-authenticate",
            "nel",
            "report-to",
            "reporting-endpoints",
            "alt-svc",
            "accept-ch",
            "set-login",
        ] {
            assert_eq!(answer.header(none), None);
        }
        program.heads.lock().unwrap().pop().unwrap()
    };
    for sent in [
        "Negotiate YII=",
        "Digest username=\"alice\"",
        "BASIC YTpi",
        "x",
    ] {
        let head = seen(&[("Authorization", sent)]);
        assert!(!head.contains("authorization"), "{head}");
    }
    let twice = [
        ("Authorization", "Bearer a"),
        ("Authorization", "Basic YTpi"),
    ];
    let head = seen(&twice);
    assert!(!head.contains("authorization"), "{head}");
    // A page's own token is for its program; another site's page does not pass for the program's.
    let head = seen(&[("Authorization", "Bearer a")]);
    assert!(head.contains(r#""authorization": "Bearer a""#), "{head}");
    let head = seen(&[("Origin", "https://evil.example")]);
    assert!(
        head.contains(r#""origin": "https://evil.example""#),
        "{head}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_told_and_ends_nothing() {
    let platform = platform();
    let echo = Echo::start().await;
    share(&platform, "live", echo.address.port(), true);
    let server = platform.serve();
    let mut socket = open(&server, "/alice/services/live/", &[]).await.unwrap();
    let fine = fs::read_to_string(platform.path("shares/alice.json")).unwrap();
    platform.replace("shares/alice.json", "[{");
    assert_eq!(visit(&server, "/alice/services/live/", &[]).status, 500);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    says_back(&mut socket, "still here").await;
    platform.replace("shares/alice.json", &fine);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    says_back(&mut socket, "still here").await;
    platform.replace("shares/alice.json", "[]");
    ends(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shared_no_more_is_gone_at_once() {
    let platform = platform();
    let echo = Echo::start().await;
    let port = echo.address.port();
    let token = share(&platform, "live", port, false);
    let server = platform.serve();
    let path = format!("/alice/services/live/~{token}/socket");
    let mut socket = open(&server, &path, &[]).await.unwrap();
    says_back(&mut socket, "here").await;
    assert_eq!(
        open(&server, "/alice/services/live/socket", &[])
            .await
            .err(),
        Some(401)
    );
    shares::remove(
        &platform.path("shares"),
        &"alice".parse().unwrap(),
        &"live".parse().unwrap(),
        now(),
    )
    .unwrap();
    ends(&mut socket).await;
    assert_eq!(visit(&server, &path, &[]).status, 404);

    // One that is made anew has another token; one whose user is shut out is closed; signing out has nothing to do with it.
    assert_ne!(share(&platform, "live", port, false), token);
    assert_eq!(visit(&server, &path, &[]).status, 401);
    share(&platform, "open", port, true);
    let mut socket = open(&server, "/alice/services/open/", &[]).await.unwrap();
    let alice = cookie(&server, "alice", "hunter2");
    let headers = [("X-Forwarded-Proto", "https"), ("Cookie", alice.as_str())];
    assert_eq!(server.ask("POST", "/account/signout", &headers).status, 204);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    says_back(&mut socket, "still here").await;
    fs::remove_file(platform.path("users/alice.json")).unwrap();
    ends(&mut socket).await;
    assert_eq!(visit(&server, "/alice/services/open/", &[]).status, 404);
}

#[test]
fn a_program_that_does_not_run_is_told_and_one_that_has_ended_is_closed() {
    let platform = platform();
    share(&platform, "down", 1, true);
    let ended = r#"[{"name":"old","port":5000,"token":null,"until":1700000000}]"#;
    let server = platform.serve();
    let answer = visit(&server, "/alice/services/down/", &[]);
    assert_eq!(answer.status, 502);
    assert!(
        answer.body.contains("listen on all addresses (0.0.0.0)"),
        "{}",
        answer.body
    );
    platform.replace("shares/alice.json", ended);
    assert_eq!(visit(&server, "/alice/services/old/", &[]).status, 404);
}
