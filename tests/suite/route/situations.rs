//! Recorded situations: what is decided and done in each, by the binary and by the script.

use std::os::unix::fs::PermissionsExt;

use super::machine::{Machine, Program, SCRIPT, can};

struct Situation {
    name: &'static str,
    /// As `ip -o -4 route show default` writes them.
    routes: &'static [&'static str],
    /// As `ip.sh` has them: name, `up`, `down` or `tunnel`, addresses.
    links: &'static [&'static str],
    /// What `--interface` names.
    interface: &'static str,
    verdict: &'static str,
    why: &'static str,
    code: i32,
    /// What `ip -4 route` is told, in order.
    told: &'static [&'static str],
}

const NOTHING: Situation = Situation {
    name: "",
    routes: &[],
    links: &[],
    interface: "",
    verdict: "",
    why: "",
    code: 0,
    told: &[],
};

const NAT: &str = "default via 10.0.2.2 dev enp0s3 proto dhcp src 10.0.2.15 metric 100";
const BRIDGED: &str = "default via 192.168.1.1 dev enp0s8 proto dhcp src 192.168.1.50 metric 100";
const NAT_LINK: &str = "enp0s3 up 10.0.2.15/24";
const BRIDGED_LINK: &str = "enp0s8 up 192.168.1.50/24";
const DOCKER_LINK: &str = "docker0 up 172.17.0.1/16";
const IN_THE_WAY: &str = "enp0s3's default route (via 10.0.2.2, metric 100) is in the way of enp0s8's default route (via 192.168.1.1, metric 100)";
const MOVED: [&str; 2] = [
    "append default via 10.0.2.2 dev enp0s3 proto dhcp src 10.0.2.15 metric 1000000100",
    "del default via 10.0.2.2 dev enp0s3 proto dhcp src 10.0.2.15 metric 100",
];

const SITUATIONS: &[Situation] = &[
    Situation {
        name: "VirtualBox: Ubuntu's netplan gives both the same metric, and the NAT's came first",
        routes: &[NAT, BRIDGED],
        links: &[NAT_LINK, BRIDGED_LINK, DOCKER_LINK],
        verdict: "conflict",
        why: IN_THE_WAY,
        told: &MOVED,
        ..NOTHING
    },
    Situation {
        name: "the same metric, and the bridged one came first: next time it may not",
        routes: &[BRIDGED, NAT],
        links: &[NAT_LINK, BRIDGED_LINK],
        verdict: "conflict",
        why: IN_THE_WAY,
        told: &MOVED,
        ..NOTHING
    },
    Situation {
        name: "ifupdown: dhclient gives no metric and does not say that it wrote the route",
        routes: &[
            "default via 10.0.2.2 dev eth0",
            "default via 192.168.1.1 dev eth1 metric 10",
        ],
        links: &["eth0 up 10.0.2.15/24", "eth1 up 192.168.1.50/24"],
        verdict: "conflict",
        why: "eth0's default route (via 10.0.2.2, metric 0) is in the way of eth1's default route (via 192.168.1.1, metric 10)",
        told: &[
            "append default via 10.0.2.2 dev eth0 proto boot metric 1000000000",
            "del default via 10.0.2.2 dev eth0 proto boot metric 0",
        ],
        ..NOTHING
    },
    Situation {
        name: "the bridged one wins by itself",
        routes: &[
            "default via 192.168.1.1 dev enp0s8 proto static metric 50",
            NAT,
        ],
        links: &[NAT_LINK, BRIDGED_LINK],
        verdict: "outweighed",
        why: "enp0s3's default route (via 10.0.2.2, metric 100) is behind enp0s8's default route (via 192.168.1.1, metric 50) by itself",
        ..NOTHING
    },
    Situation {
        name: "VirtualBox without a bridged network",
        routes: &[NAT],
        links: &[NAT_LINK, DOCKER_LINK],
        verdict: "only-nat",
        why: "no other default route could take the place of enp0s3's default route (via 10.0.2.2, metric 100)",
        ..NOTHING
    },
    Situation {
        name: "the bridged network's DHCP gave no default route, or Vagrant took it away",
        routes: &[NAT],
        links: &[NAT_LINK, BRIDGED_LINK],
        verdict: "only-nat",
        why: "no other default route could take the place of enp0s3's default route (via 10.0.2.2, metric 100)",
        ..NOTHING
    },
    Situation {
        name: "the bridge has no carrier",
        routes: &[
            NAT,
            "default via 192.168.1.1 dev enp0s8 metric 200 linkdown",
        ],
        links: &[NAT_LINK, "enp0s8 down 192.168.1.50/24"],
        verdict: "only-nat",
        why: "no other default route could take the place of enp0s3's default route (via 10.0.2.2, metric 100); enp0s8 is down",
        ..NOTHING
    },
    Situation {
        name: "the bridged interface has lost its address",
        routes: &[NAT, "default via 192.168.1.1 dev enp0s8 metric 200 onlink"],
        links: &[NAT_LINK, "enp0s8 up"],
        verdict: "only-nat",
        why: "no other default route could take the place of enp0s3's default route (via 10.0.2.2, metric 100); enp0s8 has no global address",
        ..NOTHING
    },
    Situation {
        name: "the other one is somebody's last resort",
        routes: &[NAT, "default via 192.168.1.1 dev enp0s8 metric 4000000000"],
        links: &[NAT_LINK, BRIDGED_LINK],
        verdict: "only-nat",
        why: "no other default route could take the place of enp0s3's default route (via 10.0.2.2, metric 100); enp0s8 has a metric that is too large",
        ..NOTHING
    },
    Situation {
        name: "two NATs and a bridge: both go",
        routes: &[
            NAT,
            "default via 10.0.3.2 dev enp0s9 proto dhcp src 10.0.3.15 metric 100",
            BRIDGED,
        ],
        links: &[NAT_LINK, BRIDGED_LINK, "enp0s9 up 10.0.3.15/24"],
        verdict: "conflict",
        why: IN_THE_WAY,
        told: &[
            MOVED[0],
            MOVED[1],
            "append default via 10.0.3.2 dev enp0s9 proto dhcp src 10.0.3.15 metric 1000000100",
            "del default via 10.0.3.2 dev enp0s9 proto dhcp src 10.0.3.15 metric 100",
        ],
        ..NOTHING
    },
    Situation {
        name: "two NATs alone",
        routes: &[NAT, "default via 10.0.3.2 dev enp0s9 proto dhcp metric 200"],
        links: &[NAT_LINK, "enp0s9 up 10.0.3.15/24"],
        verdict: "only-nat",
        why: "no other default route could take the place of enp0s3's default route (via 10.0.2.2, metric 100)",
        ..NOTHING
    },
    Situation {
        name: "vagrant-libvirt: its management network beside a bridge",
        routes: &[
            "default via 192.168.121.1 dev eth0 proto dhcp src 192.168.121.34 metric 100",
            "default via 192.168.1.1 dev eth1 proto dhcp src 192.168.1.50 metric 200",
        ],
        links: &["eth0 up 192.168.121.34/24", "eth1 up 192.168.1.50/24"],
        verdict: "conflict",
        why: "eth0's default route (via 192.168.121.1, metric 100) is in the way of eth1's default route (via 192.168.1.1, metric 200)",
        told: &[
            "append default via 192.168.121.1 dev eth0 proto dhcp src 192.168.121.34 metric 1000000100",
            "del default via 192.168.121.1 dev eth0 proto dhcp src 192.168.121.34 metric 100",
        ],
        ..NOTHING
    },
    Situation {
        name: "a container of Vagrant's docker provider has one default route",
        routes: &["default via 172.17.0.1 dev eth0"],
        links: &["eth0 up 172.17.0.5/16", "eth1 up 192.168.1.50/24"],
        verdict: "no-conflict",
        why: "only eth0 has a default route",
        ..NOTHING
    },
    Situation {
        name: "IPv6 only",
        links: &["enp0s8 up"],
        verdict: "no-default",
        why: "there is no IPv4 default route",
        ..NOTHING
    },
    Situation {
        name: "a default route that leads nowhere is none",
        routes: &["unreachable default metric 4278198272"],
        links: &[NAT_LINK],
        verdict: "no-default",
        why: "there is no IPv4 default route",
        ..NOTHING
    },
    Situation {
        name: "what a route is tuned with goes along, and the bridged one may be onlink",
        routes: &[
            "default via 10.0.2.2 dev enp0s3 proto static metric 50 onlink mtu 1400 advmss 1360",
            "default via 192.168.1.1 dev enp0s8 proto static metric 60 onlink",
        ],
        links: &[NAT_LINK, BRIDGED_LINK],
        verdict: "conflict",
        why: "enp0s3's default route (via 10.0.2.2, metric 50) is in the way of enp0s8's default route (via 192.168.1.1, metric 60)",
        told: &[
            "append default via 10.0.2.2 dev enp0s3 proto static metric 1000000050 mtu 1400 advmss 1360 onlink",
            "del default via 10.0.2.2 dev enp0s3 proto static metric 50 mtu 1400 advmss 1360 onlink",
        ],
        ..NOTHING
    },
    Situation {
        name: "what cannot be written again is left",
        routes: &[
            "default via 10.0.2.2 dev enp0s3 metric 100 realm 5",
            BRIDGED,
        ],
        links: &[NAT_LINK, BRIDGED_LINK],
        verdict: "unclear",
        why: "enp0s3's default route (via 10.0.2.2, metric 100) has properties that would be lost if it were moved",
        code: 1,
        ..NOTHING
    },
    Situation {
        name: "one route that leads several ways",
        routes: &[
            "default \\\tnexthop via 192.168.1.1 dev enp0s8 weight 1 \\\tnexthop via 10.0.2.2 dev enp0s3 weight 1",
        ],
        links: &[NAT_LINK, BRIDGED_LINK],
        verdict: "unclear",
        why: "a default route leads several ways at once",
        code: 1,
        ..NOTHING
    },
    Situation {
        name: "two bridges",
        routes: &[
            BRIDGED,
            "default via 172.16.5.1 dev enp0s9 proto dhcp src 172.16.5.9 metric 200",
        ],
        links: &[BRIDGED_LINK, "enp0s9 up 172.16.5.9/24"],
        verdict: "unclear",
        why: "default routes go through enp0s8 and enp0s9, and none looks like a virtual machine's NAT",
        code: 1,
        ..NOTHING
    },
    Situation {
        name: "the same, and the operator says it",
        routes: &[
            BRIDGED,
            "default via 172.16.5.1 dev enp0s9 proto dhcp src 172.16.5.9 metric 200",
        ],
        links: &[BRIDGED_LINK, "enp0s9 up 172.16.5.9/24"],
        interface: "enp0s8",
        verdict: "conflict",
        why: "enp0s8's default route (via 192.168.1.1, metric 100) is in the way of enp0s9's default route (via 172.16.5.1, metric 200)",
        told: &[
            "append default via 192.168.1.1 dev enp0s8 proto dhcp src 192.168.1.50 metric 1000000100",
            "del default via 192.168.1.1 dev enp0s8 proto dhcp src 192.168.1.50 metric 100",
        ],
        ..NOTHING
    },
    Situation {
        name: "a laboratory's own 10.0.2.0/24 is no NAT",
        routes: &["default via 10.0.2.1 dev eno1 metric 100", BRIDGED],
        links: &["eno1 up 10.0.2.15/24", BRIDGED_LINK],
        verdict: "unclear",
        why: "default routes go through eno1 and enp0s8, and none looks like a virtual machine's NAT",
        code: 1,
        ..NOTHING
    },
    Situation {
        name: "nor is another machine of it, or a subnet of another size",
        routes: &[
            "default via 10.0.2.2 dev eno1 metric 100",
            "default via 10.0.3.2 dev eno2 metric 100",
        ],
        links: &["eno1 up 10.0.2.16/24", "eno2 up 10.0.3.15/16"],
        verdict: "unclear",
        why: "default routes go through eno1 and eno2, and none looks like a virtual machine's NAT",
        code: 1,
        ..NOTHING
    },
    Situation {
        name: "a VPN takes no NAT's place: it may itself go through it",
        routes: &[NAT, "default via 10.8.0.1 dev tun0 metric 200"],
        links: &[NAT_LINK, "tun0 tunnel 10.8.0.6/24"],
        verdict: "only-nat",
        why: "no other default route could take the place of enp0s3's default route (via 10.0.2.2, metric 100); tun0 is no Ethernet interface",
        ..NOTHING
    },
    Situation {
        name: "unless the operator says so",
        routes: &[NAT, "default via 10.8.0.1 dev tun0 metric 200"],
        links: &[NAT_LINK, "tun0 tunnel 10.8.0.6/24"],
        interface: "enp0s3",
        verdict: "conflict",
        why: "enp0s3's default route (via 10.0.2.2, metric 100) is in the way of tun0's default route (via 10.8.0.1, metric 200)",
        told: &MOVED,
        ..NOTHING
    },
    Situation {
        name: "behind the others already",
        routes: &[
            BRIDGED,
            "default via 10.0.2.2 dev enp0s3 proto dhcp src 10.0.2.15 metric 1000000100",
        ],
        links: &[NAT_LINK, BRIDGED_LINK],
        verdict: "behind",
        why: "enp0s3's default route (via 10.0.2.2, metric 1000000100) is behind the others",
        ..NOTHING
    },
    Situation {
        name: "behind the others, which are gone",
        routes: &["default via 10.0.2.2 dev enp0s3 proto dhcp src 10.0.2.15 metric 1000000100"],
        links: &[NAT_LINK],
        verdict: "behind",
        why: "enp0s3's default route (via 10.0.2.2, metric 1000000100) is in use, for there is no other",
        ..NOTHING
    },
    Situation {
        name: "a renewal wrote the same route again",
        routes: &[
            NAT,
            BRIDGED,
            "default via 10.0.2.2 dev enp0s3 proto dhcp src 10.0.2.15 metric 1000000100",
        ],
        links: &[NAT_LINK, BRIDGED_LINK],
        verdict: "conflict",
        why: IN_THE_WAY,
        told: &[MOVED[1]],
        ..NOTHING
    },
    Situation {
        name: "a renewal wrote another one: the old lease's goes",
        routes: &[
            NAT,
            BRIDGED,
            "default via 10.0.2.3 dev enp0s3 proto dhcp src 10.0.2.15 metric 1000000100",
        ],
        links: &[NAT_LINK, BRIDGED_LINK],
        verdict: "conflict",
        why: IN_THE_WAY,
        told: &[
            MOVED[0],
            "del default via 10.0.2.3 dev enp0s3 proto dhcp src 10.0.2.15 metric 1000000100",
            MOVED[1],
        ],
        ..NOTHING
    },
    Situation {
        name: "another interface is named than the one whose route is behind",
        routes: &[
            BRIDGED,
            "default via 10.0.2.2 dev enp0s3 proto dhcp metric 1000000100",
        ],
        links: &[NAT_LINK, BRIDGED_LINK],
        interface: "enp0s8",
        verdict: "only-nat",
        why: "no other default route could take the place of enp0s8's default route (via 192.168.1.1, metric 100); enp0s3's was put behind the others: remove the fix first",
        ..NOTHING
    },
    Situation {
        name: "an interface that is not there",
        routes: &[NAT, BRIDGED],
        links: &[NAT_LINK, BRIDGED_LINK],
        interface: "eth0",
        verdict: "no-interface",
        why: "there is no interface eth0",
        code: 2,
        ..NOTHING
    },
    Situation {
        name: "an interface without a default route",
        routes: &[BRIDGED],
        links: &[NAT_LINK, BRIDGED_LINK],
        interface: "enp0s3",
        verdict: "no-conflict",
        why: "enp0s3 has no default route",
        ..NOTHING
    },
];

/// What applying it came to: exit code, what was said, what `ip` was told, and the routes afterwards.
type Came = (i32, String, Vec<String>, Vec<String>);

impl Situation {
    fn machine(&self) -> Machine {
        Machine::recorded(self.routes, self.links)
    }

    fn applied(&self, program: Program) -> Came {
        let machine = self.machine();
        let line = match self.interface {
            "" => "apply".to_owned(),
            named => format!("apply --interface {named}"),
        };
        let ran = machine.route(program, &line);
        let lines = |name: &str| machine.read(name).lines().map(str::to_owned).collect();
        let came = (
            ran.code,
            program.in_one_voice(&ran.talk),
            lines("log"),
            lines("routes"),
        );
        assert_eq!(ran.out, "", "{}", self.name);
        assert_eq!(machine.installed(), [""; 0], "{}", self.name);
        self.again(&machine, program, &line, &came);
        came
    }

    /// A second time does nothing, and taking it away leaves what was there.
    fn again(&self, machine: &Machine, program: Program, line: &str, came: &Came) {
        let ran = machine.route(program, line);
        assert_eq!(
            (ran.code, machine.read("log").lines().count()),
            (self.code, came.2.len()),
            "{}: {ran:?}",
            self.name
        );
        if self.verdict != "conflict" || self.routes.iter().any(|route| route.contains("10000001"))
        {
            return;
        }
        let ran = machine.route(program, "remove");
        assert_eq!(ran.code, 0, "{}: {ran:?}", self.name);
        let mut back: Vec<String> = machine.read("routes").lines().map(str::to_owned).collect();
        let mut before = self.routes.to_vec();
        back.sort();
        before.sort();
        assert_eq!(back, before, "{}", self.name);
    }

    fn said(&self) -> String {
        let moved: String = self
            .told
            .iter()
            .filter(|told| told.starts_with("del") && !told.contains("10000001"))
            .map(|told| {
                let word = |name: &str| {
                    let mut words = told.split(' ').skip_while(|word| *word != name);
                    words.nth(1).unwrap()
                };
                let metric: u32 = word("metric").parse().unwrap();
                format!(
                    "{}'s default route (via {}, metric {metric}) goes behind the others: its metric is {} now, and it is used only while there is no other.\n",
                    word("dev"),
                    word("via"),
                    metric + 1_000_000_000
                )
            })
            .collect();
        let lasts = match self.interface {
            "" => String::new(),
            named => format!(" --interface {named}"),
        };
        match self.verdict {
            "conflict" => format!("{moved}{}", not_kept(&lasts)),
            "behind" => format!("{}Nothing to do: {}.\n", not_kept(&lasts), self.why),
            "only-nat"
                if !self
                    .routes
                    .iter()
                    .any(|route| !route.contains(" via 10.0.")) =>
            {
                format!(
                    "Nothing to do: {}.\nNote: a bridged network needs a default route of its own: Vagrant leaves it DHCP's where public_network in the Vagrantfile says use_dhcp_assigned_default_route: true.\n",
                    self.why
                )
            }
            "unclear" | "no-interface" => format!("error: {}\nhint: ", self.why),
            _ => format!("Nothing to do: {}.\n", self.why),
        }
    }
}

fn not_kept(interface: &str) -> String {
    format!(
        "Note: this lasts until the next DHCP renewal or reboot, for there is neither systemd nor cron here: have `dtaas route watch{interface}` started with the machine.\n"
    )
}

#[test]
fn the_binary_and_the_script_do_the_same_in_every_situation() {
    if !can("the_binary_and_the_script_do_the_same_in_every_situation") {
        return;
    }
    for situation in SITUATIONS {
        let name = situation.name;
        let [dtaas, script] = Program::BOTH.map(|program| situation.applied(program));
        assert_eq!(dtaas, script, "{name}");
        let (code, said, told, _) = dtaas;
        assert_eq!(code, situation.code, "{name}: {said}");
        assert_eq!(told, situation.told, "{name}");
        let expected = situation.said();
        match situation.code {
            0 => assert_eq!(said, expected, "{name}"),
            _ => assert!(said.starts_with(&expected), "{name}: {said}"),
        }
    }
}

#[test]
fn status_says_how_the_routes_stand() {
    if !can("status_says_how_the_routes_stand") {
        return;
    }
    for situation in SITUATIONS
        .iter()
        .filter(|situation| situation.interface.is_empty())
    {
        let machine = situation.machine();
        let ran = machine.dtaas("status --json");
        let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let (verdict, why) = (&report["verdict"], &report["why"]);
        assert_eq!(
            (verdict, why),
            (&situation.verdict.into(), &situation.why.into()),
            "{}",
            situation.name
        );
        assert_eq!(
            (&report["works"], &report["kept"]["by"]),
            (&false.into(), &"nothing".into())
        );
        let ran = machine.route(Program::Script, "status");
        let says = format!("routes  {}", situation.why);
        assert!(
            ran.out.lines().any(|line| line == says),
            "{}: {ran:?}",
            situation.name
        );
        assert_eq!(machine.read("log"), "", "{}", situation.name);
    }
}

#[test]
fn status_is_a_table_of_the_routes_and_two_lines() {
    if !can("status_is_a_table_of_the_routes_and_two_lines") {
        return;
    }
    let behind = "default via 10.0.2.2 dev enp0s3 proto dhcp src 10.0.2.15 metric 1000000100";
    let machine = Machine::recorded(&[BRIDGED, behind], &[NAT_LINK, BRIDGED_LINK]);
    std::fs::create_dir_all(machine.path("spool/cron/crontabs")).unwrap();
    std::fs::write(
        machine.path("spool/cron/crontabs/root"),
        "# * * * * * ip route del default\n* * * * * ip route del default via 10.0.2.2 dev enp0s3\n",
    )
    .unwrap();
    let ran = machine.dtaas("status");
    let note = "root's crontab still has v0.2's line, which takes the route away instead of leaving it as a way out: delete `* * * * * ip route del default via 10.0.2.2 dev enp0s3` (crontab -e)";
    assert_eq!(
        ran.out,
        format!(
            "INTERFACE  GATEWAY      METRIC      BY\n\
             enp0s8     192.168.1.1  100         dhcp  in use\n\
             enp0s3     10.0.2.2     1000000100  dhcp  put behind\n\n\
             routes  enp0s3's default route (via 10.0.2.2, metric 1000000100) is behind the others\n\
             fix     not installed\n\
             note    {note}\n"
        )
    );
    let ran = machine.route(Program::Script, "status");
    assert!(
        ran.out
            .ends_with(&format!("\nfix     not installed\nnote    {note}\n")),
        "{ran:?}"
    );
    for program in Program::BOTH {
        let ran = machine.route(program, "apply");
        assert!(
            ran.talk.contains(&format!("\nNote: {note}.\n"))
                || ran.talk.starts_with(&format!("Note: {note}.\n")),
            "{ran:?}"
        );
    }
}

#[test]
fn what_it_takes_is_said() {
    if !can("what_it_takes_is_said") {
        return;
    }
    let mut machine = Machine::new(None);
    // Where anyone may read.
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let [binary, script] = ["dtaas", "route.sh"].map(|name| place.path().join(name));
    std::fs::copy(crate::rig::binary(), &binary).unwrap();
    std::fs::copy(SCRIPT, &script).unwrap();
    let nobody = ["setpriv", "--reuid", "65534", "--clear-groups"];
    for (words, command) in [
        (
            [binary.to_str().unwrap(), "route"],
            ["dtaas route", "dtaas route"],
        ),
        (
            ["bash", script.to_str().unwrap()],
            ["route.sh", "bash route.sh"],
        ),
    ] {
        for verb in ["apply", "remove", "watch"] {
            let ran = machine.run(&[&nobody[..], &words, &[verb]].concat());
            let [says, hint] = command;
            let expected = format!(
                "error: {says} {verb} changes this machine's routes, which takes root\nhint: sudo {hint} {verb}\n"
            );
            assert_eq!((ran.code, ran.talk), (1, expected));
        }
        let ran = machine.run(&[&nobody[..], &words, &["status"]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    for program in Program::BOTH {
        for line in [
            "apply --interface a/b",
            "apply --interface 0123456789abcdef",
            "frobnicate",
        ] {
            let ran = machine.route(program, line);
            assert_eq!(ran.code, 2, "{ran:?}");
        }
    }
    machine.hide = "/usr/sbin/ip /sbin/ip /usr/bin/ip /bin/ip";
    for program in Program::BOTH {
        let ran = machine.route(program, "status");
        assert_eq!(
            (ran.code, ran.talk.as_str()),
            (
                1,
                "error: ip is not installed\nhint: install it with: apt-get install iproute2\n"
            )
        );
    }
}
