//! Golden files: `tests/golden/<deployment>/…` is what is rendered, byte for byte.
//! `UPDATE_GOLDEN=1 cargo test golden` takes what is rendered now; read the difference before it is committed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dtaas::deployment::init::{self, Request};
use dtaas::platform::Certificate;
use dtaas::platform::desired::{Component, Desired};
use dtaas::platform::services::{self, Services, custom};
use dtaas::profile::{self, Profile};
use dtaas::secrets::Secret;
use dtaas::spec::model::AuthMode;

use super::fixture::Fixture;

pub const ALICE: (&str, &str) = ("alice", "slot: 0\ngroups: [publishers]\n");
pub const BOB: (&str, &str) = ("bob", "slot: 1\n");

#[test]
fn a_deployment_on_a_single_host() {
    let spec = "version: 1\ndomain: foo.com\nprofile: single-host\n";
    let desired = Fixture::new(spec, &[ALICE, BOB]).machine();

    let mut files = rendered(&desired);
    files.insert(
        "desired.json".into(),
        serde_json::to_string_pretty(&desired).unwrap() + "\n",
    );
    compare("single-host", files);
}

/// The services that a profile places, on a machine that workspaces call `host`.
fn at(fixture: &Fixture, profile: &Profile, host: &str) -> Services {
    let placed = profile.everywhere();
    let all = services::ALL.into_iter().filter(|one| placed.contains(one));
    let hosts: BTreeMap<_, _> = all.map(|one| (one, host.to_owned())).collect();
    if hosts.is_empty() {
        return Services::default();
    }
    let users = fixture.spec.users.keys();
    let certificate = Certificate {
        chain: "the services' certificate of the tests\n".into(),
        key: Secret::new("the services' key of the tests\n"),
    };
    let address = |component: &_| (*component, "services.foo.com".to_owned());
    Services {
        addresses: hosts.keys().map(address).collect(),
        hosts,
        custom: BTreeMap::new(),
        tokens: users
            .clone()
            .map(|name| {
                (
                    name.clone(),
                    Secret::new(format!("{name}'s token of the tests")),
                )
            })
            .collect(),
        gateway_key: "the gateway's public key of the tests\n".into(),
        vis_key: (fixture.placed.contains(&Component::Gateway))
            .then(|| Secret::new("the gateway's key of the tests\n")),
        accounts: users
            .map(|name| (name.clone(), Secret::new(format!("{name}'s of the tests"))))
            .collect(),
        authority: "the services' authority of the tests\n".into(),
        certificate: Some((certificate, host.to_owned())),
    }
}

/// What a machine of a built-in profile should have, which is not the operator's.
fn on(profile: &str, machine: &str) -> Desired {
    let spec = format!("version: 1\ndomain: foo.com\nprofile: {profile}\n");
    let mut fixture = Fixture::new(&spec, &[ALICE, BOB]);
    let profile = profile::load(Path::new("."), profile).unwrap();
    fixture.placed = profile.on(machine);
    fixture.services = at(&fixture, &profile, "services.foo.com");
    fixture.remote = true;
    fixture.machine()
}

#[test]
fn a_deployment_on_one_virtual_machine() {
    let desired = on("single-vagrant", "dtaas");

    // The same as on a single host, and users' entries besides.
    let here = Fixture::new("version: 1\ndomain: foo.com\n", &[ALICE, BOB]).machine();
    let mut files = rendered(&desired);
    for (path, text) in rendered(&here) {
        assert_eq!(files.remove(&path), Some(text), "{}", path.display());
    }
    compare("single-vagrant", files);
}

#[test]
fn a_deployment_on_two_machines() {
    let services = on("two-machine", "services");

    let mut files = rendered(&services);
    files.insert(
        "desired.json".into(),
        serde_json::to_string_pretty(&services).unwrap() + "\n",
    );
    compare("two-machine", files);
}

#[test]
fn users_have_their_accounts_at_the_services_in_their_workspaces() {
    let desired = on("two-machine", "dtaas");
    let mut files = rendered(&desired);
    files.retain(|path, _| path.starts_with("secrets/users") || path.ends_with("vis.yml"));
    compare("two-machine-users", files);
    let workspace = |desired: &Desired| {
        let mut containers = desired.containers.iter();
        containers
            .find(|one| one.name.ends_with("workspace-alice"))
            .unwrap()
            .clone()
    };
    let mounts = workspace(&desired).mounts;
    let targets: Vec<&Path> = mounts.iter().map(|mount| mount.target.as_path()).collect();
    let inside = ["/run/dtaas", "/etc/profile.d/dtaas.sh"].map(Path::new);
    assert_eq!(&targets[2..], inside);
    assert!(mounts[2..].iter().all(|mount| mount.read_only));

    // Services on the workspaces' own machine go by a name that leads to it, and its firewall lets them through.
    let mut fixture = Fixture::new("version: 1\ndomain: foo.com\n", &[ALICE, BOB]);
    fixture
        .placed
        .extend([Component::RabbitMq, Component::Mosquitto]);
    let profile = profile::load(Path::new("."), "two-machine").unwrap();
    fixture.services = at(&fixture, &profile, services::HERE);
    let beside = fixture.machine();
    assert_eq!(
        workspace(&beside).hosts,
        [(services::HERE.to_owned(), [10, 213, 0, 1].into())].into()
    );
    assert_eq!(beside.firewall.unwrap().ports, [80, 443, 5671, 15672, 8883]);
}

#[test]
fn services_of_an_operators_own() {
    let spec = "version: 1\ndomain: foo.com\nservices:\n  custom:\n    db: {use: postgresql, limits: {memory: 1g}}\n    \
                pages:\n      image: nginx:1\n      user: \"101:101\"\n      ports: [8090]\n      route: {port: 8090, strip: true}\n      \
                health: {port: 8090, path: /}\n";
    let mut fixture = Fixture::new(spec, &[ALICE]);
    let place = |secrets: &[&str]| custom::Place {
        host: services::HERE.to_owned(),
        from_gateway: "127.0.0.1".to_owned(),
        here: true,
        secrets: secrets
            .iter()
            .map(|name| {
                (
                    (*name).to_owned(),
                    Secret::new(format!("{name} of the tests")),
                )
            })
            .collect(),
    };
    let profile = profile::load(Path::new("."), "two-machine").unwrap();
    fixture.services = Services {
        hosts: BTreeMap::new(),
        custom: [
            ("db".to_owned(), place(&["password"])),
            ("pages".to_owned(), place(&[])),
        ]
        .into(),
        ..at(&fixture, &profile, services::HERE)
    };
    let desired = fixture.machine();

    let mut files = rendered(&desired);
    files.retain(|path, _| {
        path.to_string_lossy().contains("service") || path.starts_with("secrets/users")
    });
    let own = desired.containers.iter();
    let own: Vec<_> = own
        .filter(|one| one.component == Component::Custom)
        .collect();
    files.insert(
        "containers.json".into(),
        serde_json::to_string_pretty(&own).unwrap() + "\n",
    );
    let accounts = serde_json::to_string_pretty(&desired.accounts).unwrap();
    files.insert("accounts.json".into(), accounts + "\n");
    compare("services-own", files);
    assert_eq!(desired.firewall.unwrap().ports, [80, 443, 5432, 8090]);
}

/// A machine that has all of the platform, and a service of the operator's own.
pub fn with_all_services() -> Desired {
    let spec = "version: 1\ndomain: foo.com\nservices:\n  custom:\n    db: {use: postgresql, limits: {memory: 1g}}\n";
    let mut fixture = Fixture::new(spec, &[ALICE]);
    let profile = profile::load(Path::new("."), "two-machine").unwrap();
    fixture.placed = profile.everywhere();
    let place = custom::Place {
        host: services::HERE.to_owned(),
        from_gateway: "127.0.0.1".to_owned(),
        here: true,
        secrets: [("password".to_owned(), Secret::new("password of the tests"))].into(),
    };
    fixture.services = Services {
        custom: [("db".to_owned(), place)].into(),
        ..at(&fixture, &profile, services::HERE)
    };
    fixture.machine()
}

#[test]
fn every_profile_has_a_golden_deployment() {
    for (name, _) in profile::BUILT_IN {
        assert!(
            golden(name).is_dir(),
            "{} is missing",
            golden(name).display()
        );
    }
}

#[test]
fn a_deployment_without_tls() {
    let spec = "version: 1\ndomain: localhost\nbind: 127.0.0.1\nports:\n  http: 8080\ntls:\n  mode: \"off\"\n";
    compare(
        "tls-off",
        rendered(&Fixture::new(spec, &[ALICE, BOB]).machine()),
    );
}

#[test]
fn a_deployment_whose_certificate_an_acme_server_signs() {
    let spec = "version: 1\ndomain: foo.com\ntls:\n  mode: acme\n  email: admin@foo.com\n";
    compare(
        "tls-acme",
        rendered(&Fixture::new(spec, &[ALICE]).machine()),
    );
}

#[test]
fn an_acme_server_of_ones_own_may_ask_by_tls() {
    let spec = "version: 1\ndomain: dt.lab.internal\nports:\n  http: 8080\ntls:\n  mode: acme\n  \
                email: admin@foo.com\n  ca_server: https://ca.lab.internal/acme/directory\n  challenge: tls\n";
    let mut files = rendered(&Fixture::new(spec, &[]).machine());
    files.retain(|path, _| path.ends_with("traefik.yml"));
    compare("tls-acme-own-server", files);
}

#[test]
fn a_deployment_below_a_base_path() {
    let spec = "version: 1\ndomain: foo.com\nbase_path: lab/dtaas\nports:\n  https: 8443\n";
    compare(
        "base-path",
        rendered(&Fixture::new(spec, &[ALICE, BOB]).machine()),
    );
}

#[test]
fn a_deployment_whose_passwords_the_gateway_checks() {
    let spec = "version: 1\ndomain: foo.com\nauth: basic\n";
    compare(
        "auth-basic",
        rendered(&Fixture::new(spec, &[ALICE, BOB]).machine()),
    );
}

#[test]
fn the_last_user_of_a_gateway_that_checks_passwords_may_leave() {
    let spec = "version: 1\ndomain: foo.com\nauth: basic\n";
    compare(
        "auth-basic-nobody",
        rendered(&Fixture::new(spec, &[]).machine()),
    );
}

#[test]
fn a_library_that_users_may_write() {
    let library = |spec: &str| {
        let spec = format!("version: 1\ndomain: foo.com\nworkspace:\n  user: \"1000:100\"\n{spec}");
        let desired = Fixture::new(&spec, &[ALICE]).machine();
        let named = |name: &str| desired.containers.iter().find(|found| found.name == name);
        named("dtaas-foo.com-library").unwrap().clone()
    };
    let usual = library("");
    assert!(usual.mounts.iter().all(|mount| mount.read_only));
    // The limits say nothing where nothing is written.
    assert_eq!(library("library: {quota: 50g, max_upload: 1g}\n"), usual);

    let writable = library("library: {writable: true}\n");
    assert_eq!(
        writable.command,
        [
            usual.command.as_slice(),
            &["--writable", "--max-upload", "10g"].map(str::to_owned)
        ]
        .concat()
    );
    let open: Vec<_> = writable
        .mounts
        .iter()
        .filter(|mount| !mount.read_only)
        .collect();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].target, Path::new("/library"));
    assert_eq!(writable.run_as.as_deref(), Some("1000:100"));

    let limited = library("library: {writable: true, quota: 50g, max_upload: 1536m}\n");
    assert_eq!(
        limited.command[usual.command.len()..],
        ["--writable", "--max-upload", "1536m", "--quota", "50g"]
    );
}

#[test]
fn a_deployment_with_a_disabled_user() {
    let spec = "version: 1\ndomain: foo.com\n";
    let bob = ("bob", "slot: 1\nenabled: false\n");
    let desired = Fixture::new(spec, &[ALICE, bob]).machine();

    compare("disabled-user", rendered(&desired));
    let workspace = desired
        .containers
        .iter()
        .find(|container| container.name == "dtaas-foo.com-workspace-bob")
        .unwrap();
    assert!(!workspace.running && workspace.ready.is_none());
}

#[test]
fn who_reads_the_gateways_secret_at_the_start_is_made_anew_when_it_changes() {
    let mut fixture = Fixture::new("version: 1\ndomain: foo.com\n", &[ALICE]);
    let before = fixture.machine();
    fixture.secrets.gateway = Secret::new("another-secret-of-the-tests");
    let after = fixture.machine();

    let changed: Vec<&str> = before
        .containers
        .iter()
        .zip(&after.containers)
        .filter(|(before, after)| before != after)
        .map(|(before, _)| before.component.as_str())
        .collect();
    assert_eq!(changed, ["auth", "website", "library"]);
}

#[test]
fn the_files_that_init_writes_for_the_operator() {
    let request = Request {
        domain: Some("foo.com".parse().unwrap()),
        users: users(&["alice", "bob"]),
        ..Request::default()
    };
    compare("init", written_by_init(&request));
}

#[test]
fn the_files_that_init_writes_when_everything_is_given() {
    let request = Request {
        domain: Some("192.168.7.2".parse().unwrap()),
        name: Some("lab-2".parse().unwrap()),
        users: users(&["j.doe"]),
        profile: Some("single-host".into()),
        base_path: Some("lab/dtaas".parse().unwrap()),
        bind: Some([192, 168, 7, 2].into()),
        http_port: Some(8080),
        https_port: Some(8443),
        auth_port: Some(5002),
        website_port: Some(5000),
        library_port: Some(5001),
        tls: Some("off".into()),
        pool: Some("172.30.0.0/24".parse().unwrap()),
        auth: Some(AuthMode::Basic),
        image_prefix: Some("registry.lab.example/".into()),
        ..Request::default()
    };
    compare("init-all", written_by_init(&request));
}

fn users(names: &[&str]) -> Vec<(dtaas::spec::names::UserName, Option<Secret>)> {
    let secret = Secret::new("a password of the tests");
    names
        .iter()
        .map(|name| (name.parse().unwrap(), Some(secret.clone())))
        .collect()
}

fn written_by_init(request: &Request) -> BTreeMap<PathBuf, String> {
    let directory = tempfile::tempdir().unwrap();
    init::make(directory.path(), request, &mut |_| Ok(())).unwrap();
    let mut paths = vec![PathBuf::from("dtaas.yaml")];
    paths.extend(
        request
            .users
            .iter()
            .map(|(name, _)| PathBuf::from(format!("users/{name}.yaml"))),
    );
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(directory.path().join(&path)).unwrap();
            (path, text)
        })
        .collect()
}

fn rendered(desired: &Desired) -> BTreeMap<PathBuf, String> {
    desired
        .files
        .iter()
        .map(|file| (file.path.clone(), file.content.expose().to_owned()))
        .collect()
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

pub fn compare(name: &str, found: BTreeMap<PathBuf, String>) {
    let root = golden(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let _ = std::fs::remove_dir_all(&root);
        for (path, text) in &found {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        return;
    }
    let expected = read_tree(&root);
    let mut wrong = Vec::new();
    for path in expected.keys().chain(found.keys()) {
        match (expected.get(path), found.get(path)) {
            (Some(expected), Some(found)) if expected == found => {}
            (Some(expected), Some(found)) => {
                let line = expected
                    .lines()
                    .zip(found.lines())
                    .position(|(expected, found)| expected != found)
                    .unwrap_or_else(|| expected.lines().count().min(found.lines().count()));
                let at = |text: &str| text.lines().nth(line).unwrap_or("(ends)").to_owned();
                wrong.push(format!(
                    "{}:{}\n  golden: {}\n  found:  {}",
                    path.display(),
                    line + 1,
                    at(expected),
                    at(found)
                ));
            }
            (Some(_), None) => wrong.push(format!("{} is not rendered any more", path.display())),
            (None, _) => wrong.push(format!("{} is new", path.display())),
        }
    }
    wrong.dedup();
    assert!(
        wrong.is_empty(),
        "tests/golden/{name} differs (UPDATE_GOLDEN=1 takes what is rendered now):\n{}",
        wrong.join("\n")
    );
}

fn read_tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(root).unwrap().to_owned(), text);
            }
        }
    }
    found
}
