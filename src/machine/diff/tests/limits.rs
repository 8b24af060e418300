//! Limits beyond the machine's, addresses that it does not have, and folders that are not there. The machine of these examples has 4
//! processors and 8g.

use std::collections::BTreeSet;

use super::*;
use crate::machine::routes::Route;

/// Nothing is there yet but the machine.
fn bare() -> Observed {
    Observed {
        machine: applied(&desired(&[])).machine,
        firewall: FirewallState {
            boot: Boot::Installed,
            ..FirewallState::default()
        },
        ..Observed::default()
    }
}

fn limited(users: &[&str], cpus: Option<&str>, memory: Option<&str>) -> Desired {
    let mut desired = desired(users);
    for container in &mut desired.containers[1..] {
        container.limits.cpus = cpus.map(|cpus| cpus.parse().unwrap());
        container.limits.memory = memory.map(|memory| memory.parse().unwrap());
    }
    desired
}

fn said(plan: &Plan) -> Vec<&str> {
    plan.refused
        .iter()
        .map(|one| one.message.as_str())
        .collect()
}

#[test]
fn a_limit_beyond_the_machine_is_refused_once_with_its_key_and_file() {
    let plan = plan(
        &limited(&["alice", "bob"], Some("4.5"), Some("64g")),
        &bare(),
    );
    assert_eq!(
        said(&plan),
        [
            "workspace.limits.cpus is 4.5 (dtaas.yaml), and this machine has 4 processors",
            "workspace.limits.memory is 64g (dtaas.yaml), and this machine has 8g of memory",
        ]
    );
    assert_eq!(
        plan.refused[1].hint,
        "write workspace.limits.memory in dtaas.yaml: what the machine has, or less, or none for no limit; then run this again"
    );
}

#[test]
fn a_limit_of_a_users_own_names_that_users_file() {
    let mut desired = limited(&["alice", "bob"], Some("5"), None);
    let own = BTreeSet::from([LimitKey::Cpus]);
    desired.own_limits.insert("bob".parse().unwrap(), own);
    assert_eq!(
        said(&plan(&desired, &bare())),
        [
            "workspace.limits.cpus is 5 (dtaas.yaml), and this machine has 4 processors",
            "limits.cpus is 5 (users/bob.yaml), and this machine has 4 processors",
        ]
    );
}

#[test]
fn as_much_as_the_machine_has_is_no_limit_and_no_problem() {
    let plan = plan(&limited(&["alice"], Some("4"), Some("8g")), &bare());
    assert_eq!(said(&plan), Vec::<&str>::new());
    assert_eq!(plan.notes, Vec::<String>::new());
}

#[test]
fn a_machine_that_shrank_stops_nothing_that_runs() {
    let desired = limited(&["alice"], Some("16"), Some("64g"));
    let observed = applied(&desired);
    let same = plan(&desired, &observed);
    assert!(same.is_empty(), "{same:?}");

    // A limit that is changed is looked at.
    let mut observed = observed;
    observed
        .containers
        .get_mut("ws-alice")
        .unwrap()
        .limits
        .memory = 1 << 30;
    assert_eq!(said(&plan(&desired, &observed)).len(), 2);
}

#[test]
fn that_workspaces_may_use_more_than_there_is_together_is_said_when_one_is_made() {
    let note = "3 workspaces may use 12g of memory together, and this machine has 8g";
    let three = limited(&["alice", "bob", "carl"], None, Some("4g"));
    assert_eq!(plan(&three, &bare()).notes, [note]);
    let two = limited(&["alice", "bob"], None, Some("4g"));
    assert_eq!(plan(&two, &bare()).notes, Vec::<String>::new());
    assert_eq!(plan(&three, &applied(&three)).notes, Vec::<String>::new());
    assert_eq!(plan(&three, &applied(&two)).notes, [note]);
}

#[test]
fn shared_memory_that_does_not_fit_the_memory_is_noted() {
    let mut desired = limited(&["alice"], None, Some("256m"));
    desired.containers[1].shm = Some("512m".parse().unwrap());
    assert_eq!(
        plan(&desired, &bare()).notes,
        [
            "/dev/shm of ws-alice is 512m, and its memory 256m: whoever fills the one ends what runs there"
        ]
    );
}

#[test]
fn bind_is_an_address_of_this_machine() {
    let mut desired = desired(&[]);
    let elsewhere = Ipv4Addr::new(203, 0, 113, 7);
    desired.containers[0].listens = [80, 443]
        .map(|port| SocketAddrV4::new(elsewhere, port))
        .into();
    let route = |subnet: &str, device: &str, local| Route {
        subnet: subnet.parse().unwrap(),
        device: Some(device.into()),
        local,
    };
    let mut observed = bare();
    observed.not_here = [elsewhere].into();
    observed.routes = vec![
        route("192.0.2.0/24", "eth0", false),
        route("192.0.2.2/32", "eth0", true),
        route("172.17.0.1/32", "docker0", true),
    ];
    let bridge = NetworkState {
        subnets: vec!["172.17.0.0/16".parse().unwrap()],
        ..NetworkState::default()
    };
    observed.networks.insert("bridge".into(), bridge);
    assert_eq!(
        plan(&desired, &observed).refused,
        [Refusal {
            message: "bind is 203.0.113.7, and this machine has no such address".into(),
            hint: "set bind in dtaas.yaml to one that it has (192.0.2.2 of eth0), or to 0.0.0.0 for all of them, then run this again".into(),
        }]
    );
    // Where it is up already, an address that went away stops nothing.
    let mut up = applied(&desired);
    up.not_here = [elsewhere].into();
    assert_eq!(plan(&desired, &up).refused, []);
}

#[test]
fn a_folder_that_is_not_there_is_said_once_before_anything_is_made() {
    let mut desired = desired(&["alice", "bob"]);
    for container in &mut desired.containers[1..] {
        container.mounts.push(Mount {
            source: "/srv/data".into(),
            target: "/data".into(),
            read_only: true,
        });
    }
    let mut observed = bare();
    assert_eq!(plan(&desired, &observed).refused, []);
    observed.missing = ["/srv/data".into()].into();
    assert_eq!(
        plan(&desired, &observed).refused,
        [Refusal {
            message:
                "workspaces are to mount /srv/data, and there is no such directory on this machine"
                    .into(),
            hint: "make it, or take it out of workspace.mounts in dtaas.yaml, then run this again"
                .into(),
        }]
    );
}
