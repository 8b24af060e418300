//! Who is answered at which address of the auth process.

use std::fs;

use super::fixture::{Platform, basic};

const PROVED: (&str, &str) = ("X-Dtaas-Gateway", "s3cret");

#[test]
fn only_the_gateway_is_answered() {
    let platform = Platform::new().with("alice", "hunter2", r#"{"groups":[]}"#);
    fs::write(platform.path("gateway"), "s3cret\n").unwrap();
    let secret = platform.path("gateway");
    let server = platform.serve_with(&["--gateway-secret-file", secret.to_str().unwrap()]);
    assert_eq!(server.get("/healthz", &[]).status, 200);
    let alice = ("Authorization", &*basic("alice", "hunter2"));
    for path in [
        "/authz",
        "/authz/alice",
        "/signin",
        "/account/me",
        "/alice/services/x/",
    ] {
        for shown in [None, Some("s3cre"), Some("")] {
            let proof = shown.map(|shown| ("X-Dtaas-Gateway", shown));
            let headers: Vec<_> = proof.into_iter().chain([alice]).collect();
            let answer = server.get(path, &headers);
            assert_eq!(answer.status, 403, "{path}");
            assert_eq!(answer.body, "Only the gateway is answered here.\n");
        }
    }
    for path in ["/authz", "/authz/alice", "/signin", "/account/me"] {
        let answer = server.get(path, &[PROVED, alice]);
        assert_eq!(answer.status, 200, "{path}");
        // What the answer leaves out the gateway takes from the request.
        assert_eq!(answer.header("x-dtaas-gateway"), None);
    }
}

#[test]
fn visitors_requests_lead_to_pages_and_to_no_question() {
    let platform = Platform::new().with("alice", "hunter2", r#"{"groups":[]}"#);
    let server = platform.serve_with(&["--listen-tls", "127.0.0.2:0"]);
    let alice = ("Authorization", &*basic("alice", "hunter2"));
    for path in ["/authz", "/authz/alice", "/vis"] {
        assert_eq!(server.get(path, &[alice]).status, 404, "{path}");
        let socket = [alice, ("Connection", "upgrade"), ("Upgrade", "websocket")];
        let answer = server.get(path, &socket);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("x-forwarded-user"), None);
    }
    assert_eq!(server.get("/signin", &[]).status, 200);
}
