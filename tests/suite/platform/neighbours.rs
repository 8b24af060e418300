//! Two deployments on one machine, and a machine that has addresses and routes of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use serde_json::json;

use super::deployment::{Deployment, Ran};
use super::namespaces::Namespace;
use super::steps::Steps;
use super::{doors, engine, first_light, snapshot};
use crate::rig::{Rig, rig};

#[test]
fn two_deployments_live_side_by_side() {
    const TEST: &str = "platform::neighbours::two_deployments_live_side_by_side";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);
    let here = steps.step("one at 127.0.0.1", || {
        one(&rig, "here", "alice", "127.0.0.1")
    });
    let mut there = one(&rig, "there", "bob", "127.0.0.2");
    steps.step(
        "what one has is not for the other, and it says whose it is",
        || {
            refuses_what_is_theirs(&here, &there);
        },
    );
    steps.step("the same ports at another address are", || {
        set(
            &there,
            &[
                ("  http: ", here.ports.http),
                ("  https: ", here.ports.https),
            ],
        );
        (there.ports.http, there.ports.https) = (here.ports.http, here.ports.https);
        there.dtaas(&["up"]).succeeded();
        doors::open(&here, &["alice"]);
        doors::open(&there, &["bob"]);
    });
    steps.step("workspaces of the one reach nothing of the other", || {
        apart(&here, "alice", &there, "bob");
        apart(&there, "bob", &here, "alice");
    });
    steps.step("stopped for a while, it has its ports still", || {
        stopped(&here, &there);
    });
    steps.step("down of the one leaves the other as it is", || {
        let before = snapshot::of(&there.root(), &there.name);
        here.dtaas(&["down", "--yes"]).succeeded();
        assert_eq!(engine::objects(&here.name), Vec::<String>::new());
        snapshot::same(&before, &snapshot::of(&there.root(), &there.name));
        doors::open(&there, &["bob"]);
        apart_from_the_machine(&there, "bob");
    });
}

#[test]
fn a_machine_that_leads_elsewhere_keeps_its_ways() {
    const TEST: &str = "platform::neighbours::a_machine_that_leads_elsewhere_keeps_its_ways";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);
    let here = Deployment::init(&rig, "ways-out", "localhost", "alice", &[]);
    let number = std::process::id() % 64 * 4;
    let pool = format!("100.99.{number}.0/24");
    let was = format!("{}.0/24", here.pool);
    replace(&here, &was, &pool);

    let link = Link::new();
    steps.step("a pool that a route leads into is refused, once", || {
        let near = format!("100.99.{number}.129/25");
        link.address(&near);
        let refused = refused(&here, &["up"]);
        let route = format!("100.99.{number}.128/25 of {}", link.name);
        let said = format!(
            "error: network.pool {pool} overlaps the route {route}: workspaces would hide what is there from this machine\n"
        );
        assert!(refused.stderr.contains(&said), "{}", refused.stderr);
        let free = format!("such as 100.99.{}.0/24, then run this again", number + 1);
        assert!(refused.stderr.contains(&free), "{}", refused.stderr);
        let plan = self::refused(&here, &["plan"]).stdout;
        assert_eq!(plan.matches("overlaps").count(), 1, "{plan}");
        link.clear();
    });
    steps.step(
        "what comes up beside a platform that is up stops nothing",
        || {
            here.dtaas(&["up"]).succeeded();
            let life = engine::life(&here.container("workspace-alice"));
            link.route(&format!("100.99.{number}.0/22"));
            here.dtaas_with_password(&["user", "add", "bob"])
                .succeeded();
            let up = here.dtaas(&["up"]).succeeded();
            assert!(up.stderr.contains("Nothing to do"), "{}", up.stderr);
            doors::open(&here, &["alice", "bob"]);
            assert_eq!(engine::life(&here.container("workspace-alice")), life);
        },
    );
    steps.step(
        "an address that this machine lacks is no place to listen",
        || {
            here.dtaas(&["down", "--yes"]).succeeded();
            link.clear();
            replace(&here, "bind: \"0.0.0.0\"", "bind: \"203.0.113.77\"");
            let refused = refused(&here, &["up"]).stderr;
            let said = "error: bind is 203.0.113.77, and this machine has no such address\n";
            assert!(refused.contains(said), "{refused}");
            let hint = "hint: set bind in dtaas.yaml to one that it has (";
            assert!(refused.contains(hint), "{refused}");
        },
    );
    steps.step("nor are limits and folders of another machine", || {
        replace(&here, "bind: \"203.0.113.77\"", "bind: \"0.0.0.0\"");
        let spec = fs::read_to_string(here.path("dtaas.yaml")).unwrap();
        // Above them stand those of services.
        let (_, workspace) = spec.split_once("\nworkspace:\n").unwrap();
        let (line, _) = workspace.split_once("    # Processes").unwrap();
        let (_, line) = line.rsplit_once("    memory: ").unwrap();
        let before = format!("    memory: {line}    # Processes");
        replace(&here, &before, "    memory: 9000g\n    # Processes");
        fs::write(
            here.path("users/bob.yaml"),
            fs::read_to_string(here.path("users/bob.yaml")).unwrap() + "\nlimits:\n  cpus: 4096\n",
        )
        .unwrap();
        let refused = refused(&here, &["up"]).stderr;
        for said in [
            "workspace.limits.memory is 9000g (dtaas.yaml), and this machine has ",
            "limits.cpus is 4096 (users/bob.yaml), and this machine has ",
        ] {
            assert!(refused.contains(said), "{refused}");
        }
    });
}

/// A deployment of its own with one user; the one at 127.0.0.1 is up.
fn one(rig: &Rig, label: &str, user: &str, bind: &str) -> Deployment {
    let deployment = Deployment::init(rig, label, "localhost", user, &["--bind", bind]);
    first_light::library(&deployment);
    if bind == "127.0.0.1" {
        deployment.dtaas(&["up"]).succeeded();
    }
    deployment
}

/// `theirs` is up, and `ours` is to have the same ports and pool.
fn refuses_what_is_theirs(theirs: &Deployment, ours: &Deployment) {
    let spec = fs::read_to_string(ours.path("dtaas.yaml")).unwrap();
    let ports = theirs.ports;
    set(
        ours,
        &[
            ("  http: ", ports.http),
            ("  https: ", ports.https),
            ("  auth: ", ports.auth),
            ("  website: ", ports.website),
            ("  library: ", ports.library),
        ],
    );
    replace(ours, &ours.pool, &theirs.pool);
    let whose = format!(
        "the deployment {} in {}",
        theirs.name,
        theirs.root().display()
    );
    let listens = |part: &str, address: &str, key: &str| {
        format!(
            "{} needs {address} ({key}), and the {part} of {whose} listens there already",
            ours.container(part)
        )
    };
    let local = |port: u16| format!("127.0.0.1:{port}");
    let mut expected = vec![
        format!(
            "network.pool {pool}.0/24 overlaps the pool {pool}.0/24 of {whose}: workspaces would hide what is there from this machine",
            pool = theirs.pool
        ),
        listens("auth", &local(ports.auth), "ports.auth"),
        // Where the gateway asks.
        listens("auth", &format!("127.0.0.2:{}", ports.auth), "ports.auth"),
        listens("website", &local(ports.website), "ports.website"),
        listens("library", &local(ports.library), "ports.library"),
    ];
    assert_eq!(messages(ours), expected);

    // Who listens at every address wants that one as well.
    replace(ours, "bind: \"127.0.0.2\"", "bind: \"0.0.0.0\"");
    let all = |port: u16| format!("0.0.0.0:{port}");
    expected.splice(
        1..1,
        [
            listens("gateway", &all(ports.http), "ports.http"),
            listens("gateway", &all(ports.https), "ports.https"),
        ],
    );
    assert_eq!(messages(ours), expected);
    fs::write(ours.path("dtaas.yaml"), spec).unwrap();
}

/// Everything that is in the way, as `plan --json` has it; the exit code is 1, and nothing is on the machine.
fn messages(deployment: &Deployment) -> Vec<String> {
    let plan: serde_json::Value =
        serde_json::from_str(&refused(deployment, &["plan", "--json"]).stdout).unwrap();
    let refused = plan["refused"].as_array().unwrap();
    refused
        .iter()
        .map(|one| one["message"].as_str().unwrap().to_owned())
        .collect()
}

/// Runs a command that fails for what is on the machine, and changes nothing on it.
fn refused(deployment: &Deployment, arguments: &[&str]) -> Ran {
    let ran = deployment.dtaas(arguments);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(engine::objects(&deployment.name), Vec::<String>::new());
    ran
}

/// A workspace against everything of another deployment.
fn apart(ours: &Deployment, user: &str, theirs: &Deployment, other: &str) {
    let workspace = theirs.address(&format!("workspace-{other}"));
    let bridge = Ipv4Addr::from(u32::from(workspace) - 1).to_string();
    let workspace = workspace.to_string();
    let ports = theirs.ports;
    let mut targets = vec![(workspace.clone(), 8080), (workspace, ports.https)];
    for address in [bridge, own_bridge(ours, user)] {
        for port in [ports.auth, ports.website, ports.library, ports.https] {
            targets.push((address.clone(), port));
        }
    }
    silent(ours, user, &targets);
}

/// A workspace against what listens at every address of the machine.
fn apart_from_the_machine(ours: &Deployment, user: &str) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    silent(ours, user, &[(own_bridge(ours, user), port)]);
}

/// This machine's address on a workspace's network.
fn own_bridge(deployment: &Deployment, user: &str) -> String {
    let workspace = deployment.address(&format!("workspace-{user}"));
    Ipv4Addr::from(u32::from(workspace) - 1).to_string()
}

/// None of these answers a workspace, not even with a refusal.
fn silent(deployment: &Deployment, user: &str, targets: &[(String, u16)]) {
    let inside = Namespace::of(&deployment.container(&format!("workspace-{user}")));
    let found = inside.frames(&["connect"], &json!(targets).to_string());
    let found: BTreeMap<String, String> = serde_json::from_str(&found).unwrap();
    assert!(!found.is_empty());
    let wrong: Vec<_> = found
        .iter()
        .filter(|(_, answer)| *answer != "silent")
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// `theirs` is stopped by hand for a moment; `ours` is to have its port.
fn stopped(theirs: &Deployment, ours: &Deployment) {
    let spec = fs::read_to_string(ours.path("dtaas.yaml")).unwrap();
    engine::docker(&["stop", &theirs.container("website")]);
    set(ours, &[("  website: ", theirs.ports.website)]);
    let plan = ours.dtaas(&["plan"]);
    assert_eq!(plan.code, Some(1), "{}", plan.stdout);
    let said = format!(
        "{} needs 127.0.0.1:{} (ports.website), and the website of the deployment {} in {} does when it runs again",
        ours.container("website"),
        theirs.ports.website,
        theirs.name,
        theirs.root().display()
    );
    assert!(plan.stdout.contains(&said), "{}", plan.stdout);
    fs::write(ours.path("dtaas.yaml"), spec).unwrap();
    theirs.dtaas(&["up"]).succeeded();
}

/// Other ports in `dtaas.yaml`, each behind what its line begins with.
fn set(deployment: &Deployment, ports: &[(&str, u16)]) {
    let path = deployment.path("dtaas.yaml");
    let spec = fs::read_to_string(&path).unwrap();
    let line = |line: &str| match ports.iter().find(|(key, _)| line.starts_with(key)) {
        Some((key, port)) => format!("{key}{port}\n"),
        None => format!("{line}\n"),
    };
    fs::write(path, spec.lines().map(line).collect::<String>()).unwrap();
}

/// Other words in `dtaas.yaml`.
fn replace(deployment: &Deployment, from: &str, to: &str) {
    let path = deployment.path("dtaas.yaml");
    let spec = fs::read_to_string(&path).unwrap();
    let changed = spec.replace(from, to);
    assert_ne!(changed, spec, "{from}");
    fs::write(path, changed).unwrap();
}

/// An interface of this machine that leads nowhere; gone when dropped, also when the test failed.
struct Link {
    name: String,
}

impl Link {
    fn new() -> Self {
        sweep_the_dead_links();
        let name = format!("{}{}", Self::MARK, std::process::id());
        engine::out("ip", &["link", "add", &name, "type", "bridge"]);
        let link = Self { name };
        engine::out("ip", &["link", "set", &link.name, "up"]);
        link
    }

    const MARK: &str = "suite-d";

    fn address(&self, address: &str) {
        engine::out("ip", &["address", "add", address, "dev", &self.name]);
    }

    fn route(&self, subnet: &str) {
        engine::out("ip", &["route", "add", subnet, "dev", &self.name]);
    }

    /// Takes its addresses and routes away.
    fn clear(&self) {
        engine::out("ip", &["address", "flush", "dev", &self.name]);
        engine::out("ip", &["-4", "route", "flush", "dev", &self.name]);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        engine::run("ip", &["link", "delete", &self.name]);
    }
}

/// Those of runs that were killed.
fn sweep_the_dead_links() {
    for entry in fs::read_dir("/sys/class/net").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(Link::MARK);
        if process.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            engine::run("ip", &["link", "delete", &name]);
        }
    }
}
