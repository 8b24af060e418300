//! Containers.

use super::*;

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
        key: "ports.https".into(),
        holder: Holder::Program("nginx (process 812)".into()),
        free: Some(8443),
    }];
    let refused = plan(&desired, &observed).refused;
    assert_eq!(
        refused[0].message,
        "gateway needs 127.0.0.1:8080 (ports.https), and nginx (process 812) listens there already"
    );
    assert_eq!(
        refused[0].hint,
        "stop it (see: ss -ltnp sport = :8080), or set ports.https in dtaas.yaml to another port, such as 8443, then run this again"
    );
}
