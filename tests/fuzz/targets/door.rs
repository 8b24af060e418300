//! Any request to the process that guards the platform: nobody comes in who does not know a password, and nothing breaks.

#![no_main]

use std::fs;
use std::sync::LazyLock;

use dtaas::auth::account::Account;
use dtaas::auth::asked::Front;
use dtaas::auth::door::router;
use dtaas::auth::endpoint::{Directories, Options};
use dtaas::secrets::Secret;
use dtaas_fuzz::served::{Server, bare_request};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static SERVED: LazyLock<(TempDir, Server)> = LazyLock::new(|| {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    for name in ["auth", "users", "sessions", "shares"] {
        fs::create_dir(path(name)).unwrap();
    }
    // Of a password that nobody knows; nothing listens at port 1.
    let entry = "alice:{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    fs::write(path("auth/alice"), entry).unwrap();
    let account = r#"{"groups":["publishers"],"workspace":"127.0.0.1:1"}"#;
    fs::write(path("users/alice.json"), account).unwrap();
    let shares = r#"[{"name":"twin","port":1,"token":"00","until":4000000000},
        {"name":"open","port":1,"token":null,"until":4000000000}]"#;
    fs::write(path("shares/alice.json"), shares).unwrap();
    let options = Options {
        directories: Directories {
            htpasswd: path("auth"),
            users: path("users"),
        },
        sessions: path("sessions"),
        key: Secret::new("a key that the fuzzer does not know"),
        platform: "foo".to_owned(),
        base_path: "".parse().unwrap(),
        realm: "foo".to_owned(),
        front: Front::Gateway(vec!["10.0.0.0/8".parse().unwrap()]),
        vis_key: None,
    };
    let account = Account {
        credentials: Some(path("users")),
        shares: Some(path("shares")),
    };
    let server = Server::of(|| router(options, account).unwrap());
    (place, server)
});

fuzz_target!(|data: &[u8]| {
    let Some(request) = bare_request(data) else {
        return;
    };
    let (place, server) = &*SERVED;
    let what = format!("{request:?}");
    let (status, answer) = server.answer(request);
    // Nobody listens where things lead to, and many who guess have to wait.
    let broken = status.is_server_error() && status != 502 && status != 503;
    assert!(!broken, "{status} for {what}");
    let text = String::from_utf8_lossy(&answer);
    for never in ["x-forwarded-user", "session-foo=ey", "publishers"] {
        assert!(!text.contains(never), "{never} for {what}");
    }
    let signed_out = fs::read_dir(place.path().join("sessions")).unwrap().next();
    assert!(signed_out.is_none(), "somebody was signed out by {what}");
});
