//! Whatever the routes are: what is done ends, takes nothing from anyone, and can be undone.

use std::collections::BTreeSet;

use dtaas::route::decide::{Decision, Verdict, decide};
use dtaas::route::moves::{self, Change, Move};
use dtaas::route::seen::{BEHIND, Seen};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Interfaces: two NATs, three bridges of which one is down and one without an address, a tunnel.
const DEVICES: [(&str, &str); 6] = [
    ("nat0", "10.0.2.2"),
    ("nat1", "192.168.121.1"),
    ("bridge", "192.168.1.1"),
    ("down", "172.16.0.1"),
    ("bare", "172.16.1.1"),
    ("tun0", "10.8.0.1"),
];

fn links() -> String {
    let link = |name: &str, kind: &str, up: bool, address: Option<&str>| {
        let addresses: Vec<Value> = address
            .map(|local| json!({"family": "inet", "local": local, "prefixlen": 24, "scope": "global"}))
            .into_iter()
            .collect();
        let flags = if up {
            vec!["UP", "LOWER_UP"]
        } else {
            vec!["UP"]
        };
        json!({"ifname": name, "link_type": kind, "flags": flags, "addr_info": addresses})
    };
    json!([
        {},
        link("nat0", "ether", true, Some("10.0.2.15")),
        link("nat1", "ether", true, Some("192.168.121.7")),
        link("bridge", "ether", true, Some("192.168.1.50")),
        link("down", "ether", false, Some("172.16.0.2")),
        link("bare", "ether", true, None),
        link("tun0", "none", true, Some("10.8.0.6")),
    ])
    .to_string()
}

/// A routing table: interface and metric of each, in the order of metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kernel(Vec<(usize, u32)>);

impl Kernel {
    fn seen(&self) -> Seen {
        let routes: Vec<Value> = self
            .0
            .iter()
            .map(|(device, metric)| {
                let (name, gateway) = DEVICES[*device];
                json!({"dst": "default", "dev": name, "gateway": gateway, "metric": metric, "protocol": "dhcp", "flags": []})
            })
            .collect();
        Seen::read(&Value::from(routes).to_string(), &links()).unwrap()
    }

    /// Does a change as the kernel would; there is a default route at every moment.
    fn change(&mut self, change: &Change) {
        let (Change::Append(route) | Change::Delete(route)) = change;
        let device = DEVICES.iter().position(|(name, _)| *name == route.device);
        let key = (device.unwrap(), route.metric);
        match change {
            Change::Append(_) => {
                assert!(!self.0.contains(&key), "{key:?} is there");
                let after = self.0.iter().filter(|(_, metric)| *metric <= key.1).count();
                self.0.insert(after, key);
            }
            Change::Delete(_) => {
                let position = self.0.iter().position(|found| *found == key);
                self.0.remove(position.expect("it is not there"));
            }
        }
        assert!(!self.0.is_empty());
    }

    fn carry_out(&mut self, moves: &[Move]) {
        for change in moves.iter().flat_map(|moved| &moved.changes) {
            self.change(change);
        }
    }

    fn of_others(&self) -> Vec<(usize, u32)> {
        self.0
            .iter()
            .filter(|(device, _)| *device > 1)
            .copied()
            .collect()
    }

    fn set(&self) -> BTreeSet<(usize, u32)> {
        self.0.iter().copied().collect()
    }
}

fn decision(kernel: &Kernel) -> Decision {
    decide(&kernel.seen(), None)
}

fn kernels(metrics: Vec<u32>) -> impl Strategy<Value = Kernel> {
    let route = (0..DEVICES.len(), proptest::sample::select(metrics));
    proptest::collection::vec(route, 0..7).prop_map(|mut routes| {
        let mut met = BTreeSet::new();
        routes.retain(|route| met.insert(*route));
        routes.sort_by_key(|(_, metric)| *metric);
        Kernel(routes)
    })
}

proptest! {
    #[test]
    fn what_is_in_the_way_goes_and_nothing_else_is_touched(
        before in kernels(vec![0, 50, 100, 200, BEHIND, BEHIND + 50, BEHIND + 100, u32::MAX])
    ) {
        let first = decision(&before);
        let moves = moves::back(&before.seen(), &first);
        prop_assert_eq!(moves.is_empty(), first.verdict != Verdict::Conflict);
        let mut after = before.clone();
        after.carry_out(&moves);
        prop_assert_eq!(after.of_others(), before.of_others());
        let second = decision(&after);
        prop_assert!(second.verdict != Verdict::Conflict, "{after:?}: {second:?}");
        prop_assert_eq!(moves::back(&after.seen(), &second), Vec::new());
        if first.verdict == Verdict::Conflict {
            // The bridge is before every NAT from now on.
            let position = |wanted: fn(usize) -> bool| after.0.iter().position(|(device, _)| wanted(*device));
            let nat = position(|device| device < 2).unwrap();
            prop_assert!(position(|device| device == 2).unwrap() < nat, "{after:?}");
        }
    }

    #[test]
    fn taking_it_away_gives_back_what_was_there(before in kernels(vec![0, 50, 100, 200, 4_278_198_272])) {
        let mut kernel = before.clone();
        kernel.carry_out(&moves::back(&kernel.seen(), &decision(&kernel)));
        kernel.carry_out(&moves::forth(&kernel.seen()));
        prop_assert_eq!(kernel.set(), before.set());
        prop_assert_eq!(moves::forth(&kernel.seen()), Vec::new());
    }

    #[test]
    fn it_never_moves_without_a_bridge_that_works(before in kernels(vec![0, 50, 100, 200, BEHIND + 50])) {
        let works = before.0.iter().any(|(device, metric)| *device == 2 && *metric < BEHIND);
        let verdict = decision(&before).verdict;
        prop_assert!(works || verdict != Verdict::Conflict, "{before:?}");
    }
}
