//! Who may open what, through the gateway.

use serde_json::{Value, json};

use super::client::Request;
use super::deployment::Deployment;

/// Each of them opens their own workspace, the website and the library.
pub fn open(deployment: &Deployment, users: &[&str]) {
    for user in users {
        let lab = deployment.get(&format!("/{user}/lab")).by(user).send();
        assert_eq!(lab.status, 200, "{user}: {}", lab.body);
        assert!(lab.body.contains("jupyter-config-data"), "{}", lab.body);
        let base = format!(r#""baseUrl": "{}/{user}/""#, deployment.base);
        assert!(lab.body.contains(&base), "{}", lab.body);

        let page = deployment.get("/").by(user).send();
        assert_eq!(page.status, 200);
        assert!(page.body.contains("static/app.js"), "{}", page.body);
        for (path, kind) in [
            ("/static/app.js", "text/javascript; charset=utf-8"),
            ("/env.js", "text/javascript; charset=utf-8"),
            ("/whoami", "application/json"),
        ] {
            let answer = deployment.get(path).by(user).send();
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("content-type"), Some(kind), "{path}");
        }
        assert_eq!(whoami(deployment, user), *user);
        assert_eq!(
            listing(deployment, user, ""),
            json!({"trees": names(sorted(&[user, "common"])), "blobs": []})
        );
    }
    assert_eq!(deployment.get("/healthz").send().body, "OK");
    let scheme = if deployment.has_tls() {
        "https"
    } else {
        "http"
    };
    let env = deployment.get("/env.js").by(users[0]).send().body;
    let url = format!("REACT_APP_URL: '{scheme}://{}/'", deployment.host());
    assert!(env.contains(&url), "{env}");
}

/// The library shows a user what is theirs and what is everybody's.
pub fn library(deployment: &Deployment) {
    assert_eq!(
        listing(deployment, "alice", "alice/digital twins/incubator"),
        json!({"trees": ["lifecycle"], "blobs": ["README.md"]})
    );
    assert_eq!(
        listing(
            deployment,
            "alice",
            "alice/digital twins/incubator/lifecycle"
        ),
        json!({"trees": [], "blobs": ["clean", "create", "execute", "terminate"]})
    );
    assert_eq!(
        read(deployment, "alice", "alice/data/temperature.csv"),
        "second,celsius\n0,21.5\n1,21.7"
    );
    for user in ["alice", "bob"] {
        assert_eq!(read(deployment, user, "common/README.md"), "# For all");
    }
    for (user, path) in [
        ("bob", "alice/data/temperature.csv"),
        ("alice", "bob/data/secret.csv"),
        ("alice", "alice/../bob/data/secret.csv"),
    ] {
        let answer = ask(deployment, user, &reading(path));
        assert!(answer["errors"].is_array(), "{user} {path}: {answer}");
    }
}

/// Nothing but liveness answers anybody who does not sign in.
pub fn closed_without_credentials(deployment: &Deployment) {
    for path in [
        "/",
        "/env.js",
        "/whoami",
        "/static/app.js",
        "/nothing",
        "/lib",
        "/alice",
        "/alice/",
        "/alice/lab",
        "/alice/api/contents",
        "/bob/lab",
        "/alicex",
        "/healthz/",
        "/healthz/../alice/lab",
        "/%68ealthz/../alice/lab",
    ] {
        let answer = deployment.get(path).send();
        assert_eq!(answer.status, 401, "{path}: {}", answer.body);
        assert!(answer.header("www-authenticate").is_some(), "{path}");
        let wrong = deployment.get(path).by("nobody").status();
        // Whoever guesses on has to wait.
        assert!(matches!(wrong, 401 | 429), "{path}: {wrong}");
    }
    let query = deployment.post("/lib", &question(&reading("common/README.md")));
    assert_eq!(query.status(), 401);
}

/// Alice's workspace opens for alice alone, however it is asked for.
pub fn closed_to_others(deployment: &Deployment) {
    for (path, bobs, alices) in [
        ("/alice", 403, 302),
        ("/alice/", 403, 302),
        ("/alice?x", 403, 302),
        ("/alice/lab", 403, 200),
        ("/alice/api/contents", 403, 200),
        // What stands for the same address gets the same answer.
        ("//alice/lab", 403, 200),
        ("/./alice/lab", 403, 200),
        ("/%61lice/lab", 403, 200),
        ("/bob/../alice/lab", 403, 200),
        ("/lib/../alice/lab", 403, 200),
        ("/bob/%2e%2e/alice/lab", 403, 200),
        ("/alice/../bob/lab", 200, 403),
        // What stands for something in bob's workspace is not there.
        ("/bob/..%2falice/lab", 404, 403),
        ("/bob/..%5calice/lab", 404, 403),
        // What only resembles it is nothing at all.
        ("/alicex", 404, 404),
        ("/ALICE/lab", 404, 404),
        ("/alice;x/lab", 404, 404),
        ("/alice%2flab", 404, 404),
        ("/alice%00/lab", 404, 404),
    ] {
        let bob = deployment.get(path).by("bob").send();
        assert_eq!(bob.status, bobs, "{path}: {}", bob.body);
        let other = format!("{}/alice/", deployment.base);
        assert!(!bob.body.contains(&other), "{path}: {}", bob.body);
        assert_eq!(deployment.get(path).by("alice").status(), alices, "{path}");
    }
}

/// Names that a visitor gives themself are not believed.
pub fn forged_names_count_for_nothing(deployment: &Deployment) {
    let forged: [&[(&str, &str)]; 9] = [
        &[("X-Forwarded-User", "bob")],
        &[("x-forwarded-user", "bob")],
        &[("X_Forwarded_User", "bob")],
        &[
            ("X-Forwarded_User", "bob"),
            ("X_Forwarded_Groups", "admins"),
        ],
        &[("X-Forwarded-User", "bob"), ("X-Forwarded-User", "bob")],
        &[("X-Dtaas-Gateway", "guess"), ("X-Forwarded-User", "bob")],
        &[
            ("X_Dtaas_Gateway", "guess"),
            ("X-Forwarded-Groups", "admins"),
        ],
        &[
            ("Connection", "close, X-Forwarded-User"),
            ("X-Forwarded-User", "bob"),
        ],
        &[
            (
                "Connection",
                "close, X-Forwarded-User, X-Dtaas-Gateway, Authorization",
            ),
            ("X-Forwarded-User", "bob"),
            ("X_Forwarded_User", "bob"),
        ],
    ];
    for headers in forged {
        let forge = |request: Request<'_>| {
            let mut request = request;
            for (name, value) in headers {
                request = request.with(name, value);
            }
            request.send()
        };
        let ask = |path: &str| deployment.post("/lib", &question(&reading(path)));
        for path in ["/", "/whoami", "/alice/lab", "/bob/lab"] {
            assert_eq!(
                forge(deployment.get(path)).status,
                401,
                "{path} {headers:?}"
            );
        }
        assert_eq!(forge(ask("bob/data/secret.csv")).status, 401, "{headers:?}");
        // Headers that `Connection` names may get lost on the way, credentials too.
        let bobs = forge(deployment.get("/bob/lab").by("alice")).status;
        assert!(matches!(bobs, 401 | 403), "{bobs} {headers:?}");
        // Known as herself, or as nobody; never as bob.
        let known = forge(deployment.get("/whoami").by("alice")).body;
        assert!(
            !known.contains("bob") && !known.contains("admins"),
            "{headers:?}: {known}"
        );
        let bobs = forge(ask("bob/data/secret.csv").by("alice")).body;
        assert!(!bobs.contains("only,bob"), "{headers:?}: {bobs}");
    }
}

/// Outside of the base path there is nothing, not even a place to sign in.
pub fn nothing_outside(deployment: &Deployment) {
    for path in ["/", "/lib", "/alice/lab", "/healthz", "/env.js", "/dtaasx/"] {
        for request in [deployment.get(""), deployment.get("").by("alice")] {
            assert_eq!(request.at(path).status(), 404, "{path}");
        }
    }
    let page = deployment.get("").by("alice").send();
    assert_eq!(
        (page.status, page.header("location")),
        (308, Some("/dtaas/"))
    );
}

/// Without TLS there is nothing but the way to https.
pub fn redirect(deployment: &Deployment) {
    for path in ["/", "/alice/lab", "/lib", "/env.js"] {
        let answer = deployment.get(path).by("alice").send_to_http();
        assert!(
            matches!(answer.status, 301 | 308),
            "{path}: {}",
            answer.status
        );
        let there = format!("https://{}{}{path}", deployment.host(), deployment.base);
        assert_eq!(answer.header("location"), Some(there.as_str()));
    }
}

/// Whom the website greets.
pub fn whoami(deployment: &Deployment, user: &str) -> String {
    let answer = deployment.get("/whoami").by(user).send();
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    answer["user"].as_str().unwrap_or_default().to_owned()
}

/// What is in a folder of the library, as the user sees it.
fn listing(deployment: &Deployment, user: &str, path: &str) -> Value {
    let query = format!(
        r#"{{ listDirectory(path: "{path}") {{ repository {{ tree {{
            trees {{ edges {{ node {{ name }} }} }} blobs {{ edges {{ node {{ name }} }} }} }} }} }} }}"#
    );
    let tree = ask(deployment, user, &query)["data"]["listDirectory"]["repository"]["tree"].take();
    let all = |kind: &str| {
        let edges = tree[kind]["edges"].as_array().unwrap();
        edges
            .iter()
            .map(|edge| edge["node"]["name"].clone())
            .collect::<Vec<_>>()
    };
    json!({"trees": all("trees"), "blobs": all("blobs")})
}

fn read(deployment: &Deployment, user: &str, path: &str) -> String {
    let answer = ask(deployment, user, &reading(path));
    let node = &answer["data"]["readFile"]["repository"]["blobs"]["nodes"][0];
    node["rawTextBlob"].as_str().unwrap_or_default().to_owned()
}

fn reading(path: &str) -> String {
    format!(
        r#"{{ readFile(path: "{path}") {{ repository {{ blobs {{ nodes {{ rawTextBlob }} }} }} }} }}"#
    )
}

fn question(query: &str) -> String {
    json!({ "query": query }).to_string()
}

fn ask(deployment: &Deployment, user: &str, query: &str) -> Value {
    let answer = deployment.post("/lib", &question(query)).by(user).send();
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn sorted<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

fn names(names: Vec<&str>) -> Value {
    names.into()
}
