//! Other machines, as network namespaces: workspaces' own, and one that stands for the internet.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::engine;

const FRAMES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/suite/platform/frames.py"
);

/// A network namespace, by a process in it.
#[derive(Clone, Copy)]
pub struct Namespace(u64);

/// A program that runs until dropped, and what it says.
pub struct Running {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Namespace {
    /// The one of a container.
    pub fn of(container: &str) -> Self {
        Self(
            engine::container(container)["State"]["Pid"]
                .as_u64()
                .unwrap(),
        )
    }

    /// `frames.py` in it, as root with every right; `input` is what it reads.
    pub fn frames(self, arguments: &[&str], input: &str) -> String {
        let mut child = self.start(arguments);
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// `frames.py` in it, once it says this.
    pub fn watch(self, arguments: &[&str], ready: &str) -> Running {
        Running::new(self.start(arguments), ready)
    }

    fn start(self, arguments: &[&str]) -> Child {
        let id = self.0.to_string();
        Command::new("nsenter")
            .args(["-t", &id, "-n", "/usr/bin/python3", FRAMES])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

impl Running {
    fn new(mut child: Child, ready: &str) -> Self {
        let says = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self { child, says };
        assert_eq!(running.line(), ready);
        running
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What it says from now on until it ends by itself.
    pub fn rest(mut self) -> Vec<String> {
        let lines = (&mut self.says).lines().map(Result::unwrap).collect();
        assert!(self.child.wait().unwrap().success());
        lines
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A host beyond this one, on a link of its own, that answers at port 80. It goes with the process that is in it.
pub struct Internet {
    server: Running,
    /// Its address; of those that are kept for documentation (RFC 5737).
    pub address: String,
    /// This host's end of the link.
    link: String,
}

impl Internet {
    /// Makes it. This host's end also gets `extra` as an address.
    pub fn new(extra: &str) -> Self {
        let id = std::process::id();
        let child = Command::new("unshare")
            .args(["-n", "/usr/bin/python3", FRAMES, "serve"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let there = Self {
            server: Running::new(child, "serving"),
            address: format!("198.51.100.{}", id % 64 * 4 + 2),
            link: format!("suite{id}"),
        };
        let (near, far) = (there.near(), format!("{}/30", there.address));
        let (link, server) = (there.link.as_str(), there.server.child.id().to_string());
        let ip = |arguments: &[&str]| engine::out("ip", arguments);
        ip(&[
            "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", &server,
        ]);
        ip(&["address", "add", &format!("{near}/30"), "dev", link]);
        ip(&["address", "add", &format!("{extra}/32"), "dev", link]);
        ip(&["link", "set", link, "up"]);
        let there_ip = |arguments: &[&str]| {
            let enter = ["-t", server.as_str(), "-n", "ip"];
            engine::out("nsenter", &[&enter, arguments].concat())
        };
        there_ip(&["link", "set", "lo", "up"]);
        there_ip(&["address", "add", &far, "dev", "eth0"]);
        there_ip(&["link", "set", "eth0", "up"]);
        there_ip(&["route", "add", "default", "via", &near]);
        there
    }

    /// This host's address on the link.
    pub fn near(&self) -> String {
        format!("198.51.100.{}", std::process::id() % 64 * 4 + 1)
    }

    pub fn namespace(&self) -> Namespace {
        Namespace(u64::from(self.server.child.id()))
    }
}

impl Drop for Internet {
    fn drop(&mut self) {
        // Both ends go with either.
        engine::run("ip", &["link", "delete", &self.link]);
    }
}
