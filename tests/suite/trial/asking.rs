//! What a trial answers, and to whom.

use serde_json::json;

use crate::auth::fixture::basic;
use crate::library::fixture::{LIST, READ, Reply, client, names, question, text};

use super::fixture::Trial;

struct Visitor<'a> {
    trial: &'a Trial,
    key: String,
    claims: Vec<(&'static str, &'static str)>,
}

impl<'a> Visitor<'a> {
    fn of(trial: &'a Trial, user: &str) -> Self {
        Self {
            trial,
            key: trial.key_of(user),
            claims: Vec::new(),
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let request = request.header("Authorization", &self.key);
        let claim = |request: reqwest::RequestBuilder, &(name, value)| request.header(name, value);
        Reply::of(self.claims.iter().fold(request, claim)).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(client().get(format!("{}{path}", self.trial.url)))
            .await
    }

    async fn ask(&self, query: &str, path: &str) -> Reply {
        let body = question(query, json!({ "path": path }));
        let request = client().post(format!("{}lib", self.trial.url));
        self.send(
            request
                .header("Content-Type", "application/json")
                .body(body),
        )
        .await
    }
}

#[tokio::test]
async fn without_a_password_nothing_opens() {
    let temporary = tempfile::tempdir().unwrap();
    let trial = Trial::of_the_sample(temporary.path());
    for path in [
        "",
        "env.js",
        "whoami",
        "static/app.js",
        "lib",
        "lib/files/alice/README.md",
        "metrics",
        "readyz",
    ] {
        let url = format!("{}{path}", trial.url);
        let reply = Reply::of(client().get(&url)).await;
        assert_eq!(
            (reply.status, reply.text.as_str()),
            (401, "Sign in.\n"),
            "{path}"
        );
        assert_eq!(
            reply.headers["www-authenticate"],
            "Basic realm=\"DTaaS trial\", charset=\"UTF-8\""
        );
        let claimed = client().get(&url).header("X-Forwarded-User", "alice");
        assert_eq!(Reply::of(claimed).await.status, 401, "{path}");
    }
    for (user, password) in [("alice", "guess"), ("carol", "guess"), ("alice", "")] {
        let url = format!("{}whoami", trial.url);
        let wrong = client()
            .get(&url)
            .header("Authorization", basic(user, password));
        assert_eq!(Reply::of(wrong).await.status, 401, "{user}");
    }
}

#[tokio::test]
async fn a_user_gets_the_page_and_sees_their_own_library() {
    let temporary = tempfile::tempdir().unwrap();
    let trial = Trial::of_the_sample(temporary.path());
    let users: Vec<&str> = trial
        .passwords
        .iter()
        .map(|(user, _)| user.as_str())
        .collect();
    assert_eq!(users, ["alice", "bob"]);
    let alice = Visitor::of(&trial, "alice");

    let page = alice.get("").await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("<title>Digital Twins</title>"),
        "{}",
        page.text
    );
    assert_eq!(
        alice.get("whoami").await.text,
        r#"{"user":"alice","groups":[]}"#
    );
    assert_eq!(
        alice.get("env.js").await.text,
        "window.env = {\n  REACT_APP_ENVIRONMENT: 'prod',\n  REACT_APP_URL: '',\n  REACT_APP_URL_BASENAME: '',\n};\n"
    );

    assert_eq!(names(&alice.ask(LIST, "").await), "alice, common | ");
    assert_eq!(
        names(&alice.ask(LIST, "alice/digital twins/cup").await),
        "lifecycle | README.md, cup.conf, measured.csv"
    );
    assert_eq!(
        names(&alice.ask(LIST, "common").await),
        "data, digital twins, functions, models, tools | README.md"
    );
    let readme = text(&alice.ask(READ, "alice/README.md").await);
    assert!(readme.starts_with("# My library\n"), "{readme}");
    for path in ["bob", "bob/README.md", "alice/../bob", "auth", "files"] {
        assert_eq!(
            names(&alice.ask(LIST, path).await),
            "200 NOT_FOUND",
            "{path}"
        );
    }
    let bob = Visitor::of(&trial, "bob");
    assert_eq!(names(&bob.ask(LIST, "").await), "bob, common | ");
    assert_eq!(names(&bob.ask(LIST, "alice").await), "200 NOT_FOUND");
}

#[tokio::test]
async fn what_visitors_say_about_themselves_does_not_count() {
    let temporary = tempfile::tempdir().unwrap();
    let trial = Trial::of_the_sample(temporary.path());
    let liar = Visitor {
        claims: vec![
            ("X-Forwarded-User", "bob"),
            ("X-Forwarded-Groups", "publishers"),
            ("X-Dtaas-Gateway", "guess"),
            ("X-Forwarded-For", "192.0.2.1"),
        ],
        ..Visitor::of(&trial, "alice")
    };
    assert_eq!(
        liar.get("whoami").await.text,
        r#"{"user":"alice","groups":[]}"#
    );
    assert_eq!(names(&liar.ask(LIST, "").await), "alice, common | ");
    assert_eq!(names(&liar.ask(LIST, "bob").await), "200 NOT_FOUND");
}

#[tokio::test]
async fn metrics_and_health_are_not_for_visitors() {
    let temporary = tempfile::tempdir().unwrap();
    let trial = Trial::of_the_sample(temporary.path());
    let alice = Visitor::of(&trial, "alice");
    for path in ["metrics", "readyz", "lib/metrics", "library", "alice/lab"] {
        assert_eq!(alice.get(path).await.status, 404, "{path}");
    }
}

/// The programs of the sample's twin do what its README says, from the first phase to the last.
#[test]
fn the_samples_twin_lives_its_life() {
    let temporary = tempfile::tempdir().unwrap();
    let trial = Trial::of_the_sample(temporary.path());
    let place = super::fixture::names_in(temporary.path()).remove(0);
    let twin = temporary
        .path()
        .join(place)
        .join("files/alice/digital twins/cup");
    let phase = |name: &str| {
        let run = std::process::Command::new(twin.join("lifecycle").join(name)).output();
        let run = run.unwrap();
        assert!(run.status.success(), "{name}: {run:?}");
        String::from_utf8(run.stdout).unwrap()
    };
    for (name, said) in [
        ("create", "created run/\n"),
        ("execute", "simulated 30 minutes with rate 0.050\n"),
        ("analyze", "off by 3.79 degrees in the mean\n"),
        ("save", "saved as saved/1\n"),
        ("evolve", "rate is 0.060 from now on\n"),
        ("create", "created run/\n"),
        ("execute", "simulated 30 minutes with rate 0.060\n"),
        ("analyze", "off by 0.19 degrees in the mean\n"),
        ("save", "saved as saved/2\n"),
        ("terminate", "nothing is running\n"),
        ("clean", "removed run/\n"),
    ] {
        assert_eq!(phase(name), said, "{name}");
    }
    drop(trial);
}
