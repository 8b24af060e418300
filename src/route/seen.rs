//! What a machine's default routes and interfaces are, out of the JSON that `ip` writes. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is added to the metric of a route that is put behind the others. A metric from here to twice as much is thus the mark of
/// such a route, and says what its metric was: nothing has to be remembered. Nobody else comes near: DHCP clients use 0 to some
/// thousands, NetworkManager adds 20000 to a network that leads nowhere, and `unreachable default` stands at 4278198272.
pub const BEHIND: u32 = 1_000_000_000;

/// Tuning of a route (ip-route(8)) that is carried over to where it is moved.
const TUNING: [&str; 4] = ["mtu", "advmss", "initcwnd", "initrwnd"];

/// Flags that tell how a route stands, and are no part of it.
const STANDING: [&str; 8] = [
    "linkdown",
    "dead",
    "pervasive",
    "offload",
    "rt_offload",
    "trap",
    "rt_trap",
    "unresolved",
];

/// A default route of the main table, for IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The interface.
    pub device: String,
    /// Where packets are handed to; none where whoever is on the link is asked.
    pub gateway: Option<Ipv4Addr>,
    /// The smallest wins; of several with the same, the first in the list.
    pub metric: u32,
    /// Who wrote it: `dhcp`, `static`, `boot` (which is also what nobody said).
    pub protocol: String,
    source: Option<Ipv4Addr>,
    scope: Option<String>,
    onlink: bool,
    tuning: Vec<(&'static str, u64)>,
    /// Whether its interface has no carrier.
    pub down: bool,
    /// Whether all that the kernel knows of it is in here, so that it can be written again.
    pub whole: bool,
}

/// An interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// Whether it is up and has a carrier.
    pub up: bool,
    /// Whether it is Ethernet, as a bridged one is; a tunnel is not.
    pub ethernet: bool,
    /// Its global IPv4 addresses, each with its subnet.
    pub addresses: Vec<Ipv4Net>,
}

/// Everything a decision is made by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The default routes, in the kernel's order.
    pub routes: Vec<Route>,
    /// Whether one of them leads several ways at once; such a one is not among `routes`.
    pub several_ways: bool,
    /// The interfaces by their names.
    pub links: BTreeMap<String, Link>,
}

impl Route {
    /// Whether it is one that was put behind the others.
    pub fn is_behind(&self) -> bool {
        (BEHIND..2 * BEHIND).contains(&self.metric)
    }

    /// The same route behind the others; `None` where its metric is too large for that.
    pub fn behind(&self) -> Option<Self> {
        (self.metric < BEHIND).then(|| Self {
            metric: self.metric + BEHIND,
            ..self.clone()
        })
    }

    /// The same route where it was before it was put behind the others; `None` where it was not.
    pub fn before(&self) -> Option<Self> {
        self.is_behind().then(|| Self {
            metric: self.metric - BEHIND,
            ..self.clone()
        })
    }

    /// The words by which `ip route append` and `ip route del` know it.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec!["default".to_owned()];
        let mut say = |name: &str, value: String| words.extend([name.to_owned(), value]);
        if let Some(gateway) = self.gateway {
            say("via", gateway.to_string());
        }
        say("dev", self.device.clone());
        say("proto", self.protocol.clone());
        if let Some(scope) = &self.scope {
            say("scope", scope.clone());
        }
        if let Some(source) = self.source {
            say("src", source.to_string());
        }
        say("metric", self.metric.to_string());
        for (name, value) in &self.tuning {
            say(name, value.to_string());
        }
        if self.onlink {
            words.push("onlink".to_owned());
        }
        words
    }
}

/// `enp0s3's default route (via 10.0.2.2, metric 100)`.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}'s default route (", self.device)?;
        if let Some(gateway) = self.gateway {
            write!(f, "via {gateway}, ")?;
        }
        write!(f, "metric {})", self.metric)
    }
}

/// A route as `ip -json -4 route show default` writes it.
#[derive(Deserialize)]
struct WrittenRoute {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "dst")]
    _destination: Option<String>,
    gateway: Option<Ipv4Addr>,
    dev: Option<String>,
    protocol: Option<String>,
    scope: Option<String>,
    prefsrc: Option<Ipv4Addr>,
    #[serde(default)]
    metric: u32,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    metrics: Vec<BTreeMap<String, Value>>,
    nexthops: Option<Value>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// An interface as `ip -json address show` writes it.
#[derive(Deserialize)]
struct WrittenLink {
    ifname: Option<String>,
    #[serde(default)]
    flags: Vec<String>,
    link_type: Option<String>,
    #[serde(default)]
    addr_info: Vec<WrittenAddress>,
}

#[derive(Deserialize)]
struct WrittenAddress {
    family: Option<String>,
    local: Option<String>,
    prefixlen: Option<u8>,
    scope: Option<String>,
}

impl Seen {
    /// Out of what `ip -json -4 route show default` and `ip -json address show` write.
    ///
    /// # Errors
    /// When that is no such JSON.
    pub fn read(routes: &str, links: &str) -> Result<Self> {
        let mut seen = Self::default();
        for written in list::<WrittenRoute>(routes).context("what `ip` says of the routes")? {
            // The others lead nowhere.
            if !matches!(written.kind.as_deref(), None | Some("unicast")) {
                continue;
            }
            match (written.nexthops.is_some(), written.dev.is_some()) {
                (true, _) => seen.several_ways = true,
                (false, true) => seen.routes.extend(route(written)),
                (false, false) => {}
            }
        }
        for written in list::<WrittenLink>(links).context("what `ip` says of the interfaces")? {
            // Older versions write {} for what they were not asked for.
            if let Some(name) = written.ifname.clone() {
                seen.links.insert(name, link(&written));
            }
        }
        Ok(seen)
    }
}

/// Some versions write nothing at all where there is nothing.
fn list<T: for<'a> Deserialize<'a>>(text: &str) -> serde_json::Result<Vec<T>> {
    match text.trim() {
        "" => Ok(Vec::new()),
        text => serde_json::from_str(text),
    }
}

fn route(written: WrittenRoute) -> Option<Route> {
    let mut whole = written.rest.is_empty();
    let mut tuning = Vec::new();
    for (name, value) in written.metrics.iter().flatten() {
        match (TUNING.iter().find(|known| *known == name), value.as_u64()) {
            (Some(name), Some(value)) => tuning.push((*name, value)),
            (Some(_) | None, _) => whole = false,
        }
    }
    tuning.sort_by_key(|(name, _)| TUNING.iter().position(|known| known == name));
    for flag in &written.flags {
        whole &= flag == "onlink" || STANDING.contains(&flag.as_str());
    }
    let flag = |name: &str| written.flags.iter().any(|flag| flag == name);
    Some(Route {
        onlink: flag("onlink"),
        down: flag("linkdown") || flag("dead"),
        device: written.dev?,
        gateway: written.gateway,
        metric: written.metric,
        protocol: written.protocol.unwrap_or_else(|| "boot".to_owned()),
        source: written.prefsrc,
        scope: written.scope,
        tuning,
        whole,
    })
}

fn link(written: &WrittenLink) -> Link {
    let flag = |name: &str| written.flags.iter().any(|flag| flag == name);
    let global = |address: &WrittenAddress| {
        let says = |word: &Option<String>, value| word.as_deref() == Some(value);
        if !says(&address.family, "inet") || !says(&address.scope, "global") {
            return None;
        }
        Ipv4Net::new(address.local.as_ref()?.parse().ok()?, address.prefixlen?).ok()
    };
    Link {
        up: flag("UP") && flag("LOWER_UP"),
        ethernet: written.link_type.as_deref() == Some("ether"),
        addresses: written.addr_info.iter().filter_map(global).collect(),
    }
}

/// A default route as it is shown and reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The interface.
    pub device: String,
    /// Where packets are handed to.
    pub gateway: Option<Ipv4Addr>,
    /// The smallest wins.
    pub metric: u32,
    /// Who wrote it.
    pub protocol: String,
    /// Whether it is the one in use.
    pub in_use: bool,
    /// Whether it was put behind the others.
    pub behind: bool,
}

impl Seen {
    /// The routes, to be shown: the one in use first.
    pub fn shown(&self) -> Vec<Shown> {
        let mut shown: Vec<Shown> = self
            .routes
            .iter()
            .map(|route| Shown {
                device: route.device.clone(),
                gateway: route.gateway,
                metric: route.metric,
                protocol: route.protocol.clone(),
                in_use: false,
                behind: route.is_behind(),
            })
            .collect();
        shown.sort_by_key(|route| route.metric);
        if let Some(first) = shown.first_mut() {
            first.in_use = true;
        }
        shown
    }
}
