//! A real sshd on a loopback port, with configuration, keys and a /var/lib of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dtaas::remote::agent::Options;
use dtaas::remote::asks::{Answer, Asks, Nobody, Unknown};
use dtaas::remote::{Agent, Target};
use dtaas::secrets::Secret;

const SSHD: &str = "/usr/sbin/sshd";

/// A machine that is reached by SSH. All it runs ends when it is dropped.
pub struct Sshd {
    pub port: u16,
    pub directory: tempfile::TempDir,
    child: Child,
}

/// How it is set up.
pub struct Setup {
    /// Types of host keys.
    pub host_keys: &'static [&'static str],
    /// Programs that stand before the real ones: names and scripts.
    pub programs: Vec<(&'static str, String)>,
    /// How large its /var/lib is.
    pub room: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            host_keys: &["ed25519"],
            programs: Vec::new(),
            room: "512m",
        }
    }
}

/// One that is set up as usual; none where that cannot be, which is said.
pub fn sshd() -> Option<Sshd> {
    Sshd::start(Setup::default())
}

impl Sshd {
    pub fn start(setup: Setup) -> Option<Self> {
        let test = std::thread::current();
        let test = test.name().unwrap_or_default();
        if !crate::rig::there_is("sshd (openssh-server)", Path::new(SSHD).exists(), test)
            || !crate::rig::there_is("root", rustix::process::geteuid().is_root(), test)
        {
            return None;
        }
        // Debian makes it when the service starts.
        fs::create_dir_all("/run/sshd").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let port = crate::machine_lab::free_port();
        let mut config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nStrictModes no\nLogLevel ERROR\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nPrintMotd no\n\
             AuthorizedKeysFile {}\n",
            at("authorized_keys").display()
        );
        for kind in setup.host_keys {
            keygen(&at(&format!("host_{kind}")), kind, "");
            config += &format!("HostKey {}\n", at(&format!("host_{kind}")).display());
        }
        keygen(&at("key"), "ed25519", "");
        fs::copy(at("key.pub"), at("authorized_keys")).unwrap();
        let programs = at("programs");
        fs::create_dir(&programs).unwrap();
        for (name, script) in &setup.programs {
            let path = programs.join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        config += &format!(
            "SetEnv PATH={}:/usr/sbin:/usr/bin:/sbin:/bin DOCKER_HOST=unix://{}\n",
            programs.display(),
            at("no-engine").display()
        );
        fs::write(at("config"), config).unwrap();
        // A /var/lib of its own, so that tests which run side by side do not meet in it.
        let script = format!(
            "mount -t tmpfs -o size={} tmpfs /var/lib && exec {SSHD} -D -e -f {}",
            setup.room,
            at("config").display()
        );
        let child = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stderr(fs::File::create(at("log")).unwrap())
            .spawn()
            .unwrap();
        let sshd = Self {
            port,
            directory,
            child,
        };
        until("sshd listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        fs::write(sshd.known_hosts(), sshd.known_line(setup.host_keys[0])).unwrap();
        Some(sshd)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn known_hosts(&self) -> PathBuf {
        self.path("known_hosts")
    }

    /// The public key of the host, as known_hosts has it: type and key.
    pub fn host_key(&self, kind: &str) -> String {
        let text = fs::read_to_string(self.path(&format!("host_{kind}.pub"))).unwrap();
        let mut words = text.split_whitespace();
        format!("{} {}", words.next().unwrap(), words.next().unwrap())
    }

    /// The line of known_hosts about it.
    pub fn known_line(&self, kind: &str) -> String {
        format!("[127.0.0.1]:{} {}\n", self.port, self.host_key(kind))
    }

    /// What ssh-keygen says is the fingerprint.
    pub fn fingerprint(&self, kind: &str) -> String {
        let file = self.path(&format!("host_{kind}.pub"));
        let output = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(file)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().nth(1).unwrap().to_owned()
    }

    /// How the machine, called `dtaas`, is reached.
    pub fn target(&self) -> Target {
        Target {
            port: Some(self.port),
            user: Some("root".into()),
            key: Some(self.path("key")),
            known_hosts: Some(self.known_hosts()),
            config: Some(self.empty_config()),
            ..Target::new("dtaas", "127.0.0.1", self.path("root"))
        }
    }

    fn empty_config(&self) -> PathBuf {
        let path = self.path("ssh_config");
        if !path.exists() {
            fs::write(&path, "").unwrap();
        }
        path
    }

    /// A path in its own /var/lib, seen from here.
    pub fn there(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.child.id()))
    }

    /// The processes that it runs, sshd itself left out, each with its arguments.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let space = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        let own = self.child.id();
        let Some(ours) = space(&own.to_string()) else {
            return Vec::new();
        };
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.parse::<u32>().is_ok_and(|pid| pid != own))
            .filter(|pid| space(pid).as_ref() == Some(&ours))
            .filter_map(|pid| {
                let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
                let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
                (!arguments.is_empty()).then(|| (pid.parse().unwrap(), arguments))
            })
            .collect()
    }

    /// The agents that run there.
    pub fn agents(&self) -> Vec<u32> {
        let is_agent = |(_, arguments): &(u32, String)| {
            arguments.starts_with("/var/lib/dtaas/agent/") && arguments.ends_with("/dtaas agent ")
        };
        let found = self.processes().into_iter().filter(is_agent);
        found.map(|(pid, _)| pid).collect()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            kill(pid, "KILL");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn kill(pid: u32, signal: &str) {
    let _ = Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

pub fn keygen(path: &Path, kind: &str, passphrase: &str) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", passphrase, "-C", "a key", "-f"])
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
}

/// Waits for a condition, for 20 s.
pub fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The binary under test without what only a debugger needs, which is most of it.
pub fn binary() -> PathBuf {
    static STRIPPED: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = STRIPPED.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dtaas");
        fs::copy(crate::rig::binary(), &path).unwrap();
        // Where there is no such program it is only slower.
        let _ = Command::new("strip").arg(&path).status();
        (directory, path)
    });
    path.clone()
}

/// Connects with the binary under test, with nobody to ask.
pub async fn start(target: &Target) -> anyhow::Result<Agent> {
    start_with(target, Arc::new(Nobody)).await
}

pub async fn start_with(target: &Target, asks: Arc<dyn Asks>) -> anyhow::Result<Agent> {
    let options = Options {
        asks,
        binary: Some(binary()),
    };
    Agent::start(target, &options).await
}

/// What the failure says, and its hint.
pub fn failure<T>(came: anyhow::Result<T>) -> (String, String) {
    let error = came.err().expect("it should have failed");
    let hint = dtaas::error::failure_of(&error).and_then(|failure| failure.remedy());
    (format!("{error:#}"), hint.unwrap_or_default().to_owned())
}

/// Answers as it was told, and keeps what it was asked.
pub struct Operator {
    pub answer: Answer,
    pub passphrase: Option<&'static str>,
    pub asked: Mutex<Vec<String>>,
}

impl Operator {
    pub fn new(answer: Answer, passphrase: Option<&'static str>) -> Arc<Self> {
        Arc::new(Self {
            answer,
            passphrase,
            asked: Mutex::default(),
        })
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Asks for Operator {
    fn unknown_key(&self, unknown: &Unknown) -> Answer {
        let Unknown {
            machine,
            host,
            kind,
            fingerprint,
            ..
        } = unknown;
        let asked = format!("{machine}: {host} {kind} {fingerprint}");
        self.asked.lock().unwrap().push(asked);
        self.answer
    }

    fn passphrase(&self, key: &Path, again: bool) -> Option<Secret> {
        let name = key.file_name().unwrap().to_string_lossy();
        let asked = format!("passphrase of {name}, again: {again}");
        self.asked.lock().unwrap().push(asked);
        self.passphrase.map(Secret::new)
    }
}
