//! The machine engine on a real docker engine.

use std::net::TcpListener;
use std::path::Path;

use dtaas::machine::diff::{DiffOptions, Recreate, Scope};
use dtaas::machine::docker::Engine;
use dtaas::machine::files::Tree;
use dtaas::machine::plan::Step;
use dtaas::platform::desired::{Limits, Probe};
use dtaas::secrets::Secret;

use crate::machine_lab::{Lab, docker, lines, packet_filter, rig};

/// A port of the host that nothing listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn started(lab: &Lab, name: &str) -> String {
    docker(&[
        "inspect",
        "-f",
        "{{.Id}} {{.State.StartedAt}}",
        &lab.name(name),
    ])
}

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
    assert_eq!(
        lines(&plan),
        [
            "make directory files (755)",
            "make directory files/alice (755)",
            "make directory files/bob.b-c_d (755)",
            "write routes/user-alice.yml",
            "write routes/user-bob.b-c_d.yml",
            &format!("make image {image} of this executable"),
            "create network machine-1-alice (10.201.1.0/29)",
            "create network machine-1-bob.b-c_d (10.201.1.8/29)",
            "set firewall rules MACHINE-1 (iptables has none)",
            "create container machine-1-website",
            "create container machine-1-alice",
            "create container machine-1-bob.b-c_d",
        ]
    );
    lab.apply(&plan).await.result().unwrap();
    assert!(packet_filter("MACHINE-1").len() > 10);

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
    assert_eq!(packet_filter("MACHINE-1"), [""; 0]);
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

    let own_gateway = "10.201.2.1";
    let docker0 = "172.17.0.1";
    assert!(lab.reaches("alice", &format!("{own_gateway}:{}", port(&open))));
    assert!(lab.reaches("alice", &format!("{docker0}:{}", port(&open))));
    assert!(!lab.reaches("alice", &format!("{own_gateway}:{}", port(&closed))));
    assert!(!lab.reaches("alice", &format!("{docker0}:{}", port(&closed))));
    // Bob's bridge has an address of the machine.
    assert!(!lab.reaches("alice", &format!("10.201.2.9:{}", port(&closed))));
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
            [format!("change limits of machine-3-alice ({change})")]
        );
        lab.apply(&plan).await.result().unwrap();
        let again = lab.plan().await;
        assert!(again.is_empty(), "{again:?}");
    }
    assert_eq!(started(&lab, "alice"), before);

    // More than the machine has is as good as none, also from the start.
    lab.container_mut("alice").limits = limits("512", "9000g", 100);
    lab.desired.containers[0]
        .environment
        .insert("A".into(), Secret::new("b"));
    let plan = lab.plan_recreating().await;
    lab.apply(&plan).await.result().unwrap();
    let again = lab.plan().await;
    assert!(again.is_empty(), "{again:?}");
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
        "machine-4-alice must be made anew (environment: TOKEN, mounts: -/workspace), \
         which loses what was installed in the container and stops what runs"
    );
    lab.apply(&plan).await.result().unwrap();
    assert_eq!(started(&lab, "alice"), before);

    let bob = DiffOptions {
        recreate: Recreate::Users(["bob".parse().unwrap()].into()),
        scope: Scope::All,
    };
    assert!(lab.plan_with(&bob).await.is_empty());

    let plan = lab.plan_recreating().await;
    assert_eq!(
        lines(&plan),
        [
            "recreate container machine-4-alice (environment: TOKEN, mounts: -/workspace): \
          loses what was installed in the container and stops what runs"
        ]
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
    lab.desired.networks[0].subnet = "10.201.5.16/29".parse().unwrap();
    lab.desired.networks[0].gateway = "10.201.5.17".parse().unwrap();
    let (network, address) = (lab.name("alice"), lab.address(2));
    let alice = lab.container_mut("alice");
    alice.network = dtaas::platform::desired::Attachment::Bridge { network, address };
    alice
        .environment
        .insert("LAB_SERVE".into(), Secret::new(format!("{address}:8080")));
    alice.ready = Some(Probe::Tcp {
        address: std::net::SocketAddrV4::new(address, 8080),
        deadline_seconds: 30,
    });

    let plan = lab.plan().await;
    assert!(plan.steps.is_empty(), "{:?}", lines(&plan));
    assert_eq!(plan.held.len(), 2);

    let plan = lab.plan_recreating().await;
    assert_eq!(
        lines(&plan),
        [
            "remove container machine-5-alice (its network is made anew)",
            "remove network machine-5-alice (it is made anew)",
            "create network machine-5-alice (10.201.5.16/29)",
            "create container machine-5-alice",
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
    let bob = "machine-6-bob";
    docker(&["create", "--name", bob, &image]);
    docker(&["network", "create", "--subnet", "10.201.6.8/29", bob]);
    docker(&[
        "network",
        "create",
        "--subnet",
        "10.201.6.16/29",
        "machine-6-foreign",
    ]);
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
        scope: Scope::User("bob".parse().unwrap()),
        ..Default::default()
    };
    let scoped = lab.plan_with(&scoped).await;
    docker(&["rm", "-f", bob]);
    docker(&["network", "rm", bob, "machine-6-foreign"]);

    let refused: Vec<&str> = plan
        .refused
        .iter()
        .map(|one| one.message.as_str())
        .collect();
    assert_eq!(
        refused,
        [
            "there is a network named machine-6-bob that was not made by this program; it is left alone, and the one of machine-6 cannot be made",
            "the network machine-6-foreign has addresses that machine-6-carol needs (10.201.6.16/29)",
            "there is a container named machine-6-bob that was not made by this program; it is left alone, and the one of machine-6 cannot be made",
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
    assert_eq!(lines(&lab.plan().await), ["stop container machine-7-alice"]);
    lab.up().await;
    assert!(lab.plan().await.is_empty());

    lab.container_mut("alice").running = true;
    assert_eq!(
        lines(&lab.plan().await),
        ["start container machine-7-alice (it stopped with exit code 0)"]
    );
    lab.up().await;
    assert_eq!(id(&lab), before);

    docker(&["pause", &lab.name("alice")]);
    assert_eq!(
        lines(&lab.plan().await),
        ["start container machine-7-alice (it is paused)"]
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
        scope: Scope::User("bob".parse().unwrap()),
        ..Default::default()
    };
    let plan = lab.plan_with(&bob).await;
    assert_eq!(
        lines(&plan),
        [
            "make directory files/bob (755)",
            "write routes/user-bob.yml",
            "create network machine-8-bob (10.201.8.8/29)",
            "create container machine-8-bob",
        ]
    );
    lab.apply(&plan).await.result().unwrap();
    assert!(lab.plan_with(&bob).await.is_empty());
    assert_eq!(lab.plan().await.steps.len(), 1);

    let bobs = |user: &Option<dtaas::spec::names::UserName>| {
        user.as_ref().is_some_and(|user| user.as_str() == "bob")
    };
    lab.desired.files.retain(|file| !bobs(&file.user));
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
            "remove routes/user-bob.yml",
            "remove container machine-8-bob",
            "remove network machine-8-bob",
        ]
    );
    lab.apply(&plan).await.result().unwrap();
    assert_eq!(started(&lab, "alice"), alice);
}

#[tokio::test]
async fn a_container_that_dies_is_reported_with_its_last_words_and_the_others_go_on() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(9).await;
    lab.add_user("alice", 0);
    lab.add_user("bob", 1);
    lab.add_user("carol", 2);
    let bob = lab.container_mut("bob");
    bob.environment = [(
        "LAB_DIE".to_owned(),
        Secret::new("no such file: settings.json"),
    )]
    .into();
    lab.container_mut("carol").mounts[0].source = "/nowhere/at/all".into();

    let outcome = lab.apply(&lab.plan().await).await;
    let message = outcome.result().unwrap_err().to_string();
    assert!(message.contains("2 things failed"), "{message}");
    assert!(
        message.contains("container machine-9-bob keeps crashing"),
        "{message}"
    );
    assert!(message.contains("no such file: settings.json"), "{message}");
    assert!(
        message.contains("bind source path does not exist: /nowhere/at/all"),
        "{message}"
    );
    assert!(started(&lab, "alice").contains("20"));
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_before_anything_is_done() {
    if !rig() {
        return;
    }
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let mut lab = Lab::new(10).await;
    lab.add_part("website", port);
    let plan = lab.plan().await;
    let message = &plan.refused[0].message;
    assert!(
        message.starts_with(&format!("machine-10-website needs 127.0.0.1:{port}, and ")),
        "{message}"
    );
    assert!(
        message.contains(&format!("(process {})", std::process::id())),
        "{message}"
    );
}

#[tokio::test]
async fn interrupted_after_any_step_the_next_run_does_the_rest() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(11).await;
    lab.add_user("alice", 0);
    lab.add_part("website", free_port());
    let all = lab.plan().await.steps.len();
    for steps in 0..all {
        let outcome = lab.apply_until(&lab.plan().await, steps).await;
        assert!(outcome.interrupted && outcome.done == steps, "{outcome:?}");
        let rest = lab.plan().await;
        assert_eq!(rest.steps.len(), all - steps, "{:?}", lines(&rest));
        lab.up().await;
        assert!(lab.plan().await.is_empty());
        lab.down().await;
        std::fs::remove_dir_all(lab.desired.root.join("files")).unwrap();
        std::fs::remove_dir_all(lab.desired.root.join("routes")).unwrap();
    }
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_names_itself_and_its_registry() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(12).await;
    lab.add_user("alice", 0);
    lab.add_part("website", free_port());
    let reference = format!("127.0.0.1:{}/nothing:1", free_port());
    lab.desired
        .images
        .push(dtaas::platform::desired::Image::Pull {
            reference: reference.clone(),
        });
    lab.container_mut("alice").image = reference.clone();
    let outcome = lab.apply(&lab.plan().await).await;
    assert_eq!(outcome.failures.len(), 1, "{outcome:?}");
    let message = &outcome.failures[0].message;
    let registry = reference.split_once('/').unwrap().0;
    assert!(
        message.starts_with(&format!(
            "image {reference} cannot be pulled from {registry}: "
        )),
        "{message}"
    );
    assert_eq!(outcome.skipped, 1);
    assert!(started(&lab, "website").contains("20"));
}

#[tokio::test]
async fn broken_off_in_the_middle_of_a_step_the_next_run_converges() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(13).await;
    lab.add_user("alice", 0);
    lab.add_user("bob", 1);
    lab.add_part("website", free_port());
    for round in 1..=6u64 {
        lab.desired.firewall.as_mut().unwrap().ports = vec![u16::try_from(round).unwrap()];
        for name in ["alice", "bob", "website"] {
            let variables = &mut lab.container_mut(name).environment;
            variables.insert("ROUND".into(), Secret::new(round.to_string()));
        }
        let plan = lab.plan_recreating().await;
        let pause = std::time::Duration::from_millis(round * 150);
        let _ = tokio::time::timeout(pause, lab.apply(&plan)).await;

        let rest = lab.plan_recreating().await;
        assert!(rest.refused.is_empty(), "{:?}", rest.refused);
        lab.apply(&rest).await.result().unwrap();
        // The engine may have finished making an image after we broke off, beside the one made since.
        let again = lab.plan().await;
        let mut steps = again.steps.iter();
        assert!(
            steps.all(|step| matches!(step, Step::RemoveImage { .. })),
            "{again:?}"
        );
        assert!(again.held.is_empty(), "{again:?}");
        lab.apply(&again).await.result().unwrap();
        assert!(lab.plan().await.is_empty());
    }
    lab.down().await;
}

#[test]
fn a_full_disk_is_one_error_and_leaves_nothing_behind() {
    if !rig() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(place.path())
        .status()
        .unwrap();
    assert!(mounted.success());
    let tree = Tree::open(place.path()).unwrap();
    let path = Path::new("lib.env");
    tree.write(path, 0o600, b"old").unwrap();
    let error = tree.write(path, 0o600, &[b'x'; 1 << 20]).unwrap_err();
    let kept = tree.read(path).unwrap();
    let names = tree.list(Path::new("")).unwrap();
    std::process::Command::new("umount")
        .arg("-l")
        .arg(place.path())
        .status()
        .unwrap();

    let failure = dtaas::error::failure_of(&error).unwrap();
    assert_eq!(
        failure.to_string(),
        format!("cannot write {}", place.path().join(path).display())
    );
    assert_eq!(
        failure.remedy(),
        Some("make room on that disk (df -h), then run this again")
    );
    assert_eq!(kept.unwrap(), b"old");
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn what_listens_but_is_no_engine_is_said_to_be_none() {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("docker.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            drop(stream);
        }
    });
    let error = Engine::connect(Some(&socket)).await.unwrap_err();
    assert_eq!(
        dtaas::error::failure_of(&error).unwrap().to_string(),
        format!(
            "what listens at {} does not answer as a docker engine",
            socket.display()
        )
    );
}
