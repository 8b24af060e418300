//! A server in a container, with sshd and a docker engine of its own: started for one test, and gone with it.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::platform::deployment::free_port;
use crate::platform::engine::{self, docker, out, run};
use crate::rig::Machines;

/// What all of them begin with; what their process goes by follows, as in the names of deployments.
const MARK: &str = "rig-machine-";

/// Someone who may log in, and do everything with sudo.
pub const OPERATOR: &str = "ops";

/// How a machine is to differ from the usual one.
#[derive(Default)]
pub struct Kind<'a> {
    /// Without docker.
    pub bare: bool,
    /// Ports of the machine that are reached at the same ones of this machine's loopback address.
    pub ports: &'a [u16],
    /// Directories that are disks of their own, and their sizes: `("/opt", "8m")`. At `/var/lib/docker` it holds images and containers.
    pub disks: &'a [(&'a str, &'a str)],
}

/// A machine that runs until dropped.
pub struct Machine {
    /// Its container, and what others on the rig's bridge call it.
    pub name: String,
    /// Where its sshd is reached, at 127.0.0.1.
    pub ssh_port: u16,
    /// Its address on the rig's bridge.
    pub address: Ipv4Addr,
    /// Whose owner may log in as root and as [`OPERATOR`].
    pub key: PathBuf,
    directory: TempDir,
}

/// What no longer comes through between a machine and all others.
#[derive(Clone, Copy)]
pub enum Cut {
    Incoming,
    Outgoing,
    Both,
}

/// What a machine keeps running, and starts again when it ends.
#[derive(Clone, Copy)]
pub enum Service {
    Sshd,
    Docker,
}

impl Machine {
    /// A usual one. The label tells it from others of the same test run, so it says the test too: `cut-services`.
    pub fn start(rig: &Machines, label: &str) -> Self {
        Self::start_as(rig, label, &Kind::default())
    }

    /// One that is in some way unusual. Returns when its sshd and its docker answer.
    pub fn start_as(rig: &Machines, label: &str, kind: &Kind<'_>) -> Self {
        sweep_the_dead();
        let mut machine = Self {
            name: format!("{MARK}{}{}-{label}", engine::MARK, std::process::id()),
            ssh_port: free_port(),
            address: Ipv4Addr::UNSPECIFIED,
            key: rig.key.clone(),
            directory: tempfile::tempdir().unwrap(),
        };
        let mut command = vec!["run".to_owned(), "--detach".into()];
        command.extend(["--name".into(), machine.name.clone()]);
        command.extend(["--hostname".into(), label.to_owned()]);
        let publish = |port: u16, inside: u16| format!("--publish=127.0.0.1:{port}:{inside}");
        command.push(publish(machine.ssh_port, 22));
        command.extend(kind.ports.iter().map(|port| publish(*port, *port)));
        let is_disk = |flag: &str| {
            let place = flag.strip_prefix("--volume=");
            kind.disks.iter().any(|(disk, _)| place == Some(disk))
        };
        command.extend(rig.flags.iter().filter(|flag| !is_disk(flag)).cloned());
        command.extend(
            kind.disks
                .iter()
                .map(|(place, size)| format!("--tmpfs={place}:exec,size={size}")),
        );
        command.push(match kind.bare {
            true => rig.bare.clone(),
            false => rig.image.clone(),
        });
        docker(&command.iter().map(String::as_str).collect::<Vec<_>>());
        machine.await_answers();
        let networks = engine::container(&machine.name)["NetworkSettings"]["Networks"].take();
        let network = networks.as_object().unwrap().values().next().unwrap();
        machine.address = network["IPAddress"].as_str().unwrap().parse().unwrap();
        machine.learn_host_keys();
        machine
    }

    /// Waits until sshd greets, and docker answers if there is one.
    pub fn await_answers(&self) {
        self.until("sshd greets", || self.greets());
        if self.run(&["which", "dockerd"]).status.success() {
            self.until("docker answers", || {
                self.run(&["docker", "version"]).status.success()
            });
        }
    }

    /// Whether sshd says at its port who it is.
    pub fn greets(&self) -> bool {
        let mut greeting = [0; 8];
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.ssh_port)).is_ok_and(|mut stream| {
            let patience = Some(Duration::from_secs(2));
            stream.set_read_timeout(patience).unwrap();
            stream.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-2.0-"
        })
    }

    fn until(&self, what: &str, is: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is() {
            if Instant::now() > deadline {
                let log = run("docker", &["logs", &self.name]);
                panic!("{}: it never was that {what}: {log:?}", self.name);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Where the keys stand that it is known by: all that it had when it started, and whatever was learned since.
    pub fn known_hosts(&self) -> PathBuf {
        self.directory.path().join("known_hosts")
    }

    /// Writes down the keys that it has now, at both of its addresses, instead of those before.
    pub fn learn_host_keys(&self) {
        let keys = self.exec(&["sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub"]);
        let lines: String = keys
            .lines()
            .map(|key| format!("[127.0.0.1]:{},{} {key}\n", self.ssh_port, self.address))
            .collect();
        fs::write(self.known_hosts(), lines).unwrap();
    }

    /// Runs a program in it to its end, as root, by way of this machine's docker: whatever was done to sshd or the network.
    pub fn run(&self, argv: &[&str]) -> Output {
        run("docker", &[&["exec", self.name.as_str()], argv].concat())
    }

    /// Runs one that must succeed; what it wrote.
    pub fn exec(&self, argv: &[&str]) -> String {
        docker(&[&["exec", self.name.as_str()], argv].concat())
    }

    /// What OpenSSH's client is told to log in with.
    pub fn ssh(&self, user: &str, command: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes"]);
        ssh.args(["-o", "StrictHostKeyChecking=yes"]);
        ssh.args(["-o", "GlobalKnownHostsFile=/dev/null"]);
        ssh.arg("-o").arg(format!(
            "UserKnownHostsFile={}",
            self.known_hosts().display()
        ));
        ssh.args(["-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=10"]);
        ssh.arg("-i").arg(&self.key);
        ssh.args(["-p", &self.ssh_port.to_string()]);
        ssh.arg(format!("{user}@127.0.0.1")).args(command);
        ssh.stdin(Stdio::null());
        ssh
    }

    /// From now on nothing comes through, and nobody is told so: packets vanish. Also with containers inside.
    pub fn cut(&self, cut: Cut) {
        self.drop_packets("--insert", cut);
    }

    /// Undoes the same cut.
    pub fn mend(&self, cut: Cut) {
        self.drop_packets("--delete", cut);
    }

    /// By this machine's own iptables, as a bare one has none.
    fn drop_packets(&self, change: &str, cut: Cut) {
        let process = engine::container(&self.name)["State"]["Pid"].to_string();
        let (incoming, outgoing) = (["PREROUTING", "-i"], ["POSTROUTING", "-o"]);
        let chains = match cut {
            Cut::Incoming => vec![incoming],
            Cut::Outgoing => vec![outgoing],
            Cut::Both => vec![incoming, outgoing],
        };
        for [chain, side] in chains {
            let inside = ["-t", &process, "-n", "iptables", "-w", "-t", "mangle"];
            let rule = [change, chain, side, "eth0", "-j", "DROP"];
            out("nsenter", &[&inside[..], &rule].concat());
        }
    }

    /// Nothing in it moves any more, its containers included; connections stay open.
    pub fn freeze(&self) {
        docker(&["pause", &self.name]);
    }

    /// It goes on where it stood.
    pub fn thaw(&self) {
        docker(&["unpause", &self.name]);
    }

    /// Shuts down and starts again. Its sshd stays at its port.
    pub fn reboot(&self) {
        docker(&["restart", &self.name]);
        self.await_answers();
    }

    /// Fills the disk that a directory lies on to the last byte. Only one of [`Kind::disks`], as any other is this machine's own.
    pub fn fill(&self, directory: &str) {
        let kind = self.exec(&["stat", "-f", "-c", "%T", directory]);
        assert_eq!(kind, "tmpfs", "{directory} is no disk of its own");
        let file = format!("of={directory}/filler");
        let filled = self.run(&["dd", "if=/dev/zero", &file, "bs=4k"]);
        let said = String::from_utf8_lossy(&filled.stderr).into_owned();
        assert!(said.contains("No space left on device"), "{said}");
    }

    /// Takes away what filled it.
    pub fn clear(&self, directory: &str) {
        self.exec(&["rm", &format!("{directory}/filler")]);
    }

    /// From now on it shows other keys than those in [`Self::known_hosts`].
    pub fn change_host_keys(&self) {
        self.exec(&["sh", "-c", "rm /etc/ssh/ssh_host_* && ssh-keygen -A"]);
        self.kill(Service::Sshd);
        self.await_answers();
    }

    /// From now on [`OPERATOR`] has no rights but their own.
    pub fn take_sudo_away(&self) {
        self.exec(&["rm", &format!("/etc/sudoers.d/{OPERATOR}")]);
    }

    /// Ends a service at once, and for sshd all connections with it. The machine starts it again.
    pub fn kill(&self, service: Service) {
        self.exec(&["pkill", "-KILL", "-x", service.program()]);
    }

    /// Ends it, and it stays away.
    pub fn hold(&self, service: Service) {
        self.exec(&["touch", &service.held()]);
        self.kill(service);
    }

    /// Lets it come back, and waits for it.
    pub fn release(&self, service: Service) {
        self.exec(&["rm", &service.held()]);
        self.await_answers();
    }
}

impl Service {
    fn program(self) -> &'static str {
        match self {
            Service::Sshd => "sshd",
            Service::Docker => "dockerd",
        }
    }

    fn held(self) -> String {
        let name = match self {
            Service::Sshd => "sshd",
            Service::Docker => "docker",
        };
        format!("/run/held/{name}")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = "tail -n 5 /var/log/sshd.log /var/log/docker.log";
            eprintln!("{}: {:?}", self.name, self.run(&["sh", "-c", log]));
        }
        remove(&self.name);
    }
}

fn remove(name: &str) {
    // What is frozen cannot end.
    run("docker", &["unpause", name]);
    run("docker", &["rm", "--force", "--volumes", name]);
}

/// Takes away those of runs of these tests that were killed.
fn sweep_the_dead() {
    let listed = docker(&[
        "ps",
        "-a",
        "--filter",
        "label=rig-machine",
        "--format",
        "{{.Names}}",
    ]);
    for name in listed.lines() {
        if name.strip_prefix(MARK).is_some_and(engine::is_of_the_dead) {
            remove(name);
        }
    }
}
