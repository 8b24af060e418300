//! What can happen to one of two machines in the middle of a run: it is said clearly, the other one is not disturbed, and the next run
//! does the rest.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::{Duration, Instant};

use super::fixture::{Cut, Kind, Service};
use super::two::Pair;
use crate::platform::deployment::Ran;
use crate::platform::steps::Steps;
use crate::rig::rig_with_machines;

/// Reads what a run says until it says this; answers the run, which goes on.
fn until_it_says(mut run: Child, words: &str) -> Child {
    let mut said = BufReader::new(run.stdout.take().unwrap());
    let mut all = String::new();
    loop {
        let from = all.len();
        let read = said.read_line(&mut all).unwrap();
        assert!(read > 0, "it never said {words:?}: {all}");
        if all[from..].contains(words) {
            break;
        }
    }
    // What it says from here on is read by nobody, and must not hold it up.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    run
}

fn ended(run: Child) -> (Ran, Duration) {
    let begun = Instant::now();
    let output = run.wait_with_output().unwrap();
    (Ran::of(output), begun.elapsed())
}

/// Has the next run do the rest, and the one after it nothing.
fn converges(pair: &Pair) {
    pair.dtaas(&["up"]).succeeded();
    let plan = pair.dtaas(&["plan", "--exit-code"]);
    assert_eq!(plan.code, Some(0), "{plan:?}");
}

#[test]
fn a_network_that_is_cut_in_the_middle_of_up_is_noticed_and_the_next_run_does_the_rest() {
    const TEST: &str = "machines::faults::a_network_that_is_cut_in_the_middle_of_up_is_noticed_and_the_next_run_does_the_rest";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let steps = Steps::of(TEST);
    let pair = steps.step("two machines, and init", || {
        Pair::new(&rig, &machines, "cut", "alice")
    });
    // Early, while files are written and images are pulled; and late, while containers are made.
    let moments = [
        ("pull image", Cut::Both, "while an image is pulled"),
        (
            "create container",
            Cut::Outgoing,
            "while containers are made",
        ),
    ];
    for (moment, cut, name) in moments {
        steps.step(&format!("cut {name}"), || {
            let run = until_it_says(pair.deployment.spawn(&["up", "--json"]), moment);
            pair.services.cut(cut);
            let (ran, took) = ended(run);
            pair.services.mend(cut);
            assert_eq!(ran.code, Some(1), "{ran:?}");
            assert!(
                ran.stderr.contains("lost the connection to services"),
                "{ran:?}"
            );
            // The other machine did all it had to, which may have taken longer.
            assert!(took < Duration::from_secs(60), "{took:?}");
            assert!(Pair::running(&pair.dtaas).contains(&pair.deployment.container("gateway")));
            pair.services.exec(&[
                "docker",
                "rm",
                "--force",
                &pair.deployment.container("rabbitmq"),
            ]);
            let image = format!("{}rabbitmq:3-management", rig.registry);
            // Gone, if it had come: there is something to pull again.
            pair.services.run(&["docker", "rmi", &image]);
        });
    }
    steps.step("the next run does the rest", || converges(&pair));
    steps.step("sshd is killed while nothing runs, and comes back", || {
        pair.services.kill(Service::Sshd);
        pair.services.await_answers();
        converges(&pair);
    });
    steps.step("another host key is refused, whatever else is due", || {
        pair.services.change_host_keys();
        let refused = pair.dtaas(&["up"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("services"), "{refused:?}");
        assert!(refused.stderr.contains("known_hosts"), "{refused:?}");
        pair.services.learn_host_keys();
        converges(&pair);
    });
    steps.step("without sudo nothing is done there", || {
        pair.dtaas.take_sudo_away();
        let refused = pair.dtaas(&["plan"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("sudo"), "{refused:?}");
        // Of the other machine it is told nevertheless.
        assert_eq!(refused.stdout, "machine services\nNothing to do.\n");
        let give_back = "echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops";
        pair.dtaas.exec(&["sh", "-c", give_back]);
        converges(&pair);
    });
}

#[test]
fn a_full_disk_on_one_machine_is_named_and_the_other_comes_up() {
    const TEST: &str =
        "machines::faults::a_full_disk_on_one_machine_is_named_and_the_other_comes_up";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let kind = Kind {
        disks: &[("/opt", "8m")],
        ..Kind::default()
    };
    let pair = Pair::with_services(&rig, &machines, "full", "alice", &kind);
    pair.services.fill("/opt");

    let failed = pair.dtaas(&["up"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("services"), "{failed:?}");
    assert!(failed.stderr.contains("No space left"), "{failed:?}");
    let gateway = pair.deployment.container("gateway");
    assert!(Pair::running(&pair.dtaas).contains(&gateway));

    pair.services.clear("/opt");
    // RabbitMQ itself wants more than this disk has; what was due of files is done.
    let again = pair.dtaas(&["plan"]).succeeded();
    assert!(!again.stdout.contains("machine dtaas\n+"), "{again:?}");
}

#[test]
fn a_machine_without_docker_gets_it_when_that_is_asked_for() {
    const TEST: &str = "machines::faults::a_machine_without_docker_gets_it_when_that_is_asked_for";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let kind = Kind {
        bare: true,
        ..Kind::default()
    };
    let pair = Pair::with_services(&rig, &machines, "bare", "alice", &kind);

    let refused = pair.dtaas(&["plan"]);
    assert!(
        refused
            .stderr
            .contains("services: there is no docker on that machine"),
        "{refused:?}"
    );
    pair.dtaas(&["up", "--install-docker"]).succeeded();
    let services = ["grafana", "influxdb", "mosquitto", "rabbitmq"]
        .map(|part| pair.deployment.container(part));
    assert_eq!(Pair::running(&pair.services), services);
}
