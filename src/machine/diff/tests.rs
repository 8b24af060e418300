use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::machine::observed::{
    ChainState, ContainerState, Facts, FirewallState, ImageState, Kind, Owner, PathState,
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
                rules: 10 + firewall.ports.len(),
                jumps: vec!["-A PREROUTING -i foo+ -j FOO".into()],
            },
            v6: None,
            boot: Boot::Installed,
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
fn a_changed_limit_is_an_update_of_that_one_container() {
    let mut desired = desired(&["alice", "bob"]);
    let observed = applied(&desired);
    desired.containers[1].limits.memory = Some("4g".parse().unwrap());
    assert_eq!(
        lines(&plan(&desired, &observed)),
        ["change limits of ws-alice (memory none → 4g)"]
    );
    // As much as the machine has is no limit.
    desired.containers[1].limits.memory = Some("8g".parse().unwrap());
    desired.containers[1].limits.cpus = Some("4".parse().unwrap());
    assert!(plan(&desired, &observed).is_empty());
}

#[test]
fn another_image_is_held_for_a_workspace_and_done_for_the_gateway() {
    let mut desired = desired(&["alice"]);
    let observed = applied(&desired);
    for container in &mut desired.containers {
        container.image = "workspace:2".into();
    }
    let held = plan(&desired, &observed);
    assert_eq!(
        lines(&held),
        ["recreate container gateway (image traefik:v3 → workspace:2)"]
    );
    assert_eq!(
        held.held[0].to_string(),
        "ws-alice must be made anew (image workspace:1 → workspace:2), \
         which loses what was installed in the container and stops what runs"
    );
    assert_eq!(
        lines(&recreating(&desired, &observed))[1],
        "recreate container ws-alice (image workspace:1 → workspace:2): \
         loses what was installed in the container and stops what runs"
    );
}

/// Alice where she would be with another slot.
fn alice_elsewhere(pool: &str, network: &str) -> Desired {
    let mut desired = desired(&["alice"]);
    desired.firewall.as_mut().unwrap().pool = pool.parse().unwrap();
    desired.networks[0].subnet = network.parse().unwrap();
    desired.containers[1].network = Attachment::Bridge {
        network: "net-alice".into(),
        address: "10.99.0.2".parse().unwrap(),
    };
    desired.files[1].content = Content::Plain("elsewhere".into());
    desired.files.push(File {
        leads_to: None,
        ..file("access/alice", "publishers", "alice".parse().ok().as_ref())
    });
    desired
}

#[test]
fn a_workspace_that_is_held_is_reached_as_before() {
    let observed = applied(&desired(&["alice"]));
    let desired = alice_elsewhere("10.90.0.0/16", "10.90.0.16/29");
    let held = plan(&desired, &observed);
    assert_eq!(lines(&held), ["write access/alice"]);
    assert_eq!(held.held.len(), 2);
    assert_eq!(held.ready, ["gateway"]);
    assert_eq!(held.notes, [""; 0]);
    assert_eq!(
        lines(&recreating(&desired, &observed)),
        [
            "remove container ws-alice (its network is made anew)",
            "remove network net-alice (it is made anew)",
            "change routes/user-alice.yml",
            "write access/alice",
            "create network net-alice (10.90.0.16/29)",
            "create container ws-alice",
        ]
    );
}

#[test]
fn a_workspace_that_is_held_under_another_path_is_reached_as_before() {
    let observed = applied(&desired(&["alice"]));
    let mut desired = desired(&["alice"]);
    desired.containers[1]
        .environment
        .insert("BASE".into(), Secret::new("dt/alice"));
    desired.files[1].content = Content::Plain("elsewhere".into());
    let held = plan(&desired, &observed);
    assert!(held.is_empty() && held.held.len() == 1, "{held:?}");
    assert_eq!(held.ready, ["gateway"]);
}

#[test]
fn a_workspace_that_is_held_for_its_image_gets_a_new_route_and_is_probed() {
    let observed = applied(&desired(&["alice"]));
    let mut desired = desired(&["alice"]);
    desired.containers[1].image = "workspace:2".into();
    desired.files[1].content = Content::Plain("another password".into());
    let held = plan(&desired, &observed);
    assert_eq!(held.held.len(), 1);
    assert_eq!(lines(&held), ["change routes/user-alice.yml"]);
    assert_eq!(held.ready, ["gateway", "ws-alice"]);
}

#[test]
fn a_missing_route_does_not_lead_where_a_held_workspace_is_not() {
    let mut observed = applied(&desired(&["alice"]));
    observed.paths.remove(Path::new("routes/user-alice.yml"));
    let held = plan(&alice_elsewhere("10.90.0.0/16", "10.90.0.16/29"), &observed);
    assert_eq!(lines(&held), ["write access/alice"]);
    assert_eq!(
        held.notes,
        [
            "routes/user-alice.yml is missing, and is not written while ws-alice is not what it would lead to"
        ]
    );
}

#[test]
fn another_pool_is_refused_while_a_workspace_keeps_its_network() {
    let observed = applied(&desired(&["alice"]));
    let desired = alice_elsewhere("10.99.0.0/16", "10.99.0.0/29");
    let refused = plan(&desired, &observed).refused;
    assert_eq!(refused.len(), 1);
    assert_eq!(
        refused[0].message,
        "network.pool is 10.99.0.0/16 now, while these workspaces keep their old networks: alice"
    );
    assert_eq!(recreating(&desired, &observed).refused, []);
}

#[test]
fn a_workspace_that_never_ran_has_nothing_to_lose() {
    let mut desired = desired(&["alice"]);
    let mut observed = applied(&desired);
    let state = observed.containers.get_mut("ws-alice").unwrap();
    (state.run, state.started) = (Run::Created, false);
    assert_eq!(
        lines(&plan(&desired, &observed)),
        ["start container ws-alice (it was made and never started)"]
    );
    desired.containers[1].command = vec!["lab".into()];
    assert_eq!(
        lines(&plan(&desired, &observed)),
        ["recreate container ws-alice (command)"]
    );
}

#[test]
fn what_is_not_ours_is_refused() {
    let desired = desired(&["alice"]);
    let mut observed = applied(&desired);
    observed
        .containers
        .get_mut("ws-alice")
        .unwrap()
        .owner
        .deployment = Some("other".into());
    observed.networks.get_mut("net-alice").unwrap().owner = Owner::default();
    let plan = plan(&desired, &observed);
    assert!(plan.steps.is_empty());
    let refused: Vec<&str> = plan
        .refused
        .iter()
        .map(|one| one.message.as_str())
        .collect();
    assert_eq!(
        refused,
        [
            "there is a network named net-alice that was not made by this program; it is left alone, and the one of foo cannot be made",
            "there is a container named ws-alice that belongs to the deployment other; it is left alone, and the one of foo cannot be made",
        ]
    );
}

#[test]
fn a_deployment_of_the_same_name_in_another_directory_is_left_alone() {
    let first = desired(&["alice"]);
    let mut second = desired(&["bob"]);
    second.root = "/srv/copy-of-foo".into();
    let mut observed = applied(&first);
    observed.firewall = applied(&second).firewall;
    let plan = plan(&second, &observed);
    let refused: Vec<String> = plan.refused.iter().map(|one| one.message.clone()).collect();
    let left_alone = |what: &str| {
        format!(
            "the {what} belongs to a deployment named foo in another directory; it is left alone"
        )
    };
    assert_eq!(
        refused,
        [
            left_alone("network net-alice"),
            left_alone("container ws-alice"),
            left_alone("container gateway"),
        ]
    );
    assert_eq!(
        plan.refused[0].hint,
        "give the one in /srv/copy-of-foo another `name:` in dtaas.yaml; or, if it was moved there, move it back, \
         take it down (dtaas down), move it again and bring it up"
    );

    let down = Desired::nothing(second.deployment.clone(), second.root.clone());
    let down = diff(&down, &observed, &DiffOptions::default());
    assert_eq!(down.refused.len(), 3);
    let removes = |step: &&Step| {
        matches!(
            step.phase(),
            Phase::RemoveContainers | Phase::RemoveNetworks
        )
    };
    assert_eq!(down.steps.iter().find(removes), None);
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
        scope: Scope::User("bob".parse().unwrap()),
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
fn differences_of_files_are_shown_and_those_of_secret_ones_are_not() {
    let mut desired = desired(&[]);
    let observed = applied(&desired);
    desired.files[0].content = Content::Plain("PORT=2\n".into());
    let shown = plan(&desired, &observed);
    assert_eq!(lines(&shown), ["change lib.env"]);
    assert_eq!(shown.steps[0].detail(), ["-PORT=1", "+PORT=2"]);

    desired.files[0].content = Content::Secret(Secret::new("PORT=2\n"));
    let masked = plan(&desired, &observed);
    assert_eq!(lines(&masked), ["change lib.env (secret content differs)"]);
    assert_eq!(masked.steps[0].detail(), [""; 0]);
}

#[test]
fn what_a_user_puts_in_place_of_a_folder_holds_nothing_up() {
    let mut desired = desired(&["alice"]);
    let alice = "alice".parse().unwrap();
    desired.directories.push(Directory {
        yielding: true,
        ..directory("files/alice/data", Some(&alice))
    });
    let mut observed = applied(&desired);
    for (kind, what) in [
        (Kind::File, "a file"),
        (Kind::Link, "a symbolic link"),
        (Kind::Other, "no regular file"),
    ] {
        observed
            .paths
            .insert("files/alice/data".into(), path(kind, 0o777, None));
        let plan = plan(&desired, &observed);
        assert!(plan.is_empty(), "{plan:?}");
        assert_eq!(
            plan.notes,
            [format!(
                "files/alice/data is {what}, where a directory is expected; it is left as it is"
            )]
        );
    }
    // What is mounted must be a directory.
    observed
        .paths
        .insert("routes".into(), path(Kind::Link, 0o777, None));
    assert_eq!(
        plan(&desired, &observed).refused[0].message,
        "routes is in the way: it is no directory"
    );
}

#[test]
fn what_guards_others_files_gets_its_owner_and_mode_back() {
    let mut desired = desired(&[]);
    desired.directories = vec![Directory {
        mode: 0o700,
        owner: Some((1000, 100)),
        ..directory("files", None)
    }];
    let mut observed = applied(&desired);
    let mut with = |mode, owner| {
        let state = PathState {
            owner,
            ..path(Kind::Directory, mode, None)
        };
        observed.paths.insert("files".into(), state);
        lines(&plan(&desired, &observed))
    };
    assert_eq!(
        with(0o755, Some((0, 0))),
        ["set owner of files (0:0 → 1000:100)"]
    );
    assert_eq!(
        with(0o755, Some((1000, 100))),
        ["set mode of files (755 → 700)"]
    );
    assert_eq!(with(0o700, Some((1000, 100))), [""; 0]);
    // Who is not root cannot change it, and did not look.
    assert_eq!(with(0o700, None), [""; 0]);
}

#[test]
fn what_stopped_is_started_and_what_crashes_is_restarted() {
    let desired = desired(&["alice"]);
    let mut observed = applied(&desired);
    let mut with = |run, exit_code| {
        let state = observed.containers.get_mut("ws-alice").unwrap();
        (state.run, state.exit_code) = (run, Some(exit_code));
        lines(&plan(&desired, &observed))
    };
    assert_eq!(
        with(Run::Exited, 137),
        ["start container ws-alice (it stopped with exit code 137)"]
    );
    assert_eq!(
        with(Run::Restarting, 1),
        ["restart container ws-alice (it keeps crashing, with exit code 1)"]
    );
    assert_eq!(
        with(Run::Paused, 0),
        ["start container ws-alice (it is paused)"]
    );
    assert_eq!(
        with(Run::Dead, 0),
        ["recreate container ws-alice (the engine gave it up)"]
    );
}

#[test]
fn parts_that_exchange_addresses_go_before_any_is_made() {
    let mut desired = desired(&[]);
    let at = |port| vec![SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)];
    for name in ["website", "library"] {
        let part = Container {
            name: name.into(),
            ..desired.containers[0].clone()
        };
        desired.containers.push(part);
    }
    for (container, port) in desired.containers.iter_mut().zip([80, 4000, 4001]) {
        container.listens = at(port);
    }
    let observed = applied(&desired);
    for (container, port) in desired.containers.iter_mut().zip([81, 4001, 4000]) {
        container.listens = at(port);
        container.command = vec![port.to_string()];
    }
    assert_eq!(
        lines(&plan(&desired, &observed)),
        [
            "remove container website (an address goes from one part to another)",
            "remove container library (an address goes from one part to another)",
            "recreate container gateway (command)",
            "create container website",
            "create container library",
        ]
    );
}

#[test]
fn a_part_is_not_moved_to_an_address_that_is_taken() {
    let mut desired = desired(&[]);
    let mut observed = applied(&desired);
    desired.containers[0].command = vec!["--port=8080".into()];
    observed.taken = vec![Taken {
        address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080),
        container: "gateway".into(),
        holder: Some("nginx (process 812)".into()),
    }];
    assert_eq!(
        plan(&desired, &observed).refused[0].message,
        "gateway needs 127.0.0.1:8080, and nginx (process 812) listens there already"
    );
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

#[test]
fn an_own_image_goes_when_nothing_that_stays_was_made_of_it() {
    let mut desired = desired(&["alice"]);
    let mut observed = applied(&desired);
    let old = ImageState {
        id: "sha256:old".into(),
        owner: Owner::of(&desired),
    };
    for copy in ["mine/foo:old", "dtaas-self/foo.com:old", "sha256:old"] {
        observed.images.insert(copy.into(), old.clone());
    }
    observed.images.insert("dtaas-self/foo:old".into(), old);
    let alice = observed.containers.get_mut("ws-alice").unwrap();
    alice.image_id = "sha256:old".into();
    assert!(plan(&desired, &observed).is_empty());

    desired.containers[1].image = "workspace:2".into();
    assert!(plan(&desired, &observed).is_empty());
    let recreating = lines(&recreating(&desired, &observed));
    assert_eq!(recreating[1..], ["remove image dtaas-self/foo:old"]);
}

fn changed() -> impl Strategy<Value = Desired> {
    let users = prop::sample::subsequence(vec!["alice", "bob", "carol", "dave"], 0..=4);
    let change = (any::<bool>(), any::<bool>(), 0i64..3, any::<bool>());
    (users, prop::collection::vec(change, 5)).prop_map(|(users, changes)| {
        let mut desired = desired(&users);
        for (container, (running, image, pids, token)) in desired.containers.iter_mut().zip(changes)
        {
            container.running = running;
            container.limits.pids = (pids > 0).then_some(pids);
            if image {
                container.image = "traefik:v3".into();
            }
            if token {
                container
                    .environment
                    .insert("TOKEN".into(), Secret::new("other"));
            }
        }
        desired
    })
}

proptest! {
    #[test]
    fn what_was_applied_differs_in_nothing(desired in changed()) {
        let plan = plan(&desired, &applied(&desired));
        prop_assert!(plan.is_empty() && plan.held.is_empty(), "{plan:?}");
    }

    #[test]
    fn without_being_asked_no_workspace_is_ever_removed(
        before in changed(),
        after in changed(),
    ) {
        let plan = plan(&after, &applied(&before));
        for container in before.containers.iter().filter(|container| container.precious) {
            for step in &plan.steps {
                if let Step::RemoveContainer { name, .. } | Step::RecreateContainer { name, .. } = step {
                    prop_assert_ne!(name, &container.name);
                }
            }
        }
    }

    #[test]
    fn no_secret_is_in_a_plan(before in changed(), after in changed()) {
        let text = serde_json::to_string(&plan(&after, &applied(&before))).unwrap();
        prop_assert!(!text.contains("hunter2"));
    }
}
