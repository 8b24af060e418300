//! Which default route is the NAT's, whether it is in the way, and what to do about it. Pure.
//!
//! A route is taken for a virtual machine's NAT by what the hypervisors always hand out, gateway and address together:
//!
//! | hypervisor | subnet | gateway | this machine |
//! |---|---|---|---|
//! | VirtualBox (its n-th adapter; manual, "Network Address Translation"), QEMU's user network | `10.0.2.0/24` to `10.0.9.0/24` | `.2` | `.15` |
//! | libvirt's own network, vagrant-libvirt's management network | `192.168.122.0/24`, `192.168.121.0/24` | `.1` | any |
//!
//! That a DHCP client wrote the route is no evidence: the bridged one has its address from DHCP as well, and `dhclient` does not
//! say that it wrote a route. Docker gives a container one default route, whatever its networks, so there is nothing to decide.
//! Where several interfaces have one and none looks like this, the operator says it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::interface::Interface;
use super::seen::{BEHIND, Route, Seen};

/// Debian's boxes lose the bridged network's default route by what Vagrant writes (`network_dhcp.erb` of its Debian guest).
const OF_ITS_OWN: &str = "a bridged network needs a default route of its own: Vagrant leaves it DHCP's where public_network in the Vagrantfile says use_dhcp_assigned_default_route: true";

/// How the default routes stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The NAT's is before the others, or level with them, and another could take its place.
    Conflict,
    /// The NAT's was put behind the others.
    Behind,
    /// The NAT's has a larger metric than another by itself.
    Outweighed,
    /// No other could take the NAT's place.
    OnlyNat,
    /// There is no NAT's.
    NoConflict,
    /// There is none at all.
    NoDefault,
    /// The interface that the operator named is not there.
    NoInterface,
    /// It cannot be told.
    Unclear,
}

impl Verdict {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Conflict => "conflict",
            Verdict::Behind => "behind",
            Verdict::Outweighed => "outweighed",
            Verdict::OnlyNat => "only-nat",
            Verdict::NoConflict => "no-conflict",
            Verdict::NoDefault => "no-default",
            Verdict::NoInterface => "no-interface",
            Verdict::Unclear => "unclear",
        }
    }
}

/// What was found, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// How things stand.
    pub verdict: Verdict,
    /// The same as a sentence without its capital and its full stop.
    pub why: String,
    /// What the operator can do about it, where that is needed.
    pub hint: Option<String>,
    /// The routes that are to go behind the others: some with [`Verdict::Conflict`], none otherwise.
    pub move_back: Vec<Route>,
}

impl Decision {
    fn new(verdict: Verdict, why: impl Into<String>) -> Self {
        Self {
            verdict,
            why: why.into(),
            hint: None,
            move_back: Vec::new(),
        }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// Decides. With an interface, that one's default routes are the NAT's, whatever they look like.
pub fn decide(seen: &Seen, interface: Option<&Interface>) -> Decision {
    if let Some(named) = interface
        && !seen.links.contains_key(named.as_str())
    {
        return no_interface(seen, named);
    }
    if seen.several_ways {
        return Decision::new(
            Verdict::Unclear,
            "a default route leads several ways at once",
        )
        .hint("make it one route a way, each with its metric: `ip route show default` shows it");
    }
    let usual = || seen.routes.iter().filter(|route| !route.is_behind());
    let is_nat = |route: &Route| match interface {
        Some(named) => route.device == named.as_str(),
        None => looks_like_nat(route, seen),
    };
    let nat: Vec<&Route> = usual().filter(|route| is_nat(route)).collect();
    let others: Vec<&Route> = usual().filter(|route| !is_nat(route)).collect();
    let Some(first) = first(nat.iter().copied()) else {
        return without_nat(seen, interface, &others);
    };
    let obstacle = |route: &Route| obstacle(route, seen, interface);
    let fit = others.iter().copied().filter(|r| obstacle(r).is_none());
    let Some(preferred) = self::first(fit) else {
        let mut why = format!("no other default route could take the place of {first}");
        for route in others {
            if let Some(obstacle) = obstacle(route) {
                why += &format!("; {} {obstacle}", route.device);
            }
        }
        let behind = seen.routes.iter().filter(|route| route.is_behind());
        for route in behind.filter(|route| route.device != first.device) {
            why += &format!(
                "; {}'s was put behind the others: remove the fix first",
                route.device
            );
        }
        let decision = Decision::new(Verdict::OnlyNat, why);
        return match seen.routes.len() == nat.len() {
            true => decision.hint(OF_ITS_OWN),
            false => decision,
        };
    };
    let in_the_way: Vec<Route> = nat
        .into_iter()
        .filter(|route| route.metric <= preferred.metric)
        .cloned()
        .collect();
    if in_the_way.is_empty() {
        let why = format!("{first} is behind {preferred} by itself");
        return Decision::new(Verdict::Outweighed, why);
    }
    if let Some(route) = in_the_way
        .iter()
        .find(|route| !route.whole || route.behind().is_none())
    {
        let why = format!("{route} has properties that would be lost if it were moved");
        return Decision::new(Verdict::Unclear, why).hint(format!(
            "give it a larger metric than {} where it is configured: `ip route show default` shows it",
            preferred.metric
        ));
    }
    Decision {
        move_back: in_the_way,
        ..Decision::new(
            Verdict::Conflict,
            format!("{first} is in the way of {preferred}"),
        )
    }
}

/// The one that wins among these.
fn first<'a>(routes: impl Iterator<Item = &'a Route>) -> Option<&'a Route> {
    routes.min_by_key(|route| route.metric)
}

fn no_interface(seen: &Seen, named: &Interface) -> Decision {
    let devices = devices(seen.routes.iter());
    let hint = match devices.is_empty() {
        true => "there are no default routes here: `ip link` lists the interfaces".to_owned(),
        false => format!("default routes go through {}", list(&devices)),
    };
    Decision::new(
        Verdict::NoInterface,
        format!("there is no interface {named}"),
    )
    .hint(hint)
}

fn without_nat(seen: &Seen, interface: Option<&Interface>, others: &[&Route]) -> Decision {
    if let Some(route) = first(seen.routes.iter().filter(|route| route.is_behind())) {
        let why = match others.is_empty() {
            true => format!("{route} is in use, for there is no other"),
            false => format!("{route} is behind the others"),
        };
        return Decision::new(Verdict::Behind, why);
    }
    let devices = devices(others.iter().copied());
    if devices.is_empty() {
        return Decision::new(Verdict::NoDefault, "there is no IPv4 default route");
    }
    if let Some(named) = interface {
        let why = format!("{named} has no default route");
        return Decision::new(Verdict::NoConflict, why);
    }
    let through = list(&devices);
    if devices.len() == 1 {
        let why = format!("only {through} has a default route");
        return Decision::new(Verdict::NoConflict, why);
    }
    let example = devices.first().copied().unwrap_or_default();
    Decision::new(
        Verdict::Unclear,
        format!("default routes go through {through}, and none looks like a virtual machine's NAT"),
    )
    .hint(format!(
        "say which interface is the NAT's, for example: dtaas route apply --interface {example}"
    ))
}

/// Whether gateway and address are what a hypervisor's NAT hands out; the table above.
pub fn looks_like_nat(route: &Route, seen: &Seen) -> bool {
    let (Some(gateway), Some(link)) = (route.gateway, seen.links.get(&route.device)) else {
        return false;
    };
    let gateway = gateway.octets();
    link.addresses.iter().any(|address| {
        let own = address.addr().octets();
        address.prefix_len() == 24
            && own[..3] == gateway[..3]
            && match own {
                [10, 0, 2..=9, 15] => gateway[3] == 2,
                [192, 168, 121 | 122, _] => gateway[3] == 1,
                // Every other address is somebody's own.
                _ => false,
            }
    })
}

/// Why a route cannot take the NAT's place.
fn obstacle(route: &Route, seen: &Seen, interface: Option<&Interface>) -> Option<&'static str> {
    match seen.links.get(&route.device) {
        Some(link) if link.up && !route.down => {
            if link.addresses.is_empty() {
                Some("has no global address")
            } else if route.metric >= 2 * BEHIND {
                // It would lose against what is behind the others as well.
                Some("has a metric that is too large")
            } else if !link.ethernet && interface.is_none() {
                // What goes through a tunnel may itself go through the NAT.
                Some("is no Ethernet interface")
            } else {
                None
            }
        }
        Some(_) | None => Some("is down"),
    }
}

fn devices<'a>(routes: impl Iterator<Item = &'a Route>) -> BTreeSet<&'a str> {
    routes.map(|route| route.device.as_str()).collect()
}

/// `enp0s3`, `enp0s3 and enp0s8`, `enp0s3, enp0s8 and enp0s9`.
fn list(names: &BTreeSet<&str>) -> String {
    let names: Vec<&str> = names.iter().copied().collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
