//! A server that has no docker yet.

use super::fixture::{Kind, Machine};
use crate::rig::rig_with_machines;

#[test]
fn a_bare_machine_gets_docker_from_its_distribution() {
    const TEST: &str = "machines::bare::a_bare_machine_gets_docker_from_its_distribution";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let kind = Kind {
        bare: true,
        ..Kind::default()
    };
    let machine = Machine::start_as(&machines, "bare", &kind);
    assert!(!machine.run(&["which", "docker"]).status.success());

    machine.exec(&["apt-get", "update", "-q"]);
    let install = ["apt-get", "install", "-y", "-q", "--no-install-recommends"];
    let packages = ["env", "DEBIAN_FRONTEND=noninteractive"];
    machine.exec(&[&packages[..], &install[..], &["docker.io"]].concat());

    // Its service is started by then, as on a server.
    machine.await_answers();
    let debian = format!("{}rig/debian:bookworm", rig.registry);
    let hello = ["docker", "run", "--rm", &debian, "echo", "hello"];
    assert_eq!(machine.exec(&hello), "hello");
}
