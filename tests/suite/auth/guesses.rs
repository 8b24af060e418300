//! Guessing passwords.

use super::fixture::{Platform, basic};
use super::sessions::{cookie, sign_in};

#[test]
fn guesses_are_slowed_down_for_that_user_from_there_alone() {
    let platform = Platform::new()
        .with("alice", "hunter2", r#"{"groups":[]}"#)
        .with("bob", "hunter3", r#"{"groups":[]}"#);
    let server = platform.serve();
    let from = |address: &str, user: &str, password: &str| {
        let credentials = basic(user, password);
        let headers = [
            ("Authorization", credentials.as_str()),
            ("X-Forwarded-For", address),
        ];
        let answer = server.get("/authz", &headers);
        (
            answer.status,
            answer.header("retry-after").map(str::to_owned),
        )
    };
    let (here, elsewhere) = ("192.0.2.1", "192.0.2.2");
    for guess in 0..5 {
        assert_eq!(from(here, "alice", &format!("guess {guess}")).0, 401);
    }
    // From here on even the right one has to wait,
    let (status, later) = from(here, "alice", "hunter2");
    assert_eq!(status, 429);
    assert_eq!(later.as_deref(), Some("1"));
    // for alice from here: not for others, and not for her from elsewhere.
    assert_eq!(from(here, "bob", "hunter3").0, 200);
    assert_eq!(from(elsewhere, "alice", "hunter2").0, 200);
    // A user who does not exist is slowed down alike.
    for guess in 0..5 {
        assert_eq!(from(here, "nobody", &format!("guess {guess}")).0, 401);
    }
    assert_eq!(from(here, "nobody", "hunter2").0, 429);
}

#[test]
fn the_page_says_how_long_to_wait_and_who_is_signed_in_stays_so() {
    let platform = Platform::new().with("alice", "hunter2", r#"{"groups":[]}"#);
    let server = platform.serve();
    let alice = cookie(&server, "alice", "hunter2");
    for guess in 0..5 {
        let answer = sign_in(&server, &format!("user=alice&password=guess{guess}"));
        assert_eq!(answer.status, 401);
        assert!(answer.body.contains("value=\"alice\""), "the name is kept");
        assert!(!answer.body.contains("guess"), "the password is not");
    }
    let answer = sign_in(&server, "user=alice&password=hunter2");
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("1"))
    );
    assert!(answer.body.contains("Try again in 1 s."), "{}", answer.body);
    let answer = super::sessions::asks(&server, "/authz/alice", &alice, &[]);
    assert_eq!(answer.status, 200);
}
