//! The machine engine on a real docker engine.

use std::net::TcpListener;

use dtaas::machine::diff::{DiffOptions, Recreate, Scope};
use dtaas::platform::desired::{Limits, Probe};
use dtaas::secrets::Secret;

use crate::machine_lab::{Lab, docker, free_port, lines, packet_filter, rig, started};

#[tokio::test]
async fn from_nothing_to_running_and_back_to_nothing() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(1).await;
    lab.add_part("website", free_port());
    lab.add_user("alice", 0);
    lab.add_user("bob.b-c_d", 1);

    let plan = lab.plan().await;
    let image = lab.desired.images[0].reference().to_owned();
    let (alice, bob) = (lab.name("alice"), lab.name("bob.b-c_d"));
    assert_eq!(
        lines(&plan),
        [
            "make directory files (755)",
            "make directory files/alice (755)",
            "make directory files/bob.b-c_d (755)",
            "write routes/user-alice.yml",
            "write routes/user-bob.b-c_d.yml",
            &format!("make image {image} of this executable"),
            &format!("create network {alice} ({})", lab.subnet(0)),
            &format!("create network {bob} ({})", lab.subnet(1)),
            &format!("set firewall rules {} (iptables has none)", lab.chain()),
            &format!("create container {}", lab.name("website")),
            &format!("create container {alice}"),
            &format!("create container {bob}"),
        ]
    );
    lab.apply(&plan).await.result().unwrap();
    assert!(packet_filter(&lab.chain()).len() > 10);

    let again = lab.plan().await;
    assert!(again.is_empty(), "{again:?}");
    assert!(again.held.is_empty(), "{again:?}");

    lab.down().await;
    for list in [
        &["ps", "-aq"][..],
        &["network", "ls", "-q"],
        &["images", "-q"],
    ] {
        assert_eq!(lab.ours(list), "");
    }
    assert_eq!(packet_filter(&lab.chain()), [""; 0]);
    assert!(lab.desired.root.join("routes/user-alice.yml").exists());
}

#[tokio::test]
async fn a_workspace_reaches_the_gateways_ports_and_nothing_else_of_the_machine() {
    if !rig() {
        return;
    }
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    let closed = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let mut lab = Lab::new(2).await;
    lab.add_user("alice", 0);
    lab.add_user("bob", 1);
    lab.desired.firewall.as_mut().unwrap().ports = vec![port(&open)];
    lab.up().await;

    let own_gateway = lab.host(1);
    let docker0 = docker0();
    assert!(lab.reaches("alice", &format!("{own_gateway}:{}", port(&open))));
    assert!(lab.reaches("alice", &format!("{docker0}:{}", port(&open))));
    assert!(!lab.reaches("alice", &format!("{own_gateway}:{}", port(&closed))));
    assert!(!lab.reaches("alice", &format!("{docker0}:{}", port(&closed))));
    // Bob's bridge has an address of the machine.
    assert!(!lab.reaches("alice", &format!("{}:{}", lab.host(9), port(&closed))));
    assert!(!lab.reaches("alice", &format!("{}:8080", lab.address(1))));
    assert!(lab.reaches("alice", &format!("{}:8080", lab.address(0))));

    // The same without the rules: it is they that keep it closed.
    lab.desired.firewall = None;
    lab.up().await;
    assert!(lab.reaches("alice", &format!("{own_gateway}:{}", port(&closed))));
}

#[tokio::test]
async fn limits_change_live_and_go_again() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(3).await;
    lab.add_user("alice", 0);
    let limits = |cpus: &str, memory: &str, pids| Limits {
        cpus: Some(cpus.parse().unwrap()),
        memory: Some(memory.parse().unwrap()),
        pids: Some(pids),
    };
    lab.up().await;
    let before = started(&lab, "alice");

    for (limits, change) in [
        (
            limits("0.5", "256m", 100),
            "cpus none → 0.5, memory none → 256m, pids none → 100",
        ),
        (
            limits("1.5", "512m", 200),
            "cpus 0.5 → 1.5, memory 256m → 512m, pids 100 → 200",
        ),
        (
            limits("0.5", "128m", 50),
            "cpus 1.5 → 0.5, memory 512m → 128m, pids 200 → 50",
        ),
        (
            Limits::default(),
            "cpus 0.5 → none, memory 128m → none, pids 50 → none",
        ),
    ] {
        lab.container_mut("alice").limits = limits;
        let plan = lab.plan().await;
        assert_eq!(
            lines(&plan),
            [format!("change limits of {} ({change})", lab.name("alice"))]
        );
        lab.apply(&plan).await.result().unwrap();
        let again = lab.plan().await;
        assert!(again.is_empty(), "{again:?}");
    }
    assert_eq!(started(&lab, "alice"), before);

    // As much as the machine has is as good as none, also from the start.
    let machine = lab.engine.facts().clone();
    let (all, memory) = (machine.processors.to_string(), machine.memory.to_string());
    lab.container_mut("alice").limits = limits(&all, &memory, 100);
    lab.desired.containers[0]
        .environment
        .insert("A".into(), Secret::new("b"));
    let plan = lab.plan_recreating().await;
    lab.apply(&plan).await.result().unwrap();
    let again = lab.plan().await;
    assert!(again.is_empty(), "{again:?}");

    // More was meant for another machine.
    lab.container_mut("alice").limits = limits("512", "9000g", 100);
    lab.desired.containers[0]
        .environment
        .insert("A".into(), Secret::new("c"));
    let refused = lab.plan_recreating().await.refused;
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(
        refused[1]
            .message
            .starts_with("workspace.limits.memory is 9000g (dtaas.yaml), and this machine has "),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_workspace_is_made_anew_only_when_that_is_asked_for() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(4).await;
    lab.add_user("alice", 0);
    lab.add_user("bob", 1);
    lab.up().await;
    let before = started(&lab, "alice");

    let alice = lab.container_mut("alice");
    alice
        .environment
        .insert("TOKEN".into(), Secret::new("hunter2"));
    alice.mounts.clear();
    let plan = lab.plan().await;
    assert!(plan.is_empty());
    assert_eq!(
        plan.held[0].to_string(),
        format!(
            "{} must be made anew (environment: TOKEN, mounts: -/workspace), \
             which loses what was installed in the container and stops what runs",
            lab.name("alice")
        )
    );
    lab.apply(&plan).await.result().unwrap();
    assert_eq!(started(&lab, "alice"), before);

    let bob = DiffOptions {
        recreate: Recreate::Users(["bob".parse().unwrap()].into()),
        ..DiffOptions::default()
    };
    assert!(lab.plan_with(&bob).await.is_empty());

    let plan = lab.plan_recreating().await;
    assert_eq!(
        lines(&plan),
        [format!(
            "recreate container {} (environment: TOKEN, mounts: -/workspace): \
                 loses what was installed in the container and stops what runs",
            lab.name("alice")
        )]
    );
    lab.apply(&plan).await.result().unwrap();
    assert_ne!(started(&lab, "alice"), before);
    assert!(lab.plan().await.is_empty());
}

#[tokio::test]
async fn a_network_is_made_anew_with_its_workspace_when_that_is_asked_for() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(5).await;
    lab.add_user("alice", 0);
    lab.up().await;
    lab.desired.networks[0].subnet = lab.subnet(2).parse().unwrap();
    lab.desired.networks[0].gateway = lab.host(17);
    let (network, address) = (lab.name("alice"), lab.address(2));
    let alice = lab.container_mut("alice");
    alice.network = dtaas::platform::desired::Attachment::Bridge { network, address };
    alice
        .environment
        .insert("LAB_SERVE".into(), Secret::new(format!("{address}:8080")));
    alice.ready = Some(Probe::of(
        std::net::SocketAddrV4::new(address, 8080),
        "/",
        30,
    ));

    let plan = lab.plan().await;
    assert!(plan.steps.is_empty(), "{:?}", lines(&plan));
    assert_eq!(plan.held.len(), 2);

    let plan = lab.plan_recreating().await;
    let alice = lab.name("alice");
    assert_eq!(
        lines(&plan),
        [
            format!("remove container {alice} (its network is made anew)"),
            format!("remove network {alice} (it is made anew)"),
            format!("create network {alice} ({})", lab.subnet(2)),
            format!("create container {alice}"),
        ]
    );
    lab.apply(&plan).await.result().unwrap();
    assert!(lab.plan().await.is_empty());
}

#[tokio::test]
async fn what_is_not_ours_is_refused_whatever_its_name() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(6).await;
    lab.add_user("alice", 0);
    let image = lab.desired.images[0].reference().to_owned();
    lab.up().await;
    let (bob, foreign) = (&lab.name("bob"), &lab.name("foreign"));
    docker(&["create", "--name", bob, &image]);
    docker(&["network", "create", "--subnet", &lab.subnet(1), bob]);
    docker(&["network", "create", "--subnet", &lab.subnet(2), foreign]);
    lab.add_user("bob", 1);
    lab.add_user("carol", 2);

    let plan = lab.plan().await;
    let outcome = dtaas::machine::apply::apply(
        &lab.engine,
        &lab.desired,
        &plan,
        &Default::default(),
        &|_| {},
    )
    .await;
    let scoped = DiffOptions {
        scope: Scope::Users(["bob".parse().unwrap()].into()),
        ..Default::default()
    };
    let scoped = lab.plan_with(&scoped).await;
    docker(&["rm", "-f", bob]);
    docker(&["network", "rm", bob, foreign]);

    let own = &lab.desired.deployment;
    let refused: Vec<&str> = plan
        .refused
        .iter()
        .map(|one| one.message.as_str())
        .collect();
    assert_eq!(
        refused,
        [
            format!(
                "there is a network named {bob} that was not made by this program; it is left alone, and the one of {own} cannot be made"
            ),
            format!(
                "the network {foreign} has addresses that {} needs ({})",
                lab.name("carol"),
                lab.subnet(2)
            ),
            format!(
                "there is a container named {bob} that was not made by this program; it is left alone, and the one of {own} cannot be made"
            ),
        ]
    );
    assert!(
        outcome
            .unwrap_err()
            .to_string()
            .contains("nothing was done")
    );
    assert_eq!(scoped.refused.len(), 2);
    assert!(!lab.desired.root.join("routes/user-carol.yml").exists());
}

#[tokio::test]
async fn a_disabled_users_workspace_is_stopped_and_kept() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(7).await;
    lab.add_user("alice", 0);
    lab.up().await;
    let id = |lab: &Lab| docker(&["inspect", "-f", "{{.Id}}", &lab.name("alice")]);
    let before = id(&lab);

    lab.container_mut("alice").running = false;
    assert_eq!(
        lines(&lab.plan().await),
        [format!("stop container {}", lab.name("alice"))]
    );
    lab.up().await;
    assert!(lab.plan().await.is_empty());

    lab.container_mut("alice").running = true;
    assert_eq!(
        lines(&lab.plan().await),
        [format!(
            "start container {} (it stopped with exit code 0)",
            lab.name("alice")
        )]
    );
    lab.up().await;
    assert_eq!(id(&lab), before);

    docker(&["pause", &lab.name("alice")]);
    assert_eq!(
        lines(&lab.plan().await),
        [format!(
            "start container {} (it is paused)",
            lab.name("alice")
        )]
    );
    lab.up().await;
    assert!(lab.plan().await.is_empty());

    docker(&["pause", &lab.name("alice")]);
    lab.container_mut("alice").running = false;
    lab.up().await;
    assert!(lab.plan().await.is_empty());
}

#[tokio::test]
async fn one_user_is_added_and_removed_without_touching_another() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(8).await;
    lab.add_user("alice", 0);
    lab.up().await;
    let alice = started(&lab, "alice");
    // Alice's limits are due as well; that is not what is asked for now.
    lab.container_mut("alice").limits.pids = Some(77);
    lab.add_user("bob", 1);
    let bob = DiffOptions {
        scope: Scope::Users(["bob".parse().unwrap()].into()),
        remove_workspaces: true,
        ..Default::default()
    };
    let plan = lab.plan_with(&bob).await;
    assert_eq!(
        lines(&plan),
        [
            "make directory files/bob (755)".to_owned(),
            "write routes/user-bob.yml".to_owned(),
            format!("create network {} ({})", lab.name("bob"), lab.subnet(1)),
            format!("create container {}", lab.name("bob")),
        ]
    );
    lab.apply(&plan).await.result().unwrap();
    assert!(lab.plan_with(&bob).await.is_empty());
    assert_eq!(lab.plan().await.steps.len(), 1);

    let bobs = |user: &Option<dtaas::spec::names::UserName>| {
        user.as_ref().is_some_and(|user| user.as_str() == "bob")
    };
    lab.desired.files.retain(|file| !bobs(&file.user));
    lab.desired.absent = vec!["routes/user-bob.yml".into()];
    lab.desired
        .networks
        .retain(|network| network.user.as_str() != "bob");
    lab.desired
        .containers
        .retain(|container| !bobs(&container.user));
    lab.desired
        .directories
        .retain(|directory| !bobs(&directory.user));
    let plan = lab.plan_with(&bob).await;
    assert_eq!(
        lines(&plan),
        [
            "remove routes/user-bob.yml".to_owned(),
            format!("remove container {}", lab.name("bob")),
            format!("remove network {}", lab.name("bob")),
        ]
    );
    lab.apply(&plan).await.result().unwrap();
    assert_eq!(started(&lab, "alice"), alice);
}

/// The machine's address on the engine's own bridge.
fn docker0() -> String {
    let shown = std::process::Command::new("ip")
        .args(["-4", "-oneline", "address", "show", "docker0"])
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let address = shown.split_whitespace().nth(3).unwrap();
    address.split('/').next().unwrap().to_owned()
}
