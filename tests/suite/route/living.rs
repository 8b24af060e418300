//! The fix at work in network namespaces, by the binary and by the script: users, renewals, restarts, and taking it away.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::machine::{Machine, Program, can};
use super::network::Network;

const CONFLICT: [&str; 2] = ["nat0 100", "bridge0 100"];
const FIXED: [&str; 2] = ["bridge0 100", "nat0 1000000100"];
const UNIT: &str = "units/dtaas-route.service";
const WANTED: &str = "units/multi-user.target.wants/dtaas-route.service";
const MOVED: &str = "nat0's default route (via 10.0.2.2, metric 100) goes behind the others: its metric is 1000000100 now, and it is used only while there is no other.\n";
const BACK: &str = "nat0's default route (via 10.0.2.2, metric 100) is back where it was.\n";

#[test]
fn users_reach_the_machine_and_vagrant_still_does() {
    if !can("users_reach_the_machine_and_vagrant_still_does") {
        return;
    }
    for program in Program::BOTH {
        let mut network = Network::in_conflict();
        network.serve();
        let machine = Machine::new(Some(&network.machine));
        assert_eq!(network.defaults(), CONFLICT);
        assert!(
            !network.user_reaches_it() && network.vagrant_reaches_it(),
            "no trouble to mend"
        );

        let ran = machine.route(program, "apply");
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.talk.starts_with(MOVED), "{ran:?}");
        assert_eq!(network.defaults(), FIXED);
        assert!(network.user_reaches_it() && network.vagrant_reaches_it());

        // Without the bridge the machine still gets out.
        let out = "-o -4 route get 198.51.100.1";
        assert!(network.ip(out).contains(" dev bridge0 "));
        network.ip("link set bridge0 down");
        assert!(network.ip(out).contains(" dev nat0 "));
        assert_eq!(network.defaults(), ["nat0 1000000100"]);
        let ran = machine.route(program, "apply");
        assert!(ran.talk.ends_with("Nothing to do: nat0's default route (via 10.0.2.2, metric 1000000100) is in use, for there is no other.\n"), "{ran:?}");

        let ran = machine.route(program, "remove");
        assert_eq!((ran.code, ran.talk.as_str()), (0, BACK));
        assert_eq!(network.defaults(), ["nat0 100"]);
        let ran = machine.route(program, "remove");
        assert_eq!(
            (ran.code, ran.talk.as_str()),
            (0, "Nothing to do: the fix is not there.\n")
        );
    }
}

#[test]
fn a_service_keeps_it_so_across_renewals_and_goes_when_told() {
    if !can("a_service_keeps_it_so_across_renewals_and_goes_when_told") {
        return;
    }
    for program in Program::BOTH {
        let network = Network::in_conflict();
        let machine = Machine::with_systemd(&network.machine);
        let ran = machine.route(program, "apply");
        let keeps = "dtaas-route.service keeps it so, across DHCP renewals and reboots.\n";
        assert_eq!((ran.code, ran.talk), (0, format!("{MOVED}{keeps}")));
        assert_eq!(machine.installed(), [program.file(), UNIT, WANTED]);
        let installed = "daemon-reload\nenable dtaas-route.service\nrestart dtaas-route.service\n";
        assert_eq!(machine.read("calls"), installed);

        // The same lease, three times; then one of another gateway; then systemd-networkd starts anew and drops what is not its own.
        for _ in 0..3 {
            network.renew();
            network.until(&FIXED);
        }
        network
            .ip("route append default via 10.0.2.4 dev nat0 proto dhcp src 10.0.2.15 metric 100");
        network.ip("route del default via 10.0.2.2 dev nat0 metric 1000000100");
        network.renew();
        network.until(&["bridge0 100", "nat0 100", "nat0 1000000100"]);
        network.ip("route del default via 10.0.2.4 dev nat0 metric 100");
        network.until(&FIXED);

        let ran = machine.dtaas("status --json");
        let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(report["works"], true, "{ran:?}");
        assert_eq!(
            report["kept"],
            serde_json::json!({"by": "systemd", "interface": null, "trouble": null})
        );
        let ran = machine.route(Program::Script, "status");
        assert!(
            ran.out
                .ends_with("is behind the others\nfix     kept by dtaas-route.service\n"),
            "{ran:?}"
        );

        let ran = machine.route(program, "apply");
        assert_eq!(
            ran.talk,
            "Nothing to do: nat0's default route (via 10.0.2.2, metric 1000000100) is behind the others.\n"
        );
        assert_eq!(machine.read("calls"), installed);
        assert!(machine.read("journal").starts_with(MOVED));

        let ran = machine.route(program, "remove");
        assert_eq!(
            (ran.code, ran.talk),
            (0, format!("The fix is not kept any more.\n{BACK}"))
        );
        assert_eq!(machine.installed(), [""; 0]);
        assert_eq!(network.defaults(), ["bridge0 100", "nat0 100"]);
        assert_eq!(
            machine.read("calls"),
            format!("{installed}disable --now dtaas-route.service\ndaemon-reload\n")
        );
        network.until_nothing_runs();
    }
}

/// What the unit runs, with what the unit lets it: the network and nothing else.
fn start(machine: &Machine) -> Child {
    let unit = machine.read(UNIT);
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let mut words = vec![
        "setpriv",
        "--bounding-set",
        "-all,+net_admin",
        "--no-new-privs",
    ];
    words.extend(line.unwrap().split(' '));
    let mut command = machine.command(&words);
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// As systemd does it, which takes both endings for a clean one (systemd.service(5), SuccessExitStatus=).
fn stop(mut child: Child, program: Program) {
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let ended = child.wait().unwrap();
    match program {
        Program::Dtaas => assert_eq!(ended.code(), Some(0)),
        Program::Script => assert_eq!(ended.signal(), Some(15)),
    }
}

#[test]
fn after_a_restart_it_waits_for_the_bridge() {
    if !can("after_a_restart_it_waits_for_the_bridge") {
        return;
    }
    for program in Program::BOTH {
        let before = Network::in_conflict();
        let mut machine = Machine::with_systemd(&before.machine);
        assert_eq!(machine.route(program, "apply").code, 0);
        let calls = "restart dtaas-route.service\n";
        assert!(machine.read("calls").ends_with(calls));
        machine.stop_service();
        drop(before);

        // Nothing is left but files. The service comes first, then the NAT's lease, and the bridge's last.
        let after = Network::new();
        machine.restarted(&after.machine);
        let service = start(&machine);
        after.renew();
        after.ip("link set bridge0 down");
        after.until(&["nat0 100"]);
        after.ip("link set bridge0 up");
        after.ip("route append default via 192.168.1.1 dev bridge0 proto dhcp src 192.168.1.50 metric 100");
        after.until(&FIXED);
        stop(service, program);

        // It starts where there is something to mend already.
        after.renew();
        let service = start(&machine);
        after.until(&FIXED);
        stop(service, program);
    }
}

#[test]
fn what_disagrees_with_it_does_not_keep_the_machine_busy() {
    if !can("what_disagrees_with_it_does_not_keep_the_machine_busy") {
        return;
    }
    for program in Program::BOTH {
        let network = Network::in_conflict();
        let machine = Machine::with_systemd(&network.machine);
        assert_eq!(machine.route(program, "apply").code, 0);
        // Puts the route back as fast as it goes, for two seconds.
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            if network.defaults() == FIXED {
                network.renew();
            }
        }
        let moves = machine.read("journal").lines().count();
        // One look a second, each of which tries a few times.
        assert!((1..=15).contains(&moves), "{program:?}: {moves}");
        network.until(&FIXED);
        assert_eq!(machine.route(program, "remove").code, 0);
    }
}

#[test]
fn without_systemd_cron_looks_every_minute() {
    if !can("without_systemd_cron_looks_every_minute") {
        return;
    }
    for program in Program::BOTH {
        let network = Network::in_conflict();
        let machine = Machine::with_cron(&network.machine);
        let ran = machine.route(program, "apply --interface nat0");
        let keeps = "cron keeps it so: it looks every minute, for systemd does not run here.\n";
        assert_eq!((ran.code, ran.talk), (0, format!("{MOVED}{keeps}")));
        assert_eq!(machine.installed(), ["cron.d/dtaas-route", program.file()]);

        // The minute comes, once with nothing to do and once after a renewal.
        let crontab = machine.read("cron.d/dtaas-route");
        let line = crontab
            .lines()
            .find_map(|line| line.strip_prefix("* * * * * root "))
            .unwrap();
        assert!(line.ends_with(" watch --once --interface nat0"), "{line}");
        for says in ["", MOVED] {
            let ran = machine.run(&["sh", "-c", line]);
            assert_eq!((ran.code, ran.talk.as_str()), (0, says));
            network.renew();
        }
        // What the operator named is meant again, also by the other program.
        for again in Program::BOTH {
            let ran = machine.route(again, "apply");
            assert_eq!(ran.code, 0, "{ran:?}");
            assert_eq!(machine.installed(), ["cron.d/dtaas-route", again.file()]);
            assert!(
                machine
                    .read("cron.d/dtaas-route")
                    .ends_with(" --interface nat0\n")
            );
            let status = machine.dtaas("status");
            assert!(
                status
                    .out
                    .ends_with("\nfix     kept by cron, every minute\n"),
                "{status:?}"
            );
        }
        let ran = machine.route(program, "remove");
        assert_eq!(
            (ran.code, ran.talk),
            (0, format!("The fix is not kept any more.\n{BACK}"))
        );
        assert_eq!(machine.installed(), [""; 0]);
    }
}

#[test]
fn what_was_tampered_with_is_said_and_mended() {
    if !can("what_was_tampered_with_is_said_and_mended") {
        return;
    }
    for program in Program::BOTH {
        let network = Network::in_conflict();
        let machine = Machine::with_systemd(&network.machine);
        assert_eq!(machine.route(program, "apply").code, 0);
        let unit = machine.read(UNIT);
        let tampers: [(&str, &dyn Fn()); 4] = [
            ("it was installed by another version", &|| {
                fs::write(machine.path(UNIT), format!("{unit}# mine\n")).unwrap()
            }),
            ("dtaas-route.service is not enabled", &|| {
                fs::remove_file(machine.path(WANTED)).unwrap()
            }),
            (
                "it does not run (journalctl -u dtaas-route.service)",
                &|| machine.stop_service(),
            ),
            (" is missing", &|| {
                fs::remove_file(machine.path(program.file())).unwrap()
            }),
        ];
        for (trouble, tamper) in tampers {
            tamper();
            for looks in Program::BOTH {
                let said = looks.in_one_voice(&machine.route(looks, "status").out);
                let line = said.lines().last().unwrap();
                assert!(
                    line.starts_with("fix     kept by dtaas-route.service, but "),
                    "{line}"
                );
                assert!(
                    line.ends_with(&format!("{trouble}: run `dtaas route apply` again")),
                    "{line}"
                );
            }
            let ran = machine.route(program, "apply");
            assert_eq!(
                (ran.code, ran.talk.as_str()),
                (
                    0,
                    "dtaas-route.service keeps it so, across DHCP renewals and reboots.\n"
                )
            );
            assert!(
                machine
                    .dtaas("status")
                    .out
                    .ends_with("\nfix     kept by dtaas-route.service\n")
            );
        }
        // The route was lost meanwhile: DHCP brings it back.
        machine.stop_service();
        network.ip("route del default via 10.0.2.2 dev nat0");
        let ran = machine.route(program, "remove");
        let said = "The fix is not kept any more.\nNo route was behind the others: one that is missing comes back with the next DHCP renewal or reboot.\n";
        assert_eq!((ran.code, ran.talk.as_str()), (0, said));
    }
}

#[test]
fn the_kernel_may_refuse() {
    if !can("the_kernel_may_refuse") {
        return;
    }
    let network = Network::in_conflict();
    let machine = Machine::with_systemd(&network.machine);
    for program in Program::BOTH {
        let mut words: Vec<String> = ["setpriv", "--bounding-set", "-net_admin"]
            .map(str::to_owned)
            .into();
        words.extend(program.words());
        words.push("apply".to_owned());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = machine.run(&words);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.talk.contains("Operation not permitted\nhint: in a container that takes the capability NET_ADMIN\n"), "{ran:?}");
        assert_eq!(ran.talk.lines().count(), 2, "{ran:?}");
    }
    assert_eq!(machine.installed(), [""; 0]);
    assert_eq!(network.defaults(), CONFLICT);
}
