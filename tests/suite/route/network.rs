//! Real networks of a virtual machine: its NAT on one side, on the other the network that its users are on.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::machine::{Machine, Program, can};

const FRAMES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/suite/platform/frames.py"
);

/// How long something may take to come about.
const PATIENCE: Duration = Duration::from_secs(10);

/// Three network namespaces, gone when dropped. In `machine` are `nat0` (10.0.2.15) and `bridge0` (192.168.1.50); a user is
/// at 203.0.113.9, behind 192.168.1.1; the NAT is 10.0.2.2, and knows no way to users.
pub struct Network {
    pub machine: String,
    nat: String,
    lan: String,
    server: Option<Child>,
}

impl Network {
    /// Makes it, without default routes.
    pub fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |part: &str| format!("suite-{}-{number}-{part}", std::process::id());
        let network = Self {
            machine: name("machine"),
            nat: name("nat"),
            lan: name("lan"),
            server: None,
        };
        for name in network.names() {
            ip(&["netns", "add", name]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        network.wire("nat0", &network.nat, "10.0.2.2/24");
        network.wire("bridge0", &network.lan, "192.168.1.1/24");
        network.ip("address add 10.0.2.15/24 dev nat0");
        network.ip("address add 192.168.1.50/24 dev bridge0");
        ip(&[
            "-n",
            &network.lan,
            "address",
            "add",
            "203.0.113.9/32",
            "dev",
            "lo",
        ]);
        // A user comes from there.
        let from = ["dev", "far0", "src", "203.0.113.9"];
        ip(&[
            &["-n", &network.lan, "route", "replace", "192.168.1.0/24"][..],
            &from,
        ]
        .concat());
        network
    }

    /// The same with the routes that VirtualBox and DHCP give.
    pub fn in_conflict() -> Self {
        let network = Self::new();
        network.renew();
        network.ip("route append default via 192.168.1.1 dev bridge0 proto dhcp src 192.168.1.50 metric 100");
        network
    }

    /// What systemd-networkd does when it gets the NAT's lease.
    pub fn renew(&self) {
        self.ip("route append default via 10.0.2.2 dev nat0 proto dhcp src 10.0.2.15 metric 100");
    }

    fn names(&self) -> [&str; 3] {
        [&self.machine, &self.nat, &self.lan]
    }

    fn wire(&self, device: &str, far: &str, address: &str) {
        let peer = ["type", "veth", "peer", "name", "far0", "netns", far];
        ip(&[&["-n", &self.machine, "link", "add", device][..], &peer].concat());
        ip(&["-n", far, "address", "add", address, "dev", "far0"]);
        ip(&["-n", far, "link", "set", "far0", "up"]);
        ip(&["-n", &self.machine, "link", "set", device, "up"]);
    }

    /// The real `ip` on the machine.
    pub fn ip(&self, line: &str) -> String {
        let words: Vec<&str> = ["-n", &self.machine]
            .into_iter()
            .chain(line.split(' '))
            .collect();
        ip(&words)
    }

    /// The machine's default routes, each `DEVICE METRIC`.
    pub fn defaults(&self) -> Vec<String> {
        let text = self.ip("-o -4 route show default");
        let word = |line: &str, name: &str| {
            let mut words = line.split_whitespace().skip_while(|word| *word != name);
            words.nth(1).unwrap_or("0").to_owned()
        };
        text.lines()
            .map(|line| format!("{} {}", word(line, "dev"), word(line, "metric")))
            .collect()
    }

    /// Waits until the machine's default routes are these.
    pub fn until(&self, expected: &[&str]) {
        let began = Instant::now();
        while self.defaults() != expected {
            assert!(
                began.elapsed() < PATIENCE,
                "{:?}, not {expected:?}",
                self.defaults()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until no process is left on the machine.
    pub fn until_nothing_runs(&self) {
        let began = Instant::now();
        while !ip(&["netns", "pids", &self.machine]).is_empty() {
            assert!(began.elapsed() < PATIENCE, "something still runs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Has the machine listen at port 80, as the gateway or sshd would.
    pub fn serve(&mut self) {
        let mut child = Command::new("ip")
            .args([
                "netns",
                "exec",
                &self.machine,
                "/usr/bin/python3",
                FRAMES,
                "serve",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "serving\n");
        self.server = Some(child);
    }

    /// Whether a user reaches it by its address on the bridged network.
    pub fn user_reaches_it(&self) -> bool {
        reaches(&self.lan, "192.168.1.50")
    }

    /// Whether VirtualBox reaches it through a forwarded port, as `vagrant ssh` does.
    pub fn vagrant_reaches_it(&self) -> bool {
        reaches(&self.nat, "10.0.2.15")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
        for name in self.names() {
            let _ = Command::new("ip").args(["netns", "delete", name]).output();
        }
    }
}

fn reaches(network: &str, address: &str) -> bool {
    let connect = format!("exec 3<>/dev/tcp/{address}/80");
    Command::new("ip")
        .args([
            "netns", "exec", network, "timeout", "2", "bash", "-c", &connect,
        ])
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

fn ip(words: &[&str]) -> String {
    let output = Command::new("ip").args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the stand-in writes is what the real one writes, to the binary and to the script.
#[test]
fn the_stand_in_for_ip_is_like_the_real_one() {
    if !can("the_stand_in_for_ip_is_like_the_real_one") {
        return;
    }
    let network = Network::new();
    let routes = [
        "default via 10.0.2.2 dev nat0",
        "default via 10.0.2.2 dev nat0 proto dhcp src 10.0.2.15 metric 100",
        "default via 192.168.1.1 dev bridge0 proto static metric 100 onlink mtu 1400 advmss 1360",
        "default dev bridge0 scope link metric 200",
        "default via 10.0.2.2 dev nat0 metric 300 realm 5",
        "unreachable default metric 4278198272",
    ];
    for route in routes {
        network.ip(&format!("route append {route}"));
    }
    let stand_in = Machine::recorded(
        &routes,
        &["nat0 up 10.0.2.15/24", "bridge0 up 192.168.1.50/24"],
    );
    let real = Machine::new(Some(&network.machine));
    for line in ["status --json", "status"] {
        let [one, other] = [&stand_in, &real].map(|machine| machine.dtaas(line));
        assert_eq!(one, other);
        assert_eq!(one.code, 0);
    }
    let [one, other] = [&stand_in, &real].map(|machine| {
        let ran = machine.route(Program::Script, "status");
        // The real one writes a blank at the end of every route.
        ran.out
            .lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    });
    assert_eq!(one, other);

    // Both take each other's changes for the same, those of tuned routes too.
    for (verb, route) in [
        ("del", routes[2]),
        ("append", routes[2]),
        (
            "append",
            "default via 10.0.2.2 dev nat0 proto boot metric 7",
        ),
    ] {
        let words: Vec<&str> = ["ip", "-4", "route", verb]
            .into_iter()
            .chain(route.split(' '))
            .collect();
        for machine in [&stand_in, &real] {
            let ran = machine.run(&words);
            assert_eq!(ran.code, 0, "{ran:?}");
        }
        let [one, other] = [&stand_in, &real].map(|machine| machine.dtaas("status --json"));
        assert_eq!(one, other);
    }
}
