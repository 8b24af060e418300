//! What is held stays as it is, and stays reachable.

use super::*;

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
        reloads: None,
        kept: false,
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
