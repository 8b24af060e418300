//! The machine engine when things go wrong.

use std::net::TcpListener;
use std::path::Path;

use dtaas::machine::docker::Engine;
use dtaas::machine::files::Tree;
use dtaas::machine::step::Step;
use dtaas::secrets::Secret;

use crate::machine_lab::{Lab, free_port, lines, rig, started};

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
    let elsewhere = tempfile::tempdir().unwrap();
    let mounted = elsewhere.path().join("data");
    lab.container_mut("carol").mounts[0].source = mounted.clone();
    let message = lab.plan().await.refused[0].message.clone();
    assert_eq!(
        message,
        format!(
            "workspaces are to mount {}, and there is no such directory on this machine",
            mounted.display()
        )
    );

    // Gone once it was looked at.
    std::fs::create_dir(&mounted).unwrap();
    let plan = lab.plan().await;
    std::fs::remove_dir(&mounted).unwrap();
    let outcome = lab.apply(&plan).await;
    let message = outcome.result().unwrap_err().to_string();
    assert!(message.contains("2 things failed"), "{message}");
    assert!(
        message.contains(&format!("container {} keeps crashing", lab.name("bob"))),
        "{message}"
    );
    assert!(message.contains("no such file: settings.json"), "{message}");
    assert!(
        message.contains(&format!(
            "bind source path does not exist: {}",
            mounted.display()
        )),
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
        message.starts_with(&format!(
            "{} needs 127.0.0.1:{port} (ports.website), and ",
            lab.name("website")
        )),
        "{message}"
    );
    assert!(
        message.contains(&format!("(process {})", std::process::id())),
        "{message}"
    );
}

#[tokio::test]
async fn a_part_that_cannot_have_its_new_port_keeps_running_on_the_old_one() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(16).await;
    lab.add_part("website", free_port());
    lab.up().await;
    let before = started(&lab, "website");

    let free = free_port();
    lab.move_part("website", free);
    let made_in_time = lab.plan().await;
    let _held = TcpListener::bind(("127.0.0.1", free)).unwrap();
    let made_too_late = lab.plan().await;
    let outcome = lab.apply(&made_in_time).await;

    let message = &made_too_late.refused[0].message;
    let taken = format!(
        "{} needs 127.0.0.1:{free} (ports.website), and ",
        lab.name("website")
    );
    assert!(message.starts_with(&taken), "{message}");
    assert!(
        outcome.failures[0].message.starts_with(&taken),
        "{outcome:?}"
    );
    assert_eq!(started(&lab, "website"), before);
}

#[tokio::test]
async fn two_parts_exchange_their_ports() {
    if !rig() {
        return;
    }
    let (one, other) = (free_port(), free_port());
    let mut lab = Lab::new(17).await;
    lab.add_part("website", one);
    lab.add_part("library", other);
    lab.up().await;
    lab.move_part("website", other);
    lab.move_part("library", one);
    lab.up().await;
    assert!(lab.plan().await.is_empty());
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
        let plan = lab.plan().await;
        let outcome = lab.apply_until(&plan, steps).await;
        // An image is not waited for: it is left as it was, or done before the interruption is seen.
        let in_hand = steps.checked_sub(1).map(|last| &plan.steps[last]);
        let given_up = matches!(in_hand, Some(Step::MakeImage { .. })) && outcome.done + 1 == steps;
        assert!(
            outcome.interrupted && (outcome.done == steps || given_up),
            "{outcome:?}"
        );
        let rest = lab.plan().await;
        assert_eq!(rest.steps.len(), all - outcome.done, "{:?}", lines(&rest));
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
        let again = lab.plan().await;
        assert!(again.is_empty() && again.held.is_empty(), "{again:?}");
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
