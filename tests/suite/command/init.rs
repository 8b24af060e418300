//! `init`: what it makes, what it refuses, and that it writes nothing then.

use std::os::unix::fs::PermissionsExt;

use dtaas::machine::lock::Lock;

use super::run::{Place, done, failed};

const MADE: &str = "The deployment is in DIR/d. Look at dtaas.yaml, then run `dtaas up`.\n";

#[test]
fn a_deployment_is_made_from_flags() {
    let place = Place::new();

    let ran = place.in_d("init --domain foo.com --users alice,bob");

    assert_eq!(
        (ran.code, ran.talk.as_str()),
        (
            0,
            format!("These passwords are shown this once.\n{MADE}").as_str()
        )
    );
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], "USER   PASSWORD");
    for (line, user) in lines[1..].iter().zip(["alice  ", "bob    "]) {
        let password = line.strip_prefix(user).unwrap();
        assert!(
            password.len() == 16 && password.chars().all(|c| c.is_ascii_alphanumeric()),
            "{line}"
        );
    }
    assert_eq!(lines.len(), 3);
    assert_eq!(
        place.modes("d"),
        "600 .lock\n\
         700 auth/\n\
         600 auth/alice\n\
         600 auth/bob\n\
         755 config/\n\
         755 config/auth/\n\
         644 config/auth/alice.json\n\
         644 config/auth/bob.json\n\
         755 config/client/\n\
         644 config/client/env.js\n\
         755 config/gateway/\n\
         600 config/gateway/auth\n\
         700 config/gateway/dynamic/\n\
         600 config/gateway/dynamic/platform.yml\n\
         644 config/gateway/dynamic/tls.yml\n\
         644 config/gateway/dynamic/user-alice.yml\n\
         644 config/gateway/dynamic/user-bob.yml\n\
         755 config/gateway/static/\n\
         644 config/gateway/static/traefik.yml\n\
         700 config/gateway/tls/\n\
         644 config/gateway/tls/cert.pem\n\
         600 config/gateway/tls/key.pem\n\
         644 config/lib.env\n\
         755 config/library/\n\
         400 config/library/gateway-secret\n\
         700 config/session/\n\
         600 config/session/gateway\n\
         600 config/session/key\n\
         755 config/website/\n\
         400 config/website/gateway-secret\n\
         755 data/\n\
         644 dtaas.yaml\n\
         700 secrets/\n\
         600 secrets/gateway\n\
         600 secrets/grafana\n\
         600 secrets/hash-key\n\
         600 secrets/influxdb\n\
         600 secrets/rabbitmq\n\
         700 secrets/tls/\n\
         600 secrets/tls/authority.key\n\
         600 secrets/tls/authority.pem\n\
         600 secrets/tls/cert.pem\n\
         600 secrets/tls/key.pem\n\
         600 secrets/vnc-password\n\
         700 sessions/\n\
         700 shares/\n\
         755 users/\n\
         644 users/alice.yaml\n\
         644 users/bob.yaml"
    );
    let folders: Vec<String> = place.tree("d/files").into_keys().collect();
    assert_eq!(
        folders,
        [
            "alice/",
            "alice/common/",
            "alice/data/",
            "alice/digital twins/",
            "alice/functions/",
            "alice/models/",
            "alice/tools/",
            "bob/",
            "bob/common/",
            "bob/data/",
            "bob/digital twins/",
            "bob/functions/",
            "bob/models/",
            "bob/tools/",
            "common/",
            "common/data/",
            "common/digital twins/",
            "common/functions/",
            "common/models/",
            "common/tools/",
        ]
    );
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    let place = Place::with_deployment();
    let other = Place::new();
    let mut shell = std::process::Command::new("sh");
    shell
        .current_dir(other.path(""))
        .args(["-c", "umask 0; exec \"$0\" -C d init --domain foo.com --users alice,bob --credentials-file c"])
        .arg(env!("CARGO_BIN_EXE_dtaas"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    assert_eq!(other.finish(shell, "").code, 0);

    assert_eq!(other.modes("d"), place.modes("d"));
    assert_eq!(mode(&other, "c"), 0o600);
}

#[test]
fn passwords_come_in_on_standard_input() {
    let place = Place::new();
    let ran = place.with_input(
        &[
            "-C",
            "d",
            "init",
            "--domain",
            "localhost",
            "--users",
            "alice,bob",
            "--password-stdin",
        ],
        "correct horse\nbattery staple\n",
    );
    assert_eq!(ran, done("", MADE));
    for (user, password) in [("alice", "correct horse"), ("bob", "battery staple")] {
        let entry = place.read(&format!("d/auth/{user}"));
        let hash = entry.trim_end().strip_prefix(&format!("{user}:")).unwrap();
        assert!(bcrypt::verify(password, hash).unwrap(), "{user}");
    }
}

#[test]
fn passwords_go_out_to_a_file() {
    let place = Place::new();
    let ran = place.in_d("init --domain foo.com --users alice,bob --credentials-file credentials");

    assert_eq!(
        ran,
        done("", &format!("The passwords are in credentials.\n{MADE}"))
    );
    assert_eq!(mode(&place, "credentials"), 0o600);
    let text = place.read("credentials");
    let users: Vec<&str> = text
        .lines()
        .map(|line| line.split_once(':').unwrap().0)
        .collect();
    assert_eq!(users, ["alice", "bob"]);
}

#[test]
fn a_second_run_changes_nothing_and_says_so() {
    let place = Place::with_deployment();
    let before = place.tree("");
    for line in [
        "init",
        "init --domain foo.com --users alice,bob",
        "init --users bob --tls self-signed --https-port 443",
    ] {
        assert_eq!(
            place.in_d(line),
            done("", "DIR/d is a deployment already; nothing was changed.\n"),
            "{line}"
        );
    }
    assert_eq!(place.tree(""), before);
}

#[test]
fn a_second_run_with_other_flags_says_what_to_edit() {
    let place = Place::with_deployment();
    let before = place.tree("");
    let ran = place.in_d("init --domain bar.com --users alice,carl --https-port 8443 --base-path lab --tls off --pool 10.9.0.0/16 --auth basic");
    assert_eq!(
        ran,
        failed(
            2,
            "DIR/d is a deployment already, and says otherwise\n  \
             domain is foo.com, not bar.com: edit dtaas.yaml, then `dtaas up`\n  \
             base_path is \"\", not \"lab\": edit dtaas.yaml, then `dtaas up`\n  \
             ports.https is 443, not 8443: edit dtaas.yaml, then `dtaas up`\n  \
             tls.mode is self-signed, not off: edit dtaas.yaml, then `dtaas up`\n  \
             network.pool is 10.213.0.0/16, not 10.9.0.0/16: edit dtaas.yaml, then `dtaas up`\n  \
             auth is session, not basic: edit dtaas.yaml, then `dtaas up`\n  \
             there is no user carl yet: `dtaas user add carl`",
            "nothing was changed",
        )
    );
    assert_eq!(place.tree(""), before);
}

#[test]
fn two_runs_at_once_do_not_meet() {
    let place = Place::with_deployment();
    let held = Lock::take(&place.path("d"), "dtaas up").unwrap();
    let before = place.tree("");
    for line in [
        "render",
        "user add carl",
        "user passwd alice",
        "user remove alice --yes",
    ] {
        let ran = place.in_d(line);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{line}");
        assert!(
            ran.talk
                .starts_with("error: DIR/d is held by dtaas up (process "),
            "{}",
            ran.talk
        );
        assert!(
            ran.talk
                .ends_with("\nhint: wait until it is done, then run this again\n"),
            "{}",
            ran.talk
        );
    }
    assert_eq!(place.tree(""), before);
    drop(held);
    assert_eq!(place.in_d("render"), done("Nothing to do.\n", ""));
}

fn mode(place: &Place, path: &str) -> u32 {
    place.path(path).metadata().unwrap().permissions().mode() & 0o7777
}
