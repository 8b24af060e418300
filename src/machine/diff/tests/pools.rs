//! The pool beside other deployments, networks of the engine's, and what the machine reaches.

use super::*;
use crate::machine::neighbours::Neighbour;
use crate::machine::routes::Route;

const HIDE: &str = "workspaces would hide what is there from this machine";

fn route(subnet: &str, device: &str) -> Route {
    Route {
        subnet: subnet.parse().unwrap(),
        device: Some(device.into()),
        local: false,
    }
}

fn address(address: &str, device: &str) -> Route {
    Route {
        local: true,
        ..route(&format!("{address}/32"), device)
    }
}

fn network(subnet: &str) -> NetworkState {
    NetworkState {
        subnets: vec![subnet.parse().unwrap()],
        ..NetworkState::default()
    }
}

fn lab(pool: &str) -> Neighbour {
    Neighbour {
        name: "lab".into(),
        root: Some("/srv/lab".into()),
        pool: pool.parse().ok(),
        listens: Vec::new(),
    }
}

fn with_routes(routes: &[Route]) -> Observed {
    Observed {
        routes: routes.to_vec(),
        ..Observed::default()
    }
}

/// What is said of a machine that has nothing of the deployment yet.
fn refused(observed: &Observed) -> Vec<Refusal> {
    plan(&desired(&["alice", "bob"]), observed).refused
}

/// The same as what overlaps, where that is all that is said.
fn overlaps(observed: &Observed) -> Option<String> {
    let refused = refused(observed);
    assert!(refused.len() <= 1, "{refused:?}");
    let message = &refused.first()?.message;
    let what = message.strip_prefix("network.pool 10.90.0.0/16 overlaps ");
    let what = what.and_then(|what| what.strip_suffix(&format!(": {HIDE}")));
    Some(what.unwrap_or(message).to_owned())
}

#[test]
fn a_pool_that_something_else_leads_to_is_refused_once_with_one_that_is_free() {
    let observed = with_routes(&[
        route("192.0.2.0/24", "eth0"),
        route("10.90.3.0/24", "tun0"),
        address("10.90.3.7", "tun0"),
        route("10.91.0.0/24", "eth1"),
    ]);
    assert_eq!(
        refused(&observed),
        [Refusal {
            message: format!(
                "network.pool 10.90.0.0/16 overlaps the route 10.90.3.0/24 of tun0: {HIDE}"
            ),
            hint: "set network.pool in dtaas.yaml to a private range that nothing here uses, such as 10.92.0.0/16, then run this again".into(),
        }]
    );
}

#[test]
fn routes_that_hold_the_pool_lie_in_it_or_are_it_overlap_and_others_do_not() {
    for (subnet, overlap) in [
        ("10.0.0.0/8", true),
        ("10.90.0.0/16", true),
        ("10.90.255.248/29", true),
        ("10.88.0.0/14", true),
        ("10.89.0.0/16", false),
        ("10.91.0.0/16", false),
        ("172.16.0.0/12", false),
    ] {
        let expected = overlap.then(|| format!("the route {subnet} of tun0"));
        assert_eq!(overlaps(&with_routes(&[route(subnet, "tun0")])), expected);
    }
    assert_eq!(
        overlaps(&with_routes(&[address("10.90.0.1", "lo")])).as_deref(),
        Some("the address 10.90.0.1 of lo")
    );
}

#[test]
fn a_network_of_the_engines_and_its_route_are_one_thing() {
    let mut observed = with_routes(&[
        route("10.90.1.0/24", "br-0123456789ab"),
        address("10.90.1.1", "br-0123456789ab"),
    ]);
    let lab = network("10.90.1.0/24");
    observed.networks.insert("lab_default".into(), lab);
    assert_eq!(
        overlaps(&observed).as_deref(),
        Some("the docker network lab_default (10.90.1.0/24)")
    );
}

#[test]
fn another_deployments_pool_is_its_own_before_it_has_a_network_there() {
    let mut observed = with_routes(&[route("10.90.128.0/29", "dt123456-000000")]);
    let theirs = network("10.90.128.0/29");
    observed
        .networks
        .insert("dtaas-lab-net-carl".into(), theirs);
    observed.neighbours = vec![lab("10.90.128.0/17")];
    assert_eq!(
        overlaps(&observed).as_deref(),
        Some("the pool 10.90.128.0/17 of the deployment lab in /srv/lab")
    );
    observed.neighbours = vec![lab("10.91.0.0/16")];
    observed.networks.clear();
    observed.routes.clear();
    assert_eq!(overlaps(&observed), None);
}

#[test]
fn a_name_server_in_the_pool_would_not_be_reached_any_more() {
    let servers = ["10.1.0.53", "10.90.0.53"].map(|server| server.parse().unwrap());
    let mut observed = Observed {
        name_servers: servers.into(),
        ..Observed::default()
    };
    assert_eq!(
        overlaps(&observed).as_deref(),
        Some("the name server 10.90.0.53")
    );
    observed.routes = vec![route("10.90.0.0/24", "tun0")];
    assert_eq!(
        overlaps(&observed).as_deref(),
        Some("the route 10.90.0.0/24 of tun0")
    );
}

#[test]
fn all_that_overlaps_is_told_at_once_and_no_more_than_can_be_read() {
    let routes: Vec<Route> = (0..5)
        .map(|part| route(&format!("10.90.{part}.0/24"), "tun0"))
        .collect();
    assert_eq!(
        overlaps(&with_routes(&routes)).as_deref(),
        Some(
            "the route 10.90.0.0/24 of tun0, the route 10.90.1.0/24 of tun0, the route 10.90.2.0/24 of tun0, and 2 more"
        )
    );
}

#[test]
fn a_free_pool_is_looked_for_in_all_that_is_private() {
    let suggested = |routes: &[Route]| {
        let hint = refused(&with_routes(routes)).remove(0).hint;
        let (_, behind) = hint.split_once("such as ")?;
        Some(behind.split_once(',')?.0.to_owned())
    };
    let ten = route("10.0.0.0/8", "tun0");
    let others = ["172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"].map(|net| route(net, "tun0"));
    for (routes, free) in [
        (vec![route("10.90.0.0/16", "tun0")], Some("10.91.0.0/16")),
        (vec![ten.clone()], Some("172.16.0.0/16")),
        (vec![ten.clone(), others[0].clone()], Some("192.168.0.0/16")),
        (
            vec![ten.clone(), others[0].clone(), others[1].clone()],
            Some("100.64.0.0/16"),
        ),
        ([&[ten][..], &others].concat(), None),
        // Behind the pool nothing is free.
        (
            [
                &[
                    route("10.90.0.0/15", "a"),
                    route("10.92.0.0/14", "a"),
                    route("10.96.0.0/11", "a"),
                    route("10.128.0.0/9", "a"),
                ][..],
                &others,
            ]
            .concat(),
            Some("10.0.0.0/16"),
        ),
    ] {
        assert_eq!(suggested(&routes).as_deref(), free, "{routes:?}");
    }
}

#[test]
fn a_pool_that_is_in_use_stays_when_a_vpn_comes_up() {
    let alone = desired(&["alice"]);
    let mut observed = applied(&alone);
    observed.routes = vec![
        route("10.0.0.0/8", "tun0"),
        route("10.90.0.0/29", "foo0"),
        address("10.90.0.1", "foo0"),
    ];
    // Where nothing is made, nothing is said.
    let same = plan(&alone, &observed);
    assert!(same.is_empty() && same.notes.is_empty(), "{same:?}");

    let more = plan(&desired(&["alice", "bob"]), &observed);
    assert_eq!(more.refused, []);
    assert!(lines(&more).contains(&"create network net-bob (10.90.0.8/29)".to_owned()));
    assert_eq!(
        more.notes,
        [
            "network.pool 10.90.0.0/16 overlaps the route 10.0.0.0/8 of tun0: \
          whoever has these addresses cannot be reached from this machine where a workspace has them"
        ]
    );
}

#[test]
fn in_a_pool_that_is_in_use_a_network_waits_where_its_own_addresses_are_a_routes() {
    let mut observed = applied(&desired(&["alice"]));
    observed.routes = vec![route("10.90.0.8/30", "tun0"), route("10.90.7.0/24", "tun0")];
    let both = desired(&["alice", "bob"]);
    let said = Refusal {
        message:
            "bob needs the addresses 10.90.0.8/29, and the route 10.90.0.8/30 of tun0 has them"
                .into(),
        hint: "give bob another slot, in users/bob.yaml, then run this again".into(),
    };
    assert_eq!(plan(&both, &observed).refused, std::slice::from_ref(&said));
    // The same when that user alone is looked at.
    let options = DiffOptions {
        scope: Scope::Users(["bob".parse().unwrap()].into()),
        ..DiffOptions::default()
    };
    assert_eq!(diff(&both, &observed, &options).refused, [said]);
    observed.routes.remove(0);
    assert_eq!(plan(&both, &observed).refused, []);
    assert_eq!(diff(&both, &observed, &options).refused, []);
}

#[test]
fn a_pool_that_is_moved_is_looked_at_like_a_new_one() {
    let mut observed = applied(&desired(&["alice"]));
    observed.routes = vec![route("10.91.0.0/16", "tun0")];
    let mut moved = desired(&["alice", "bob"]);
    moved.firewall.as_mut().unwrap().pool = "10.91.0.0/16".parse().unwrap();
    let said = recreating(&moved, &observed).refused.remove(0).message;
    assert!(
        said.starts_with("network.pool 10.91.0.0/16 overlaps the route 10.91.0.0/16 of tun0"),
        "{said}"
    );
}

#[test]
fn down_is_not_stopped_by_what_came_up_beside_the_platform() {
    let full = desired(&["alice"]);
    let mut observed = applied(&full);
    observed.routes = vec![route("10.0.0.0/8", "tun0")];
    observed.neighbours = vec![lab("10.90.0.0/16")];
    let nothing = Desired::nothing(full.deployment.clone(), full.root.clone());
    let down = removing(&nothing, &observed);
    assert_eq!((down.refused, down.notes), (vec![], vec![]));
}
