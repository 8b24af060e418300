//! The range that workspaces' networks come from, beside what else on this machine has addresses or leads to some.
//!
//! A range that is not in use yet is refused as a whole. One that is in use stays, whatever came up beside it later: networks that
//! run go on running, and only one that is still to be made can be refused.

use std::fmt;

use ipnet::Ipv4Net;

use crate::machine::diff::{DiffOptions, Scope, ours};
use crate::machine::observed::Observed;
use crate::machine::plan::{Plan, Refusal};
use crate::machine::routes::Route;
use crate::platform::desired::{Desired, Network};

/// What a pool may lie in, all of it (RFC 1918, RFC 6598).
const PRIVATE: [&str; 4] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
];

/// How many things that overlap are named one by one.
const NAMED: usize = 3;

/// Something that has addresses of the pool.
struct Other {
    subnet: Ipv4Net,
    what: String,
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Whether the pool is refused as a whole; then its networks need not be one by one.
pub(super) fn diff(
    desired: &Desired,
    observed: &Observed,
    options: &DiffOptions,
    plan: &mut Plan,
) -> bool {
    let Some(firewall) = &desired.firewall else {
        return false;
    };
    let is_new = |network: &Network| !observed.networks.contains_key(&network.name);
    if options.scope != Scope::All || !desired.networks.iter().any(is_new) {
        return false;
    }
    let pool = firewall.pool;
    let others = overlapping(desired, observed, pool);
    if others.is_empty() {
        return false;
    }
    let more = match others.len().checked_sub(NAMED) {
        Some(more @ 1..) => format!(", and {more} more"),
        Some(0) | None => String::new(),
    };
    let named: Vec<String> = others.iter().take(NAMED).map(ToString::to_string).collect();
    let overlaps = format!("network.pool {pool} overlaps {}{more}", named.join(", "));
    let in_use = observed.networks.values().any(|state| {
        ours(desired, &state.owner) && state.subnets.iter().any(|subnet| pool.contains(subnet))
    });
    if in_use {
        plan.notes.push(format!(
            "{overlaps}: whoever has these addresses cannot be reached from this machine where a workspace has them"
        ));
        return false;
    }
    plan.refused.push(Refusal {
        message: format!("{overlaps}: workspaces would hide what is there from this machine"),
        hint: elsewhere(desired, observed, pool),
    });
    true
}

/// What has addresses that one network needs, and is no network of the engine's. What the whole pool lies in is left to [`diff`].
pub(super) fn route_in_the_way<'a>(
    desired: &Desired,
    observed: &'a Observed,
    network: &Network,
) -> Option<&'a Route> {
    let pool = desired.firewall.as_ref().map(|firewall| firewall.pool);
    observed.routes.iter().find(|route| {
        !is_bridge(desired, observed, route)
            && overlap(route.subnet, network.subnet)
            && !pool.is_some_and(|pool| route.subnet.contains(&pool))
    })
}

/// A route in words.
pub(super) fn name(route: &Route) -> String {
    let device = match &route.device {
        Some(device) => format!(" of {device}"),
        None => String::new(),
    };
    match route.local {
        true if route.subnet.prefix_len() == 32 => {
            format!("the address {}{device}", route.subnet.addr())
        }
        true => format!("the addresses {}{device}", route.subnet),
        false => format!("the route {}{device}", route.subnet),
    }
}

/// What to write instead of a pool that does not do.
pub(super) fn elsewhere(desired: &Desired, observed: &Observed, pool: Ipv4Net) -> String {
    let such_as = match free(pool, &used(desired, observed)) {
        Some(free) => format!(", such as {free}"),
        None => String::new(),
    };
    format!(
        "set network.pool in dtaas.yaml to a private range that nothing here uses{such_as}, then run this again"
    )
}

fn overlapping(desired: &Desired, observed: &Observed, pool: Ipv4Net) -> Vec<Other> {
    let mut found: Vec<Other> = Vec::new();
    for neighbour in &observed.neighbours {
        if let Some(subnet) = neighbour.pool.filter(|subnet| overlap(*subnet, pool)) {
            found.push(Other {
                subnet,
                what: format!("the pool {subnet} of {neighbour}"),
            });
        }
    }
    let mut add = |subnet: Ipv4Net, what: String| {
        // What lies in something that is named already is the same thing once more.
        if overlap(subnet, pool) && !found.iter().any(|other| other.subnet.contains(&subnet)) {
            found.push(Other { subnet, what });
        }
    };
    for (name, state) in &observed.networks {
        // A namesake's is refused as such.
        if state.owner.is_namesake(desired) || ours(desired, &state.owner) {
            continue;
        }
        for subnet in &state.subnets {
            add(*subnet, format!("the docker network {name} ({subnet})"));
        }
    }
    let routes = || {
        let strange = |route: &&Route| !is_bridge(desired, observed, route);
        observed.routes.iter().filter(strange)
    };
    for route in routes().filter(|route| !route.local) {
        add(route.subnet, name(route));
    }
    for route in routes().filter(|route| route.local) {
        add(route.subnet, name(route));
    }
    for server in &observed.name_servers {
        add(Ipv4Net::from(*server), format!("the name server {server}"));
    }
    found
}

/// Whether a route belongs to a network of the engine's: that one is looked at by itself.
fn is_bridge(desired: &Desired, observed: &Observed, route: &Route) -> bool {
    let own = desired.firewall.as_ref().is_some_and(|firewall| {
        route
            .device
            .as_ref()
            .is_some_and(|device| device.starts_with(&firewall.bridge_prefix))
    });
    own || observed
        .networks
        .values()
        .flat_map(|state| &state.subnets)
        .any(|subnet| subnet.contains(&route.subnet))
}

fn used(desired: &Desired, observed: &Observed) -> Vec<Ipv4Net> {
    let networks = observed.networks.values().flat_map(|state| &state.subnets);
    let pools = observed.neighbours.iter().filter_map(|one| one.pool);
    let own = desired.firewall.iter().map(|firewall| firewall.pool);
    networks
        .copied()
        .chain(observed.routes.iter().map(|route| route.subnet))
        .chain(observed.name_servers.iter().copied().map(Ipv4Net::from))
        .chain(pools)
        .chain(own)
        .collect()
}

/// The next range of the same size that nothing uses: behind the one given, then in the other private ranges, then before it.
fn free(pool: Ipv4Net, used: &[Ipv4Net]) -> Option<Ipv4Net> {
    let blocks: Vec<Ipv4Net> = PRIVATE
        .iter()
        .filter_map(|block| block.parse().ok())
        .collect();
    let (own, others): (Vec<&Ipv4Net>, Vec<&Ipv4Net>) =
        blocks.iter().partition(|block| block.contains(&pool));
    let of = |block: &Ipv4Net| block.subnets(pool.prefix_len()).ok();
    let behind = own.iter().filter_map(|block| of(block)).flatten();
    let before = behind.clone().take_while(|range| *range < pool);
    behind
        .skip_while(|range| *range <= pool)
        .chain(others.iter().filter_map(|block| of(block)).flatten())
        .chain(before)
        .find(|range| !used.iter().any(|one| overlap(*one, *range)))
}

pub(super) fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other) || other.contains(&one)
}
