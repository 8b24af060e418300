//! What can happen to a server happens to one of the rig's as it is meant to, and is over when it is undone.

use std::process::{Command, Stdio};

use super::fixture::{Cut, Kind, Machine, OPERATOR, Service};
use crate::platform::deployment::Ran;
use crate::rig::rig_with_machines;

/// What came of a command, in one line.
fn said(mut command: Command) -> String {
    let ran = Ran::of(command.output().unwrap());
    format!("{:?}: {}{}", ran.code, ran.stdout, ran.stderr)
}

/// `true` over ssh.
fn log_in(machine: &Machine) -> String {
    said(machine.ssh(OPERATOR, &["true"]))
}

const WELL: &str = "Some(0): ";

#[test]
fn the_network_vanishes_and_comes_back() {
    const TEST: &str = "machines::broken::the_network_vanishes_and_comes_back";
    let Some((_, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let machine = Machine::start(&machines, "network");
    assert_eq!(log_in(&machine), WELL);

    for cut in [Cut::Incoming, Cut::Outgoing, Cut::Both] {
        machine.cut(cut);
        assert!(!machine.greets());
        machine.mend(cut);
        assert_eq!(log_in(&machine), WELL);
    }
    machine.freeze();
    assert!(!machine.greets());
    machine.thaw();
    assert_eq!(log_in(&machine), WELL);
}

#[test]
fn sshd_is_killed_stays_away_and_shows_another_key() {
    const TEST: &str = "machines::broken::sshd_is_killed_stays_away_and_shows_another_key";
    let Some((_, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let machine = Machine::start(&machines, "sshd");
    let mut long = machine.ssh(OPERATOR, &["sleep", "300"]);
    let mut long = long.stderr(Stdio::null()).spawn().unwrap();
    while !machine
        .run(&["pgrep", "-x", "sleep", "-u", OPERATOR])
        .status
        .success()
    {}
    machine.kill(Service::Sshd);
    assert_eq!(long.wait().unwrap().code(), Some(255));
    machine.await_answers();
    assert_eq!(log_in(&machine), WELL);

    machine.hold(Service::Sshd);
    assert!(!machine.greets());
    machine.release(Service::Sshd);
    assert_eq!(log_in(&machine), WELL);

    machine.change_host_keys();
    let changed = log_in(&machine);
    assert!(
        changed.contains("HOST IDENTIFICATION HAS CHANGED"),
        "{changed}"
    );
    machine.learn_host_keys();
    assert_eq!(log_in(&machine), WELL);

    let sudo = ["sudo", "-n", "true"];
    assert_eq!(said(machine.ssh(OPERATOR, &sudo)), WELL);
    machine.take_sudo_away();
    let refused = said(machine.ssh(OPERATOR, &sudo));
    assert!(refused.contains("a password is required"), "{refused}");
}

#[test]
fn disks_fill_up_docker_stops_and_a_reboot_starts_what_ran() {
    const TEST: &str = "machines::broken::disks_fill_up_docker_stops_and_a_reboot_starts_what_ran";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let kind = Kind {
        disks: &[("/opt", "4m"), ("/var/lib/docker", "64m")],
        ..Kind::default()
    };
    let small = Machine::start_as(&machines, "small", &kind);
    let write = ["dd", "if=/dev/zero", "of=/opt/file", "bs=1M", "count=2"];
    small.fill("/opt");
    assert!(!small.run(&write).status.success());
    small.clear("/opt");
    small.exec(&write);
    let debian = format!("{}rig/debian:bookworm", rig.registry);
    let pulled = Ran::of(small.run(&["docker", "pull", "-q", &debian]));
    assert!(
        pulled.stderr.contains("no space left on device"),
        "{pulled:?}"
    );

    let machine = Machine::start(&machines, "reboot");
    let kept = [
        "docker",
        "run",
        "-d",
        "--restart",
        "always",
        "--name",
        "kept",
    ];
    machine.exec(&[&kept[..], &[&debian, "sleep", "infinity"]].concat());
    machine.hold(Service::Docker);
    assert!(!machine.run(&["docker", "version"]).status.success());
    machine.release(Service::Docker);
    machine.reboot();
    assert_eq!(log_in(&machine), WELL);
    let running = ["docker", "inspect", "-f", "{{.State.Running}}", "kept"];
    assert_eq!(machine.exec(&running), "true");
}
