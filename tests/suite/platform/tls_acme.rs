//! A certificate from an ACME server: Pebble, Let's Encrypt's own for tests, asks the real Traefik.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dtaas::certificate::shown::{self, Shown};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::client::within;
use super::deployment::Deployment;
use super::engine;
use super::steps::Steps;
use crate::rig::{rig, there_is};

const DOMAIN: &str = "dt.lab.internal";

#[test]
fn an_acme_server_signs_by_either_challenge() {
    const TEST: &str = "platform::tls_acme::an_acme_server_signs_by_either_challenge";
    let Some(rig) = rig(TEST) else { return };
    let has = |program: &str| which::which(program).is_ok();
    if !there_is(
        "Debian's package pebble",
        has("pebble") && has("pebble-challtestsrv"),
        TEST,
    ) {
        return;
    }
    let steps = Steps::of(TEST);
    let address = Ipv4Addr::new(127, 80, (std::process::id() % 250) as u8, 1);
    let server = Pebble::start(address);
    let here = steps.step("init", || {
        Deployment::init(&rig, "acme", DOMAIN, "alice", &["--tls", "off"])
    });
    // Nobody's workspace is needed for this.
    say(&here, "users/alice.yaml", "enabled: true", "enabled: false");
    trust(&here, &server);

    steps.step("up with challenge http", || {
        set(&here, address, &server.directory, "http");
        here.dtaas(&["up"]).succeeded();
        signed(&here, address);
        let stored = fs::metadata(here.path("data/acme/acme.json")).unwrap();
        assert_eq!(stored.permissions().mode() & 0o777, 0o600);
    });
    steps.step(
        "the server's questions pass, everything else goes to https",
        || {
            let asked = ask(address, "/.well-known/acme-challenge/unknown");
            assert!(asked.starts_with("HTTP/1.1 404 "), "{asked}");
            let other = ask(address, "/lab?a=1");
            let to = format!("\r\nLocation: https://{DOMAIN}/lab?a=1\r\n");
            assert!(other.contains(&to), "{other}");
        },
    );
    let first = shown_at(address).unwrap().serial;
    steps.step("the certificate survives down", || {
        here.dtaas(&["down", "--yes"]).succeeded();
        here.dtaas(&["up"]).succeeded();
        within(Duration::from_secs(30), "the same certificate", || {
            shown_at(address).is_some_and(|facts| facts.serial == first)
        });
    });
    steps.step("cert renew leaves it to Traefik", || {
        let renew = here.dtaas(&["cert", "renew"]).succeeded();
        assert!(
            renew
                .stderr
                .starts_with("Traefik renews the certificate itself"),
            "{}",
            renew.stderr
        );
    });
    steps.step("up with challenge tls", || {
        here.dtaas(&["down", "--yes"]).succeeded();
        fs::remove_file(here.path("data/acme/acme.json")).unwrap();
        set(&here, address, &server.directory, "tls");
        here.dtaas(&["up"]).succeeded();
        signed(&here, address);
        assert_ne!(shown_at(address).unwrap().serial, first);
    });
}

/// Waits until the gateway shows what the server signed; its log names no fault.
fn signed(here: &Deployment, address: Ipv4Addr) {
    let gateway = here.container("gateway");
    within(Duration::from_secs(60), "a signed certificate", || {
        shown_at(address).is_some_and(|facts| facts.issuer.contains("Pebble Intermediate CA"))
    });
    let facts = shown_at(address).unwrap();
    assert_eq!(facts.names, [DOMAIN]);
    let log = engine::run("docker", &["logs", &gateway]);
    let log = format!(
        "{}{}",
        String::from_utf8_lossy(&log.stdout),
        String::from_utf8_lossy(&log.stderr)
    );
    assert!(log.contains("INF"), "{log}");
    assert!(!log.contains("ERR"), "{log}");
    let show = here.dtaas(&["cert", "show", "--json"]).succeeded();
    let report: serde_json::Value = serde_json::from_str(&show.stdout).unwrap();
    assert_eq!(report["certificate"]["serial"], facts.serial.as_str());
    assert_eq!(report["gateway"]["state"], "same");
}

fn shown_at(address: Ipv4Addr) -> Option<dtaas::certificate::facts::Facts> {
    match shown::ask(SocketAddrV4::new(address, 443), &DOMAIN.parse().unwrap()) {
        Shown::Certificate(facts) => Some(*facts),
        Shown::Nobody | Shown::Nothing(_) => None,
    }
}

fn ask(address: Ipv4Addr, path: &str) -> String {
    let mut connection = TcpStream::connect((address, 80)).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

/// Puts other words into a file of the spec.
fn say(here: &Deployment, file: &str, from: &str, to: &str) {
    let path = here.path(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// An address of the machine's own with the ports that an ACME server asks at.
fn set(here: &Deployment, address: Ipv4Addr, directory: &str, challenge: &str) {
    let path = here.path("dtaas.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let mut spec: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    spec["bind"] = address.to_string().into();
    spec["ports"]["http"] = 80.into();
    spec["ports"]["https"] = 443.into();
    spec["tls"] = serde_yaml::from_str(&format!(
        "{{mode: acme, email: admin@lab.org, ca_server: \"{directory}\", challenge: {challenge}}}"
    ))
    .unwrap();
    fs::write(path, serde_yaml::to_string(&spec).unwrap()).unwrap();
}

/// An operator's template: Traefik trusts the server's own authority.
fn trust(here: &Deployment, server: &Pebble) {
    let ours = include_str!("../../../templates/gateway/static/traefik.yml.hbs");
    let storage = "      storage: {{yaml acme.storage}}\n";
    assert!(ours.contains(storage));
    let theirs = ours.replace(
        storage,
        &format!("{storage}      caCertificates:\n        - /static/ca.pem\n"),
    );
    fs::create_dir_all(here.path("templates/gateway/static")).unwrap();
    fs::write(
        here.path("templates/gateway/static/traefik.yml.hbs"),
        theirs,
    )
    .unwrap();
    fs::write(here.path("config/gateway/static/ca.pem"), &server.authority).unwrap();
}

/// Pebble, and the name server that leads it to the platform; both end when dropped.
struct Pebble {
    directory: String,
    /// Of the server's own certificate.
    authority: String,
    running: [Child; 2],
    _files: tempfile::TempDir,
}

impl Pebble {
    fn start(address: Ipv4Addr) -> Self {
        let files = tempfile::tempdir().unwrap();
        let [listen, manage, dns, dns_manage] = free_ports();
        let [authority_key, key] = [(); 2].map(|()| KeyPair::generate().unwrap());
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let signed = authority.self_signed(&authority_key).unwrap().pem();
        let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        let path = |name: &str| files.path().join(name);
        fs::write(path("cert.pem"), leaf.pem()).unwrap();
        fs::write(path("key.pem"), key.serialize_pem()).unwrap();
        let config = serde_json::json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{listen}"),
            "managementListenAddress": format!("127.0.0.1:{manage}"),
            "certificate": path("cert.pem"),
            "privateKey": path("key.pem"),
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        fs::write(path("config.json"), config.to_string()).unwrap();
        let log = || {
            Stdio::from(
                fs::File::options()
                    .append(true)
                    .create(true)
                    .open(path("log"))
                    .unwrap(),
            )
        };
        let names = Command::new("pebble-challtestsrv")
            .args([
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
                "-defaultIPv6",
                "",
            ])
            .args(["-defaultIPv4", &address.to_string()])
            .args(["-dns01", &format!("127.0.0.1:{dns}")])
            .args(["-management", &format!("127.0.0.1:{dns_manage}")])
            .stdout(log())
            .stderr(log())
            .spawn()
            .unwrap();
        let server = Command::new("pebble")
            .arg("-config")
            .arg(path("config.json"))
            .args(["-dnsserver", &format!("127.0.0.1:{dns}")])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .stdout(log())
            .stderr(log())
            .spawn()
            .unwrap();
        within(Duration::from_secs(20), "pebble listens", || {
            [listen, dns_manage]
                .iter()
                .all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok())
        });
        Self {
            directory: format!("https://127.0.0.1:{listen}/dir"),
            authority: signed,
            running: [names, server],
            _files: files,
        }
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_ports() -> [u16; 4] {
    [(); 4]
        .map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
        .map(|listener| listener.local_addr().unwrap().port())
}
