//! What this machine reaches, and where: its IPv4 routes, its own addresses among them, and its name servers.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::machine::firewall::{find, run};

/// A route that is shorter is a part of the default route: some VPNs write that one as two halves.
const SHORTEST: u8 = 8;

/// Where name servers stand. The second is that of systemd-resolved, which the engine reads when the first names a server on
/// loopback only.
const RESOLVERS: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// Addresses that this machine has, or knows the way to. A default route is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where it leads.
    pub subnet: Ipv4Net,
    /// The interface, where there is one.
    pub device: Option<String>,
    /// Whether these addresses are this machine's own.
    pub local: bool,
}

/// A route as `ip -json route` writes it (ip-route(8)).
#[derive(Deserialize)]
struct Written {
    dst: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    dev: Option<String>,
}

/// The routes of every table. Without a program that tells them, those of the main table (`/proc/net/route`): then routes that a
/// VPN keeps in a table of its own are not seen.
pub(super) async fn observe() -> Vec<Route> {
    let told = async {
        let all = ["-json", "-4", "route", "show", "table", "all"];
        run(&find("ip")?, &all, None).await
    };
    told.await
        .ok()
        .and_then(|told| from_ip(&told))
        .unwrap_or_else(|| from_proc(&fs::read_to_string("/proc/net/route").unwrap_or_default()))
}

/// The IPv4 name servers that are not this machine's loopback.
pub(super) fn name_servers() -> BTreeSet<Ipv4Addr> {
    RESOLVERS
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|text| servers(&text))
        .collect()
}

fn servers(text: &str) -> Vec<Ipv4Addr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let server = words.next() == Some("nameserver");
            words.next().filter(|_| server)?.parse().ok()
        })
        .filter(|server: &Ipv4Addr| !server.is_loopback())
        .collect()
}

/// `None` where a program does not speak JSON, such as busybox's.
fn from_ip(text: &str) -> Option<Vec<Route>> {
    let written: Vec<Written> = serde_json::from_str(text).ok()?;
    let routes = written.into_iter().filter_map(|route| {
        let local = match route.kind.as_deref() {
            None | Some("unicast") => false,
            Some("local") => true,
            // Broadcast lies in a subnet that is listed as well; the others lead nowhere.
            Some(_) => return None,
        };
        let subnet = match route.dst.contains('/') {
            true => route.dst.parse().ok()?,
            false => Ipv4Net::from(route.dst.parse::<Ipv4Addr>().ok()?),
        };
        Some(Route {
            subnet,
            device: route.dev,
            local,
        })
    });
    Some(routes.filter(leads_somewhere).collect())
}

/// Out of `/proc/net/route`, whose addresses are written as this machine keeps them in memory (proc(5)).
fn from_proc(table: &str) -> Vec<Route> {
    const UP: u32 = 1;
    const REJECT: u32 = 0x200;
    let address = |hex: &str| {
        Some(Ipv4Addr::from(
            u32::from_str_radix(hex, 16).ok()?.to_ne_bytes(),
        ))
    };
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let flags = u32::from_str_radix(fields.get(3)?, 16).ok()?;
            if flags & UP == 0 || flags & REJECT != 0 {
                return None;
            }
            let (network, mask) = (address(fields.get(1)?)?, address(fields.get(7)?)?);
            Some(Route {
                subnet: Ipv4Net::with_netmask(network, mask).ok()?,
                device: fields.first().map(ToString::to_string),
                local: false,
            })
        })
        .filter(leads_somewhere)
        .collect()
}

fn leads_somewhere(route: &Route) -> bool {
    route.subnet.prefix_len() >= SHORTEST && !route.subnet.addr().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(subnet: &str, device: &str, local: bool) -> Route {
        Route {
            subnet: subnet.parse().unwrap(),
            device: Some(device.into()),
            local,
        }
    }

    #[test]
    fn routes_of_every_table_count_and_default_routes_do_not() {
        let told = r#"[
            {"dst":"default","gateway":"192.0.2.1","dev":"eth0","flags":[]},
            {"dst":"0.0.0.0/1","dev":"tun0"},
            {"dst":"128.0.0.0/1","dev":"tun0"},
            {"dst":"192.0.2.0/24","dev":"eth0","protocol":"kernel","scope":"link"},
            {"dst":"10.8.0.7","dev":"wg0","table":"52"},
            {"dst":"10.9.0.0/16","nexthops":[{"dev":"eth0"},{"dev":"eth1"}]},
            {"type":"unreachable","dst":"10.0.0.0/8"},
            {"type":"local","dst":"127.0.0.0/8","dev":"lo","table":"local"},
            {"type":"local","dst":"192.0.2.2","dev":"eth0","table":"local"},
            {"type":"broadcast","dst":"192.0.2.255","dev":"eth0","table":"local"}
        ]"#;
        assert_eq!(
            from_ip(told).unwrap(),
            [
                route("192.0.2.0/24", "eth0", false),
                route("10.8.0.7/32", "wg0", false),
                Route {
                    device: None,
                    ..route("10.9.0.0/16", "", false)
                },
                route("192.0.2.2/32", "eth0", true),
            ]
        );
        assert_eq!(from_ip("default via 192.0.2.1 dev eth0"), None);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn without_a_program_the_main_table_is_read() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                     *\t0000000A\t00000000\t0201\t0\t0\t0\t000000FF\t0\t0\t0\n";
        assert_eq!(from_proc(table), [route("192.0.2.0/24", "eth0", false)]);
    }

    #[test]
    fn name_servers_on_loopback_are_the_machines_own_affair() {
        let text = "# made by hand\nsearch lab\nnameserver 127.0.0.53\nnameserver 10.1.0.53 # old\nnameserver fe80::1\n";
        assert_eq!(servers(text), [Ipv4Addr::new(10, 1, 0, 53)]);
    }
}
