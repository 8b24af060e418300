use std::fs;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use proptest::prelude::*;

use super::*;
use crate::auth::asked::Front;

const NOW: u64 = 1_800_000_000;

/// Users' files in a directory, and sessions over them.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["auth", "users", "sessions"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let place = Self { directory };
        place.write("auth/alice", "alice:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=\n");
        place.write("users/alice.json", r#"{"groups":["publishers"]}"#);
        place.write("auth/bob", "bob:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=\n");
        place.write("users/bob.json", r#"{"groups":[]}"#);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn sessions(&self, key: &str) -> Sessions {
        let directories = Directories {
            htpasswd: self.path("auth"),
            users: self.path("users"),
        };
        Sessions::new(directories, self.path("sessions"), Secret::new(key), "foo")
    }
}

fn with_cookie(cookie: &str, secure: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
    let scheme = if secure { "https" } else { "http" };
    headers.insert("x-forwarded-proto", HeaderValue::from_static(scheme));
    headers
}

fn user_of(sessions: &Sessions, cookie: &str, now: u64) -> Option<String> {
    let headers = with_cookie(cookie, true);
    let asked = Front::Gateway(Vec::new()).about(&headers).with(&headers);
    sessions
        .shown(&asked, now)
        .map(|session| session.user.to_string())
}

impl<'a> Asked<'a> {
    /// Itself: the headers are named to say that they live as long.
    fn with(self, _: &'a HeaderMap) -> Self {
        self
    }
}

fn signed_in(sessions: &Sessions, user: &str, secure: bool) -> String {
    let headers = with_cookie("x=y", secure);
    let asked = Front::Gateway(Vec::new()).about(&headers).with(&headers);
    let user = user.parse().unwrap();
    sessions.open(&user).unwrap();
    let cookie = sessions.begin(&user, &asked, NOW);
    let cookie = cookie.unwrap().unwrap();
    cookie.to_str().unwrap().to_owned()
}

fn pair(cookie: &str) -> &str {
    cookie.split(';').next().unwrap()
}

#[test]
fn a_cookie_is_guarded_as_far_as_browsers_can() {
    let place = Place::new();
    let sessions = place.sessions("key");
    let cookie = signed_in(&sessions, "alice", true);
    assert!(
        cookie.starts_with("__Host-dtaas-session-foo=ey"),
        "{cookie}"
    );
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/"),
        "{cookie}"
    );
    let cookie = signed_in(&sessions, "alice", false);
    assert!(cookie.starts_with("dtaas-session-foo=ey"), "{cookie}");
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Lax; Path=/"),
        "{cookie}"
    );
    // What was given without TLS does not count with it.
    let plain = pair(&cookie).to_owned();
    assert_eq!(user_of(&sessions, &plain, NOW), None);
}

#[test]
fn a_session_ends_by_time_password_account_or_signing_out() {
    let place = Place::new();
    let sessions = place.sessions("key");
    let cookie = signed_in(&sessions, "alice", true);
    let cookie = pair(&cookie);
    let there = |now| user_of(&sessions, cookie, now).is_some();
    assert_eq!(user_of(&sessions, cookie, NOW).as_deref(), Some("alice"));
    assert!(there(NOW + IDLE - 1));
    assert!(!there(NOW + IDLE));

    place.write("users/alice.json", r#"{"groups":[]}"#);
    assert!(there(NOW));
    let gone = fs::read_to_string(place.path("users/alice.json")).unwrap();
    fs::remove_file(place.path("users/alice.json")).unwrap();
    assert!(!there(NOW));
    place.write("users/alice.json", &gone);
    assert!(there(NOW));

    sessions.end(&"bob".parse().unwrap()).unwrap();
    assert!(there(NOW));
    sessions.end(&"alice".parse().unwrap()).unwrap();
    assert!(!there(NOW));
    let cookie = signed_in(&sessions, "alice", true);
    let cookie = pair(&cookie);
    assert!(user_of(&sessions, cookie, NOW).is_some());
    place.write("auth/alice", "alice:{SHA}NWoZK3kTsExUV00Ywo1G5jlUKKs=\n");
    assert!(user_of(&sessions, cookie, NOW).is_none());
}

#[test]
fn one_that_is_used_is_renewed_but_not_for_ever() {
    let place = Place::new();
    let sessions = place.sessions("key");
    let mut cookie = signed_in(&sessions, "alice", true);
    let mut now = NOW;
    let mut renewals = 0;
    loop {
        let headers = with_cookie(pair(&cookie), true);
        let asked = Front::Gateway(Vec::new()).about(&headers).with(&headers);
        let Some(session) = sessions.shown(&asked, now) else {
            break;
        };
        assert!(session.until <= NOW + LONGEST);
        if let Some(renewed) = sessions.renewed(&session, &asked, now) {
            cookie = renewed.to_str().unwrap().to_owned();
            renewals += 1;
        }
        now += RENEWAL / 2;
    }
    assert_eq!(now, NOW + LONGEST);
    assert_eq!(renewals, LONGEST / RENEWAL - 1);
}

#[test]
fn what_we_have_not_signed_opens_nothing() {
    let place = Place::new();
    let sessions = place.sessions("key");
    let cookie = signed_in(&sessions, "alice", true);
    let cookie = pair(&cookie);
    assert_eq!(user_of(&place.sessions("another key"), cookie, NOW), None);

    let (name, token) = cookie.split_once('=').unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let [_, claims, signature] = parts[..] else {
        panic!("{token}")
    };
    // {"alg":"none"} and {"typ":"JWT","alg":"HS384"}
    let unsigned = "eyJhbGciOiJub25lIn0";
    let other = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzM4NCJ9";
    for forged in [
        format!("{unsigned}.{claims}."),
        format!("{unsigned}.{claims}.{signature}"),
        format!("{other}.{claims}.{signature}"),
        format!("{token}."),
        token.replace("eyJzdWIiOiJhbGljZS", "eyJzdWIiOiJib2IiLC"),
        String::new(),
        "x".repeat(5000),
    ] {
        assert_eq!(
            user_of(&sessions, &format!("{name}={forged}"), NOW),
            None,
            "{forged}"
        );
    }
    assert_eq!(
        user_of(&sessions, &format!("dtaas-session-foo={token}"), NOW),
        None
    );
    // One that is no good beside a good one does not hide it.
    assert!(user_of(&sessions, &format!("{name}=x; {cookie}"), NOW).is_some());
}

#[test]
fn a_user_who_was_shut_out_begins_anew() {
    let place = Place::new();
    let sessions = place.sessions("key");
    let cookie = signed_in(&sessions, "alice", true);
    let there = || user_of(&sessions, pair(&cookie), NOW).is_some();
    assert!(there());
    // Shutting a user out takes both away, and opening the account again gives back the account alone.
    let account = fs::read_to_string(place.path("users/alice.json")).unwrap();
    fs::remove_file(place.path("users/alice.json")).unwrap();
    fs::remove_file(place.path("sessions/alice")).unwrap();
    assert!(!there());
    place.write("users/alice.json", &account);
    assert!(!there());
    let new = signed_in(&sessions, "alice", true);
    assert!(user_of(&sessions, pair(&new), NOW).is_some());
    assert!(!there());
}

#[test]
fn a_file_that_cannot_be_read_is_not_an_account_that_is_closed() {
    let place = Place::new();
    let sessions = place.sessions("key");
    let alice = "alice".parse().unwrap();
    for (file, damaged) in [
        ("users/alice.json", "{"),
        ("auth/alice", "alice"),
        ("sessions/alice", &*"x".repeat(100)),
    ] {
        signed_in(&sessions, "alice", true);
        let fine = fs::read_to_string(place.path(file)).unwrap();
        place.write(file, damaged);
        assert_eq!(sessions.standing(&alice).err(), Some(Unreadable), "{file}");
        place.write(file, &fine);
        assert!(sessions.standing(&alice).unwrap().is_some());
    }
    assert!(
        sessions
            .standing(&"carol".parse().unwrap())
            .unwrap()
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_open_stays_until_something_ends_it() {
    let place = Place::new();
    let sessions = Arc::new(place.sessions("key"));
    let alice: UserName = "alice".parse().unwrap();
    let standing = sessions.standing(&alice).unwrap().unwrap();
    let mut over = Box::pin(Arc::clone(&sessions).over(alice.clone(), standing));
    let mut ends = async || tokio::time::timeout(GLANCE * 3, &mut over).await.is_ok();
    assert!(!ends().await);
    // The first signing in, other groups, and a file that cannot be read for a while end nothing.
    signed_in(&sessions, "alice", true);
    assert!(!ends().await);
    place.write("users/alice.json", "{");
    assert!(!ends().await);
    place.write("users/alice.json", r#"{"groups":[]}"#);
    assert!(!ends().await);
    sessions.end(&alice).unwrap();
    assert!(ends().await);
}

proptest! {
    #[test]
    fn no_cookie_header_brings_it_down_or_opens(text in "\\PC{0,200}", flip in 0usize..4000) {
        let place = Place::new();
        let sessions = place.sessions("key");
        let cookie = signed_in(&sessions, "alice", true);
        let cookie = pair(&cookie);
        if let Ok(value) = HeaderValue::from_str(&text) {
            let mut headers = with_cookie("x=y", true);
            headers.insert(COOKIE, value);
            let asked = Front::Gateway(Vec::new()).about(&headers).with(&headers);
            prop_assert!(sessions.shown(&asked, NOW).is_none());
        }
        // Whatever else is set beside it, it counts.
        let beside: String = text.chars().filter(|c| *c != ';').collect();
        for cookies in [format!("{beside}; {cookie}"), format!("{cookie};n={beside}; José=1")] {
            let user = user_of(&sessions, &cookies, NOW);
            prop_assert_eq!(user.as_deref(), Some("alice"));
        }
        // Any one letter of the token that is another makes it worthless.
        let (name, token) = cookie.split_once('=').unwrap();
        let mut letters = token.as_bytes().to_vec();
        let at = flip % (letters.len() - 1);
        letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(letters).unwrap();
        let forged = format!("{name}={changed}");
        prop_assert!(user_of(&sessions, &forged, NOW).is_none());
    }
}
