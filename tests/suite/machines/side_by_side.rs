//! Two servers beside each other, as a deployment of two machines finds them.

use super::fixture::{Machine, OPERATOR};
use crate::platform::deployment::Ran;
use crate::rig::rig_with_machines;

#[test]
fn two_machines_answer_to_ssh_have_docker_and_reach_each_other() {
    const TEST: &str =
        "machines::side_by_side::two_machines_answer_to_ssh_have_docker_and_reach_each_other";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let debian = format!("{}rig/debian:bookworm", rig.registry);
    let (dtaas, services) = std::thread::scope(|scope| {
        let dtaas = scope.spawn(|| Machine::start(&machines, "two-dtaas"));
        let services = scope.spawn(|| Machine::start(&machines, "two-services"));
        (dtaas.join().unwrap(), services.join().unwrap())
    });

    for machine in [&dtaas, &services] {
        let say = |user: &str, words: &[&str]| {
            let ran = Ran::of(machine.ssh(user, words).output().unwrap());
            ran.succeeded().stdout.trim_end().to_owned()
        };
        assert_eq!(say("root", &["id", "-un"]), "root");
        assert_eq!(say(OPERATOR, &["id", "-un"]), OPERATOR);
        assert_eq!(say(OPERATOR, &["sudo", "-n", "id", "-un"]), "root");

        // Pulled from the rig's registry, by the name that it has there for everyone.
        assert_eq!(say("root", &["docker", "image", "ls", "-q"]), "");
        let hello = ["docker", "run", "--rm", &debian, "echo", "hello"];
        assert_eq!(say("root", &hello), "hello");
        let limited = [
            "docker", "run", "--rm", "--memory", "64m", "--cpus", "0.5", &debian,
        ];
        let limit =
            "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null";
        let limited = machine.run(&[&limited[..], &["sh", "-c", limit]].concat());
        assert_eq!(String::from_utf8_lossy(&limited.stdout), "67108864\n");
        // Of the first machine's images and containers the second knows nothing.
        assert_eq!(say("root", &["docker", "ps", "-aq"]), "");
    }

    // From a container on one, on a network of its own as a workspace has it, to a port of the other.
    let listen = [
        "socat",
        "TCP-LISTEN:1883,reuseaddr,fork",
        "SYSTEM:echo here",
    ];
    services.exec(&[&["setsid", "-f"], &listen[..]].concat());
    dtaas.exec(&["docker", "network", "create", "workspace"]);
    let reach = format!("exec 3<>/dev/tcp/{}/1883 && cat <&3", services.address);
    let container = ["docker", "run", "--rm", "--network", "workspace", &debian];
    let reached = dtaas.exec(&[&container[..], &["bash", "-c", &reach]].concat());
    assert_eq!(reached, "here");
    // Machines have names for each other too; their containers do not know them.
    let found = dtaas.exec(&["getent", "hosts", &services.name]);
    assert!(found.starts_with(&services.address.to_string()), "{found}");
}
