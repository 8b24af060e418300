//! What a workspace reaches of the machine, of other workspaces and of the rest of the world, also when its user has become
//! root of its network with every right, and sends frames of their own making.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};

use serde_json::{Value, json};

use super::bystanders::{
    Foreign, Host, METADATA, PATIENCE, bridge, host_addresses, host_addresses_v6,
};
use super::client::within;
use super::deployment::Deployment;
use super::engine;
use super::namespaces::{Internet, Namespace};
use super::steps::Steps;
use crate::rig::Rig;

/// Alice, everyone she should not reach, and the internet.
struct World<'a> {
    deployment: &'a Deployment,
    alice: Namespace,
    internet: Internet,
    foreign: Foreign,
    host: BTreeMap<String, String>,
    mark: String,
}

/// Checks it all on a deployment that is up, with users alice and bob.
pub fn check(steps: &Steps, deployment: &Deployment, rig: &Rig) {
    let world = World::new(deployment, rig);
    steps.step(
        "workspaces reach the gateway and the internet, nothing else",
        || {
            world.connections();
        },
    );
    steps.step("frames of their own making get no further", || {
        assert_eq!(
            world.frames(),
            ["internet: own>internet tcp", "internet: own>internet udp"]
        );
    });
    steps.step(
        "without the rules the same frames do arrive, and up puts the rules back",
        || {
            world.without_rules();
        },
    );
    steps.step(
        "the workspace sees no credentials and no cookies of the platform",
        || {
            world.credentials_stay();
        },
    );
}

/// Checks what workspaces reach alone, whoever has set the rules.
pub fn check_connections(deployment: &Deployment, rig: &Rig) {
    let world = World::new(deployment, rig);
    world.connections();
    assert_eq!(
        world.frames(),
        ["internet: own>internet tcp", "internet: own>internet udp"]
    );
}

impl<'a> World<'a> {
    fn new(deployment: &'a Deployment, rig: &Rig) -> Self {
        let internet = Internet::new(METADATA);
        let foreign = Foreign::new(&deployment.name, rig);
        Self {
            deployment,
            alice: Namespace::of(&deployment.container("workspace-alice")),
            host: host_addresses(deployment, &internet),
            internet,
            foreign,
            mark: format!("{}:", deployment.name),
        }
    }

    fn connections(&self) {
        let ports = self.deployment.ports;
        // What listens on every address of a machine as a rule; a machine that has its own is as good.
        let _dummies =
            [22, 2375, 9100].map(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)));
        let v4 = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let v6 = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
        let own = [&v4, &v6].map(|listener| listener.local_addr().unwrap().port());
        let closed = [
            [22, 2375, 9100, 5000, self.foreign.port].as_slice(),
            &own,
            &[ports.auth, ports.website, ports.library],
        ]
        .concat();
        let gateway = [ports.http, ports.https];

        let mut expected = BTreeMap::new();
        for (name, address) in &self.host {
            for port in &closed {
                expected.insert(format!("{address} {port}"), "silent");
            }
            for port in gateway {
                let answer = if name == "metadata" { "silent" } else { "open" };
                expected.insert(format!("{address} {port}"), answer);
            }
        }
        let bob = self.deployment.address("workspace-bob").to_string();
        for (address, port) in [
            (&bob, 8080),
            (&bob, ports.https),
            (&self.foreign.address, 80),
        ] {
            expected.insert(format!("{address} {port}"), "silent");
        }
        expected.insert(format!("{} 80", self.internet.address), "open");

        // The host itself reaches those that listen on every address: they are there.
        for port in own.into_iter().chain([self.foreign.port]) {
            let near = self.internet.near();
            within(PATIENCE, "it listens", || {
                TcpStream::connect((near.as_str(), port)).is_ok()
            });
        }
        let there = TcpStream::connect((self.foreign.address.as_str(), 80));
        assert!(there.is_ok(), "{there:?}");
        let targets: Vec<(&str, u16)> = expected
            .keys()
            .map(|target| target.split_once(' ').unwrap())
            .map(|(address, port)| (address, port.parse().unwrap()))
            .collect();
        let found = self.alice.frames(&["connect"], &json!(targets).to_string());
        let found: BTreeMap<String, String> = serde_json::from_str(&found).unwrap();
        let wrong: Vec<_> = found
            .iter()
            .filter(|(target, answer)| expected[*target] != answer.as_str())
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?} of {:#?}", self.host);
        assert_eq!(found.len(), expected.len());
    }

    /// Sends frames with every source to every target; tells who got which.
    fn frames(&self) -> Vec<String> {
        // Some engines have the kernel route these as well, and so must not be what keeps them off.
        let bridge = self.bridge("alice");
        let setting = format!("/proc/sys/net/ipv4/conf/{bridge}/route_localnet");
        std::fs::write(setting, "1").unwrap();
        let host = Host::new();
        let port = host.v4.local_addr().unwrap().port();
        let bob = Namespace::of(&self.deployment.container("workspace-bob"));
        let watched = [
            (
                "bob",
                bob,
                self.deployment.address("workspace-bob").to_string(),
            ),
            (
                "foreign",
                Namespace::of(&self.foreign.name),
                self.foreign.address.clone(),
            ),
            (
                "internet",
                self.internet.namespace(),
                self.internet.address.clone(),
            ),
        ];
        let watchers = watched
            .each_ref()
            .map(|(_, namespace, _)| namespace.watch(&["watch", &self.mark], "watching"));

        let frames = self.all_frames(port, host.port_v6());
        self.alice.frames(&["send", "eth0"], &frames.to_string());

        // What comes last shows that nothing else comes.
        let end = format!("{}end|", self.mark);
        let last = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        for (_, _, address) in &watched {
            last.send_to(end.as_bytes(), (address.as_str(), port))
                .unwrap();
        }
        let mut arrived = Vec::new();
        for ((name, _, _), watcher) in watched.iter().zip(watchers) {
            arrived.extend(
                watcher
                    .rest()
                    .into_iter()
                    .map(|frame| format!("{name}: {frame}")),
            );
        }
        arrived.extend(
            host.got(&self.mark)
                .into_iter()
                .map(|frame| format!("host: {frame}")),
        );
        let mut arrived: Vec<String> = arrived
            .into_iter()
            .map(|frame| frame.replace(&self.mark, ""))
            .filter(|frame| !frame.ends_with(": end"))
            .collect();
        arrived.sort();
        arrived.dedup();
        arrived
    }

    fn all_frames(&self, port: u16, port_v6: u16) -> Value {
        let address = |part: &str| self.deployment.address(part).to_string();
        let (alice, bob) = (address("workspace-alice"), address("workspace-bob"));
        let everyone = [
            ("bob", bob.as_str()),
            ("internet", &self.internet.address),
            ("foreign", &self.foreign.address),
            ("loopback", "127.0.0.1"),
        ];
        let host = self
            .host
            .iter()
            .map(|(name, address)| (name.as_str(), address.as_str()));
        let known: Vec<(&str, &str)> = everyone.into_iter().chain(host).collect();
        let broadcast = format!("{}.7", self.deployment.pool);
        let more = [
            ("broadcast", broadcast.as_str()),
            ("everybody", "255.255.255.255"),
            ("group", "224.0.0.1"),
        ];
        let sources = [
            [("own", alice.as_str()), ("nobody", "0.0.0.0")].as_slice(),
            &known,
        ]
        .concat();
        let targets = [known.as_slice(), &more].concat();

        let bridge = self.bridge("alice");
        let mac = std::fs::read_to_string(format!("/sys/class/net/{bridge}/address")).unwrap();
        let v6 = host_addresses_v6(&[bridge, self.bridge("bob")]);
        let sources_v6 = [("own", "fe80::1"), ("loopback", "::1")];
        let targets_v6: Vec<(&str, &str)> = v6
            .iter()
            .map(|(name, address)| (name.as_str(), address.as_str()))
            .chain([("group", "ff02::1")])
            .collect();

        let mut frames = Vec::new();
        for (sources, targets, port) in [
            (&sources[..], &targets, port),
            (&sources_v6, &targets_v6, port_v6),
        ] {
            for (from, source) in sources {
                for (to, target) in targets {
                    for (mac, way) in [(mac.trim(), ""), ("ff:ff:ff:ff:ff:ff", " to all")] {
                        frames.push(json!({
                            "name": format!("{}{from}>{to}{way}", self.mark),
                            "mac": mac, "source": source, "target": target, "port": port,
                        }));
                    }
                }
            }
        }
        frames.into()
    }

    /// Shows that the frames are such as would arrive, and that a machine that lost its rules gets them back.
    fn without_rules(&self) {
        let before = engine::rules(&self.deployment.name);
        let (bridges, chain) = engine::hook(&self.deployment.name);
        // What `iptables -t mangle -F` does to them.
        for program in ["iptables", "ip6tables"] {
            let mangle =
                |rest: &[&str]| engine::out(program, &[&["-w", "-t", "mangle"], rest].concat());
            mangle(&["-D", "PREROUTING", "-i", &bridges, "-j", &chain]);
            mangle(&["-F", &chain]);
        }
        let arrived = self.frames();
        let mut expected = vec![
            "host: own>bridge of alice udp",
            "host: own>bridge of bob udp",
            "host: own>loopback udp",
            "host: own>metadata udp",
            "host: own>everybody udp",
            "host: own>group udp",
            "internet: own>internet udp",
            "internet: bob>internet udp",
        ];
        if !host_addresses_v6(&[self.bridge("alice"), self.bridge("bob")]).is_empty() {
            expected.push("host: own>v6 of the bridge of alice udp");
        }
        for expected in expected {
            assert!(
                arrived.iter().any(|frame| frame == expected),
                "{expected}: {arrived:#?}"
            );
        }
        let plan = self.deployment.dtaas(&["plan"]).succeeded().stdout;
        let set = format!("+ set firewall rules {chain} (those of iptables differ)\n1 step.\n");
        assert_eq!(plan, set);
        self.deployment.dtaas(&["up"]).succeeded();
        assert_eq!(engine::rules(&self.deployment.name), before);
    }

    fn credentials_stay(&self) {
        let seen = self.alice.watch(&["requests", "the-end"], "watching");
        for path in ["/alice/api/contents?first", "/alice/api/contents?the-end"] {
            let answer = self
                .deployment
                .get(path)
                .by("alice")
                .with(
                    "Cookie",
                    "_xsrf=jupyters; __Host-dtaas=platforms; dtaas-session=platforms",
                )
                .with("X-Dtaas-Gateway", "guess")
                .with("X-Forwarded-User", "bob")
                .with("X_Forwarded_User", "bob")
                .with("X-Forwarded-Groups", "admins");
            assert_eq!(answer.status(), 200);
        }
        let secret = self.deployment.credentials("alice")[6..].to_owned();
        for request in seen.rest() {
            assert!(request.contains("GET /alice/api/contents?"), "{request}");
            assert!(request.contains("_xsrf=jupyters"), "{request}");
            assert!(request.contains("X-Forwarded-User: alice / "), "{request}");
            for never in [
                secret.as_str(),
                "platforms",
                "bob",
                "admins",
                "Authorization",
                "X-Dtaas-Gateway",
            ] {
                assert!(!request.contains(never), "{never}: {request}");
            }
        }
    }

    fn bridge(&self, user: &str) -> String {
        bridge(self.deployment, user)
    }
}
