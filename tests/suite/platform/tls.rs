//! Where the certificate comes from: each way, one after the other on the same platform, and new certificates while it runs.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use dtaas::certificate::facts::Facts;
use dtaas::certificate::shown::{self, Shown};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use time::OffsetDateTime;

use super::client::within;
use super::deployment::Deployment;
use super::steps::Steps;
use super::{engine, snapshot, terminal};
use crate::rig::rig;

#[test]
fn certificates_come_and_change_while_the_platform_runs() {
    const TEST: &str = "platform::tls::certificates_come_and_change_while_the_platform_runs";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);

    let here = steps.step("init --tls off --domain 127.0.0.1", || {
        let flags = ["--tls", "off", "--base-path", "dtaas"];
        Deployment::init(&rig, "tls", "127.0.0.1", "alice", &flags)
    });
    steps.step("up: plain http answers", || {
        here.dtaas(&["up"]).succeeded();
        plain(&here);
        let renew = here.dtaas(&["cert", "renew"]);
        assert_eq!(renew.code, Some(2), "{}", renew.stderr);
    });
    let life = engine::life(&here.container("workspace-alice"));
    steps.step("mode: self-signed, before up", || {
        set_mode(&here, "mode: self-signed");
        let renew = here.dtaas(&["cert", "renew"]);
        assert_eq!(renew.code, Some(1), "{}", renew.stderr);
        let said =
            "was not made with tls.mode self-signed for 127.0.0.1\nhint: `dtaas up` makes it so";
        assert!(renew.stderr.contains(said), "{}", renew.stderr);
        assert!(!here.has_tls());
        plain(&here);
    });
    steps.step("mode: self-signed, up", || {
        here.dtaas(&["up"]).succeeded();
        assert_eq!(here.get("/alice/lab").by("alice").status(), 200);
        redirects(&here);
        shows(&here, "same");
    });
    steps.step(
        "a new certificate is live, and nothing was restarted",
        || renewed_live(&here),
    );
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (
        directory.path().join("dt.crt"),
        directory.path().join("dt.key"),
    );
    let put = |days| {
        let (chain, secret) = signed_pair("127.0.0.1", days);
        fs::write(&cert, &chain).unwrap();
        fs::write(&key, secret).unwrap();
        Facts::of_pem(&chain).unwrap()
    };
    steps.step("mode: files, up", || {
        let mode = format!(
            "mode: files\n  cert: {}\n  key: {}",
            cert.display(),
            key.display()
        );
        set_mode(&here, &mode);
        let facts = put(90);
        here.dtaas(&["up"]).succeeded();
        assert_eq!(shown(&here), facts);
        redirects(&here);
        shows(&here, "same");
    });
    steps.step("new files are taken over live", || {
        let gateway = engine::life(&here.container("gateway"));
        let facts = put(60);
        shows(&here, "other");
        let renew = here.dtaas(&["cert", "renew"]).succeeded();
        assert!(renew.stderr.contains(&facts.serial), "{}", renew.stderr);
        assert_eq!(shown(&here), facts);
        assert_eq!(engine::life(&here.container("gateway")), gateway);
        settled(&here);
    });
    steps.step(
        "files that have expired stop no platform and no user",
        || {
            let (gateway, before) = (engine::life(&here.container("gateway")), shown(&here));
            put(-2);
            let up = here.dtaas(&["up"]);
            assert_eq!(up.code, Some(2), "{}", up.stderr);
            assert!(up.stderr.contains("has expired on"), "{}", up.stderr);
            let add = here
                .dtaas_with_password(&["user", "add", "bob"])
                .succeeded();
            assert!(add.stderr.contains("\nNote: tls.cert: "), "{}", add.stderr);
            assert!(
                add.stderr.contains("bob's workspace is at "),
                "{}",
                add.stderr
            );
            let status = here.dtaas(&["status"]).succeeded();
            assert!(
                status.stderr.starts_with("Note: tls.cert: "),
                "{}",
                status.stderr
            );
            let doctor = here.dtaas(&["doctor"]);
            let line = format!(
                "✗ certificate: the certificate of {} has expired\n",
                here.domain
            );
            assert!(doctor.stdout.contains(&line), "{}", doctor.stdout);
            assert_eq!(shown(&here), before);
            assert_eq!(engine::life(&here.container("gateway")), gateway);
        },
    );
    steps.step("mode: off again, up: no key stays behind", || {
        set_mode(&here, "mode: \"off\"");
        here.dtaas(&["up"]).succeeded();
        plain(&here);
        assert_eq!(
            fs::read_dir(here.path("config/gateway/tls"))
                .unwrap()
                .count(),
            0
        );
        settled(&here);
    });
    assert_eq!(engine::life(&here.container("workspace-alice")), life);
}

/// Writes another mode, with the lines that belong to it.
fn set_mode(here: &Deployment, mode: &str) {
    let path = here.path("dtaas.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("\ntls:\n").unwrap();
    let (_, behind) = rest.split_once("\nnetwork:\n").unwrap();
    let text = format!("{before}\ntls:\n  {mode}\nnetwork:\n{behind}");
    fs::write(path, text).unwrap();
}

fn plain(here: &Deployment) {
    assert_eq!(here.get("/healthz").send_to_http().status, 200);
    assert_eq!(here.get("/").send_to_http().status, 401);
    assert_eq!(here.get("/").by("alice").send_to_http().status, 200);
}

/// Path and query are kept, and the port is that of https.
fn redirects(here: &Deployment) {
    for path in ["/alice/lab?a=1&b=%2F", "/", "/healthz"] {
        let answer = here.get(path).send_to_http();
        let to = format!(
            "https://{}:{}{}{path}",
            here.domain, here.ports.https, here.base
        );
        assert_eq!(answer.header("location"), Some(to.as_str()));
        assert!(
            [301, 302, 307, 308].contains(&answer.status),
            "{}",
            answer.status
        );
    }
}

/// What the gateway shows; it takes a new certificate a little after it was written.
fn shown(here: &Deployment) -> Facts {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, here.ports.https);
    match shown::ask(address, &here.domain.parse().unwrap()) {
        Shown::Certificate(facts) => *facts,
        other => panic!("{other:?}"),
    }
}

/// What `cert show` says that the gateway does.
fn shows(here: &Deployment, state: &str) {
    let show = here.dtaas(&["cert", "show", "--json"]).succeeded();
    let report: serde_json::Value = serde_json::from_str(&show.stdout).unwrap();
    assert_eq!(report["gateway"]["state"], state, "{}", show.stdout);
}

fn settled(here: &Deployment) {
    let plan = here.dtaas(&["plan"]).succeeded();
    assert_eq!(plan.stdout, "Nothing to do.\n");
}

fn renewed_live(here: &Deployment) {
    let parts = ["gateway", "auth", "website", "library", "workspace-alice"];
    let lives = || parts.map(|part| engine::life(&here.container(part)));
    let (before, lived) = (shown(here), lives());
    let files = snapshot::files(&here.path("files"));
    let due = here.dtaas(&["cert", "renew", "--if-due"]).succeeded();
    assert!(due.stderr.starts_with("Not due: "), "{}", due.stderr);
    assert_eq!(shown(here), before);

    terminal::lives_through(here, || {
        let renew = here.dtaas(&["cert", "renew"]).succeeded();
        // It was waited for: nobody has to ask twice.
        let after = shown(here);
        assert_ne!(after.serial, before.serial);
        let said = format!("serial {}, good until ", after.serial);
        assert!(renew.stderr.contains(&said), "{}", renew.stderr);
        assert!(
            renew.stderr.ends_with("The gateway shows it.\n"),
            "{}",
            renew.stderr
        );
    });

    assert_eq!(lives(), lived);
    snapshot::same(&files, &snapshot::files(&here.path("files")));
    // By the same authority: whoever trusted it is not asked again.
    assert_eq!(here.get("/healthz").status(), 200);
    shows(here, "same");
    settled(here);
    let before = shown(here);
    here.dtaas(&["cert", "renew", "--authority", "--yes"])
        .succeeded();
    assert_ne!(shown(here).signer_id, before.signer_id);
    within(
        Duration::from_secs(5),
        "the new authority is trusted",
        || here.get("/healthz").status() == 200,
    );
    assert_eq!(lives(), lived);
}

/// A certificate for an address or a name, signed by an authority of a lab's own: the chain, leaf first, and the key.
fn signed_pair(name: &str, days: i64) -> (String, String) {
    let params = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = OffsetDateTime::now_utc() - time::Duration::days(200);
        params.not_after = OffsetDateTime::now_utc() + time::Duration::days(200);
        params
    };
    let mut authority = params(&[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let [authority_key, key] = [(); 2].map(|()| KeyPair::generate().unwrap());
    let signed = authority.self_signed(&authority_key).unwrap();
    let mut leaf = params(&[name]);
    leaf.not_after = OffsetDateTime::now_utc() + time::Duration::days(days);
    let issuer = Issuer::new(authority, authority_key);
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    (leaf.pem() + &signed.pem(), key.serialize_pem())
}
