mod containers;
mod files;
mod held;
mod limits;
mod others;
mod pools;
mod properties;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use super::*;
use crate::machine::observed::{
    ChainState, ContainerState, Facts, FirewallState, Holder, ImageState, Kind, Owner, PathState,
    RawLimits, Run, Taken,
};
use crate::machine::step::Phase;
use crate::platform::desired::*;
use crate::secrets::Secret;

/// A deployment with a gateway and these users.
fn desired(users: &[&str]) -> Desired {
    let mut desired = Desired::nothing("foo".parse().unwrap(), "/srv/foo".into());
    desired.hash_key = Secret::new("key");
    desired.owned = vec!["routes".into()];
    desired.directories = vec![directory("routes", None)];
    desired.files = vec![file("lib.env", "PORT=1\n", None)];
    desired.images = vec![
        Image::Pull {
            reference: "traefik:v3".into(),
        },
        Image::Pull {
            reference: "workspace:1".into(),
        },
    ];
    desired.containers = vec![Container {
        name: "gateway".into(),
        component: Component::Gateway,
        user: None,
        image: "traefik:v3".into(),
        network: Attachment::Host,
        precious: false,
        ..workspace("gateway", 0)
    }];
    if !users.is_empty() {
        desired.firewall = Some(Firewall {
            chain: "FOO".into(),
            bridge_prefix: "foo".into(),
            pool: "10.90.0.0/16".parse().unwrap(),
            ports: vec![443],
            address: None,
        });
    }
    for (seat, user) in (0u8..).zip(users) {
        let name: UserName = user.parse().unwrap();
        desired
            .files
            .push(file(&format!("routes/user-{user}.yml"), user, Some(&name)));
        desired.networks.push(Network {
            name: format!("net-{user}"),
            bridge: format!("foo{seat}"),
            subnet: format!("10.90.0.{}/29", seat * 8).parse().unwrap(),
            gateway: Ipv4Addr::new(10, 90, 0, seat * 8 + 1),
            user: name,
        });
        desired.containers.push(workspace(user, seat));
    }
    desired
}

fn directory(path: &str, user: Option<&UserName>) -> Directory {
    Directory {
        path: path.into(),
        mode: 0o755,
        owner: None,
        enforce: true,
        yielding: false,
        user: user.cloned(),
    }
}

fn file(path: &str, text: &str, user: Option<&UserName>) -> File {
    File {
        path: path.into(),
        mode: 0o640,
        owner: None,
        content: Content::Plain(text.into()),
        user: user.cloned(),
        leads_to: user.map(|user| format!("ws-{user}")),
        reloads: None,
        kept: false,
    }
}

fn workspace(user: &str, seat: u8) -> Container {
    let address = Ipv4Addr::new(10, 90, 0, seat * 8 + 2);
    Container {
        name: format!("ws-{user}"),
        component: Component::Workspace,
        user: user.parse().ok(),
        image: "workspace:1".into(),
        command: Vec::new(),
        environment: BTreeMap::from([("TOKEN".to_owned(), Secret::new("hunter2"))]),
        mounts: Vec::new(),
        network: Attachment::Bridge {
            network: format!("net-{user}"),
            address,
        },
        hosts: Default::default(),
        listens: Vec::new(),
        run_as: None,
        read_only: false,
        capabilities: Capabilities::DefaultsWithout(Vec::new()),
        shm: None,
        limits: Limits::default(),
        config_digest: None,
        precious: true,
        running: true,
        ready: Some(Probe::of(SocketAddrV4::new(address, 8080), "/", 60)),
    }
}

/// The machine once all of it has been applied.
fn applied(desired: &Desired) -> Observed {
    let key = &desired.hash_key;
    let ours = Owner::of(desired);
    let mut observed = Observed {
        machine: Facts {
            processors: 4,
            memory: 8 << 30,
            ..Facts::default()
        },
        ..Observed::default()
    };
    for directory in &desired.directories {
        let state = path(Kind::Directory, directory.mode, None);
        observed.paths.insert(directory.path.clone(), state);
    }
    for file in &desired.files {
        let state = path(Kind::File, file.mode, Some(file.content.expose()));
        observed.paths.insert(file.path.clone(), state);
    }
    for image in &desired.images {
        let state = ImageState {
            id: "sha256:0".into(),
            owner: match image {
                Image::Own { .. } => ours.clone(),
                Image::Pull { .. } => Owner::default(),
            },
        };
        observed.images.insert(image.reference().to_owned(), state);
    }
    for network in &desired.networks {
        let state = NetworkState {
            owner: ours.clone(),
            user: Some(network.user.to_string()),
            hash: Some(hash::network(key, network)),
            subnets: vec![network.subnet],
            ..NetworkState::default()
        };
        observed.networks.insert(network.name.clone(), state);
    }
    for container in &desired.containers {
        let limits = container.limits.effective(&observed.machine);
        let state = ContainerState {
            owner: ours.clone(),
            user: container.user.as_ref().map(ToString::to_string),
            parts: hash::parts(key, container),
            listens: container.listens.clone(),
            image: container.image.clone(),
            run: if container.running {
                Run::Running
            } else {
                Run::Exited
            },
            started: true,
            limits: RawLimits {
                nano_cpus: limits.cpus.map_or(0, |cpus| cpus.nano),
                memory: limits.memory.map_or(0, |bytes| bytes.0 as i64),
                pids: limits.pids.unwrap_or(0),
            },
            mounts: container.mounts.clone(),
            environment: container
                .environment
                .iter()
                .map(|(name, value)| (name.clone(), hash::variable(key, name, value.expose())))
                .collect(),
            networks: container
                .network
                .network()
                .map(str::to_owned)
                .into_iter()
                .collect(),
            ..ContainerState::default()
        };
        observed.containers.insert(container.name.clone(), state);
    }
    if let Some(firewall) = &desired.firewall {
        observed.firewall = FirewallState {
            chain: firewall.chain.clone(),
            v4: ChainState {
                present: true,
                hash: Some(firewall::hash(firewall)),
                instance: Some(desired.instance()),
                rules: 10 + firewall.ports.len(),
                jumps: vec!["-A PREROUTING -i foo+ -j FOO".into()],
            },
            v6: None,
            boot: Boot::Installed,
            pools: Vec::new(),
        };
    }
    observed
}

fn path(kind: Kind, mode: u32, text: Option<&str>) -> PathState {
    PathState {
        kind,
        mode,
        owner: None,
        digest: text.map(sha256),
        text: text.map(str::to_owned),
    }
}

fn plan(desired: &Desired, observed: &Observed) -> Plan {
    diff(desired, observed, &DiffOptions::default())
}

fn recreating(desired: &Desired, observed: &Observed) -> Plan {
    let options = DiffOptions {
        recreate: Recreate::All,
        ..DiffOptions::default()
    };
    diff(desired, observed, &options)
}

/// What `down` and `user remove` ask for.
fn removing(desired: &Desired, observed: &Observed) -> Plan {
    let options = DiffOptions {
        remove_workspaces: true,
        ..DiffOptions::default()
    };
    diff(desired, observed, &options)
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(Step::describe).collect()
}

#[test]
fn where_there_is_nothing_everything_is_made_in_order() {
    let plan = plan(&desired(&["alice"]), &Observed::default());
    assert_eq!(
        lines(&plan),
        [
            "make directory routes (755)",
            "write lib.env",
            "write routes/user-alice.yml",
            "pull image traefik:v3",
            "pull image workspace:1",
            "create network net-alice (10.90.0.0/29)",
            "set firewall rules FOO (iptables has none)",
            "create container gateway",
            "create container ws-alice",
        ]
    );
    assert_eq!(plan.ready, ["gateway", "ws-alice"]);
}

#[test]
fn where_everything_is_as_it_should_be_there_is_nothing_to_do() {
    let desired = desired(&["alice", "bob"]);
    assert!(plan(&desired, &applied(&desired)).is_empty());
}

#[test]
fn a_removed_user_loses_the_route_first_then_container_and_network() {
    let observed = applied(&desired(&["alice", "bob"]));
    let all = [
        "remove routes/user-bob.yml",
        "remove container ws-bob",
        "remove network net-bob",
    ];
    assert_eq!(lines(&removing(&desired(&["alice"]), &observed)), all);
    assert_eq!(lines(&recreating(&desired(&["alice"]), &observed)), all);
}

#[test]
fn a_user_who_is_gone_without_a_word_loses_the_route_and_no_work() {
    let mut observed = applied(&desired(&["alice", "bob"]));
    let mut desired = desired(&["alice"]);
    let held = plan(&desired, &observed);
    assert_eq!(lines(&held), ["remove routes/user-bob.yml"]);
    assert_eq!(held.held.len(), 1);
    assert_eq!(
        held.held[0].to_string(),
        "ws-bob stays, though users/bob.yaml is gone: \
         removing it loses what was installed in the container and stops what runs"
    );
    assert_eq!(held.ready, ["gateway", "ws-alice"]);

    // Somebody else who needs the addresses waits.
    desired.networks[0].name = "net-carol".into();
    desired.networks[0].subnet = "10.90.0.8/29".parse().unwrap();
    assert_eq!(
        plan(&desired, &observed).refused[0].hint,
        "give alice another slot, or let go of what bob has: dtaas up --recreate bob"
    );

    // A workspace that never ran holds nothing.
    observed.containers.get_mut("ws-bob").unwrap().started = false;
    assert!(
        plan(&desired, &observed)
            .held
            .iter()
            .all(|held| held.name != "ws-bob")
    );
}

#[test]
fn a_subnet_given_to_another_user_is_free_by_then() {
    let mut observed = applied(&desired(&["bob"]));
    observed.firewall = applied(&desired(&["alice"])).firewall;
    let plan = removing(&desired(&["alice"]), &observed);
    assert_eq!(plan.refused, []);
    assert_eq!(plan.steps.len(), 6, "{:?}", lines(&plan));
}

#[test]
fn for_one_user_nothing_of_another_is_touched() {
    let observed = applied(&desired(&["alice"]));
    let mut desired = desired(&["alice", "bob"]);
    desired.containers[1].limits.pids = Some(5);
    desired.containers[1].running = false;
    desired.files[1].content = Content::Plain("changed".into());
    let options = DiffOptions {
        scope: Scope::Users(["bob".parse().unwrap()].into()),
        ..DiffOptions::default()
    };
    let plan = diff(&desired, &observed, &options);
    assert_eq!(
        lines(&plan),
        [
            "write routes/user-bob.yml",
            "create network net-bob (10.90.0.8/29)",
            "create container ws-bob",
        ]
    );
    assert_eq!(plan.ready, ["ws-bob"]);
}

#[test]
fn down_takes_everything_but_files() {
    let mut full = desired(&["alice"]);
    full.images.push(Image::Own {
        reference: "dtaas-self/foo:1".into(),
    });
    let nothing = Desired::nothing(full.deployment.clone(), full.root.clone());
    assert_eq!(
        lines(&removing(&nothing, &applied(&full))),
        [
            "remove container gateway",
            "remove container ws-alice",
            "remove network net-alice",
            "remove firewall rules FOO",
            "remove image dtaas-self/foo:1",
        ]
    );
}
