//! Whom a workspace should not reach: this machine at all of its addresses, and a container of someone else's.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use serde_json::Value;

use super::deployment::Deployment;
use super::engine::{self, docker};
use super::namespaces::Internet;
use crate::rig::Rig;

/// Where cloud providers tell machines their secrets.
pub const METADATA: &str = "169.254.169.254";
/// Nothing that is waited for takes longer.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A container of someone else's, with a port that docker publishes.
pub struct Foreign {
    pub name: String,
    pub port: u16,
    pub address: String,
}

/// The name of the interface of a user's network.
pub fn bridge(deployment: &Deployment, user: &str) -> String {
    let network = format!("dtaas-{}-net-{user}", deployment.name);
    let option = r#"{{index .Options "com.docker.network.bridge.name"}}"#;
    docker(&["network", "inspect", "--format", option, &network])
}

/// Listens on this machine for frames.
pub struct Host {
    pub v4: UdpSocket,
    v6: Option<UdpSocket>,
}

impl Host {
    pub fn new() -> Self {
        Self {
            v4: UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap(),
            v6: UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).ok(),
        }
    }

    pub fn port_v6(&self) -> u16 {
        self.v6
            .as_ref()
            .map_or(0, |socket| socket.local_addr().unwrap().port())
    }

    /// What has arrived so far.
    pub fn got(&self, mark: &str) -> Vec<String> {
        let mut all = Vec::new();
        let end = format!("{mark}end");
        for socket in [Some(&self.v4), self.v6.as_ref()].into_iter().flatten() {
            let port = socket.local_addr().unwrap().port();
            let last = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            last.send_to(format!("{end}|").as_bytes(), (Ipv4Addr::LOCALHOST, port))
                .unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut bytes = [0; 256];
            loop {
                let length = socket.recv(&mut bytes).unwrap();
                let text = String::from_utf8_lossy(&bytes[..length]);
                match text.strip_suffix('|') {
                    Some(frame) if frame == end => break,
                    Some(frame) if frame.starts_with(mark) => all.push(frame.to_owned()),
                    Some(_) | None => {}
                }
            }
        }
        all
    }
}

impl Foreign {
    pub fn new(deployment: &str, rig: &Rig) -> Self {
        let name = format!("{deployment}-foreign");
        let serve =
            "import socket; s = socket.create_server(('', 80))\nwhile True: s.accept()[0].close()";
        let run = [
            "run",
            "-d",
            "--name",
            &name,
            "--label",
            engine::FOREIGN,
            "-p",
            "80",
        ];
        docker(
            &[
                &run[..],
                &[
                    "--entrypoint",
                    "/usr/bin/python3",
                    &rig.workspace,
                    "-c",
                    serve,
                ],
            ]
            .concat(),
        );
        let found = engine::container(&name);
        let network = &found["NetworkSettings"];
        let port = &network["Ports"]["80/tcp"][0]["HostPort"];
        Self {
            port: port.as_str().unwrap().parse().unwrap(),
            address: network["IPAddress"].as_str().unwrap().to_owned(),
            name,
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        engine::run("docker", &["rm", "-f", &self.name]);
    }
}

/// This machine's IPv4 addresses by what they are at; not its loopback's, and not those of other deployments.
pub fn host_addresses(deployment: &Deployment, internet: &Internet) -> BTreeMap<String, String> {
    let (alice, bob) = (bridge(deployment, "alice"), bridge(deployment, "bob"));
    let all: Value = serde_json::from_str(&engine::out("ip", &["-j", "-4", "address"])).unwrap();
    let mut found = BTreeMap::new();
    for interface in all.as_array().unwrap() {
        let name = interface["ifname"].as_str().unwrap();
        for address in interface["addr_info"].as_array().unwrap() {
            let address = address["local"].as_str().unwrap();
            let known_as = match address {
                METADATA => "metadata".to_owned(),
                _ if address == internet.near() => "near".to_owned(),
                _ if name == alice => "bridge of alice".to_owned(),
                _ if name == bob => "bridge of bob".to_owned(),
                _ if name.starts_with('e') || name == "docker0" => name.to_owned(),
                _ => continue,
            };
            found.insert(known_as, address.to_owned());
        }
    }
    assert!(found.len() >= 4, "{found:?}");
    found
}

/// This machine's IPv6 addresses: the loopback's, those of these bridges and those that others can reach.
pub fn host_addresses_v6(bridges: &[String; 2]) -> Vec<(String, String)> {
    let text = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let address = Ipv6Addr::from(u128::from_str_radix(fields[0], 16).unwrap());
            let name = match fields[5] {
                "lo" => "v6 loopback",
                name if name == bridges[0] => "v6 of the bridge of alice",
                name if name == bridges[1] => "v6 of the bridge of bob",
                name if name.starts_with('e') => "v6 of the machine",
                _ => return None,
            };
            Some((name.to_owned(), address.to_string()))
        })
        .collect()
}
