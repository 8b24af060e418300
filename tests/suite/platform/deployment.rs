//! A deployment of a test's own: its directory, its ports, its range of addresses, and its end.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;

use serde_json::Value;
use tempfile::TempDir;

use super::engine;
use crate::rig::{Rig, binary};

/// A deployment that exists until dropped; then nothing of it is left, also when the test failed.
pub struct Deployment {
    directory: TempDir,
    /// Its name.
    pub name: String,
    /// What browsers call it.
    pub domain: String,
    /// The gateway's ports and those on loopback.
    pub ports: Ports,
    /// Where the gateway is reached.
    pub address: Ipv4Addr,
    /// Three numbers of the workspaces' range, a /24.
    pub pool: String,
    /// The path that everything lies below: empty, or `/dtaas`.
    pub base: &'static str,
    passwords: RefCell<BTreeMap<String, String>>,
}

/// Ports of this machine that nobody listened at.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub http: u16,
    pub https: u16,
    pub auth: u16,
    pub website: u16,
    pub library: u16,
}

/// What came of a command.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Deployment {
    /// `dtaas init` with these flags, and ports and addresses of its own.
    pub fn init(rig: &Rig, label: &str, domain: &str, users: &str, flags: &[&str]) -> Self {
        let deployment = Self::none_yet(label, domain, flags);
        let credentials = deployment.directory.path().join("credentials");
        let made = deployment
            .command(&["init"])
            .args(deployment.layout(rig))
            .args(["--domain", domain, "--users", users])
            .args(["--credentials-file", credentials.to_str().unwrap()])
            .args(flags)
            .output()
            .unwrap();
        Ran::of(made).succeeded();
        deployment.learn(&credentials);
        deployment
    }

    /// `dtaas import v0.2` of an installation in which all of these users have one password.
    pub fn import(rig: &Rig, label: &str, old: &Path, users: &[&str], password: &str) -> Self {
        let deployment = Self::none_yet(label, "foo.com", &[]);
        let made = deployment
            .command(&["import", "v0.2"])
            .arg(old)
            .args(deployment.layout(rig))
            .output()
            .unwrap();
        Ran::of(made).succeeded();
        let known = users
            .iter()
            .map(|user| ((*user).to_owned(), password.to_owned()));
        deployment.passwords.borrow_mut().extend(known);
        deployment
    }

    fn none_yet(label: &str, domain: &str, flags: &[&str]) -> Self {
        engine::sweep_the_dead();
        let name = format!("{}{}-{label}", engine::MARK, std::process::id());
        Self {
            directory: tempfile::Builder::new()
                .prefix(&format!("{name}-"))
                .tempdir()
                .unwrap(),
            name,
            domain: domain.to_owned(),
            ports: Ports::free(),
            address: flags
                .windows(2)
                .find(|pair| pair[0] == "--bind")
                .map_or(Ipv4Addr::LOCALHOST, |pair| pair[1].parse().unwrap()),
            pool: free_pool(),
            base: match flags.contains(&"--base-path") {
                true => "/dtaas",
                false => "",
            },
            passwords: RefCell::default(),
        }
    }

    /// The flags for its name, its ports and its addresses, and where images come from.
    fn layout(&self, rig: &Rig) -> Vec<String> {
        [
            ("--http-port", self.ports.http.to_string()),
            ("--https-port", self.ports.https.to_string()),
            ("--auth-port", self.ports.auth.to_string()),
            ("--website-port", self.ports.website.to_string()),
            ("--library-port", self.ports.library.to_string()),
            ("--name", self.name.clone()),
            ("--pool", format!("{}.0/24", self.pool)),
            ("--image-prefix", rig.registry.clone()),
        ]
        .map(|(flag, value)| [flag.to_owned(), value])
        .concat()
    }

    /// Where it lies.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("deployment")
    }

    /// A file or directory in it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    /// `dtaas -C <root> …`, with nothing to read from.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("-C").arg(self.root()).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn dtaas(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Starts it, and lets it run.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs a command that makes a password (`user add`, `user passwd`), and keeps the password.
    pub fn dtaas_with_password(&self, arguments: &[&str]) -> Ran {
        let file = self.directory.path().join("new-credentials");
        let _ = fs::remove_file(&file);
        let ran =
            self.dtaas(&[arguments, &["--credentials-file", file.to_str().unwrap()]].concat());
        if file.exists() {
            self.learn(&file);
        }
        ran
    }

    fn learn(&self, credentials: &Path) {
        for line in fs::read_to_string(credentials).unwrap().lines() {
            let (user, password) = line.split_once(':').unwrap();
            self.passwords
                .borrow_mut()
                .insert(user.to_owned(), password.to_owned());
        }
    }

    /// A user's password; of someone unknown, one that is wrong.
    pub fn password(&self, user: &str) -> String {
        let known = self.passwords.borrow();
        known.get(user).cloned().unwrap_or_else(|| "a guess".into())
    }

    /// A container's name: `gateway`, or `workspace-alice`.
    pub fn container(&self, part: &str) -> String {
        format!("dtaas-{}-{part}", self.name)
    }

    /// The address of a container of ours on its network.
    pub fn address(&self, part: &str) -> Ipv4Addr {
        let networks =
            engine::container(&self.container(part))["NetworkSettings"]["Networks"].take();
        let network = networks.as_object().unwrap().values().next().unwrap();
        network["IPAddress"].as_str().unwrap().parse().unwrap()
    }

    /// `component user: state` of each part, as `status --json` has them.
    pub fn status(&self) -> Vec<String> {
        let report: Value =
            serde_json::from_str(&self.dtaas(&["status", "--json"]).succeeded().stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        report["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| {
                let who = format!("{} {}", text(&part["component"]), text(&part["user"]));
                format!("{}: {}", who.trim(), text(&part["state"]))
            })
            .collect()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let down = match self.path("dtaas.yaml").exists() {
            true => Some(self.dtaas(&["down", "--purge", "--yes"])),
            false => None,
        };
        let left = engine::objects(&self.name);
        if !left.is_empty() {
            engine::sweep(&self.name);
        }
        if !std::thread::panicking() {
            assert!(left.is_empty(), "{down:?} left {left:#?}");
            assert!(!self.root().exists(), "{down:?} left files");
        }
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The same, when its exit code is 0.
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

impl Ports {
    /// Five that are free.
    fn free() -> Self {
        Self {
            http: free_port(),
            https: free_port(),
            auth: free_port(),
            website: free_port(),
            library: free_port(),
        }
    }
}

/// A port that nobody listens at and no other test was given. It lies below those that the kernel gives to outgoing connections.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(|broken| broken.into_inner());
    // Another run on this machine begins elsewhere.
    let begin = 20_000 + (std::process::id() % 100) as u16 * 100;
    let port = (begin..32_000)
        .find(|port| {
            !given.contains(port) && TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok()
        })
        .unwrap();
    given.insert(port);
    port
}

/// The first three numbers of a /24 that no network of this machine lies in.
fn free_pool() -> String {
    static GIVEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(|broken| broken.into_inner());
    let routes = engine::out("ip", &["-4", "route", "show", "table", "all"]);
    let begin = std::process::id() % 256;
    let pool = (0..256)
        .map(|step| format!("10.236.{}", (begin + step) % 256))
        .find(|pool| !given.contains(pool) && !routes.contains(&format!("{pool}.")))
        .unwrap();
    given.insert(pool.clone());
    pool
}
