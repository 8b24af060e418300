//! A machine to put the fix on: this one, with directories of its own where the fix writes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::rig::{binary, there_is};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/route");
pub const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/route.sh");

/// In a mount namespace of its own: what is mounted there goes with the last process in it. A machine that has cron shows none
/// unless the test brings a stand-in.
const MOUNT: &str = r#"
for pair in lib:/usr/local/lib units:/etc/systemd/system cron.d:/etc/cron.d run:/run spool:/var/spool; do
  mount --bind "$PLACE/${pair%%:*}" "${pair#*:}" || exit 99
done
for program in /usr/sbin/cron /usr/sbin/crond $HIDE; do
  [ ! -e "$program" ] || mount --bind /dev/null "$program" || exit 99
done
exec "$@"
"#;

/// Its own directories, which outlive its processes.
pub struct Machine {
    place: tempfile::TempDir,
    /// The network namespace, where it has one.
    network: Option<String>,
    /// Programs that it does not have.
    pub hide: &'static str,
}

/// What a run said and exited with.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub talk: String,
}

/// Whether this can be run here at all.
pub fn can(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    let python = Path::new("/usr/bin/python3").exists();
    there_is("root", root, test) && there_is("/usr/bin/python3", python, test)
}

impl Machine {
    /// One without systemd and cron, in this network namespace or an empty one.
    pub fn new(network: Option<&str>) -> Self {
        let machine = Self {
            place: tempfile::tempdir().unwrap(),
            network: network.map(str::to_owned),
            hide: "",
        };
        for name in ["lib", "units", "cron.d", "run", "spool", "bin"] {
            fs::create_dir(machine.path(name)).unwrap();
        }
        machine
    }

    /// The same with a stand-in for systemd.
    pub fn with_systemd(network: &str) -> Self {
        let machine = Self::new(Some(network));
        fs::create_dir_all(machine.path("run/systemd/system")).unwrap();
        symlink(
            format!("{HERE}/systemctl.sh"),
            machine.path("bin/systemctl"),
        )
        .unwrap();
        machine
    }

    /// The same with cron, which does nothing by itself.
    pub fn with_cron(network: &str) -> Self {
        let machine = Self::new(Some(network));
        symlink("/bin/true", machine.path("bin/cron")).unwrap();
        machine
    }

    /// The same with recorded routes and interfaces, in the words of `ip.sh`.
    pub fn recorded(routes: &[&str], links: &[&str]) -> Self {
        let machine = Self::new(None);
        symlink(format!("{HERE}/ip.sh"), machine.path("bin/ip")).unwrap();
        let text = |lines: &[&str]| {
            lines
                .iter()
                .map(|line| format!("{line}\n"))
                .collect::<String>()
        };
        fs::write(machine.path("routes"), text(routes)).unwrap();
        fs::write(machine.path("links"), text(links)).unwrap();
        machine
    }

    /// After a restart: another network namespace.
    pub fn restarted(&mut self, network: &str) {
        self.network = Some(network.to_owned());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// A file's text; nothing where there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// All that was installed, in order.
    pub fn installed(&self) -> Vec<String> {
        let mut found = Vec::new();
        for directory in ["lib", "units", "cron.d"] {
            list(&self.path(directory), directory, &mut found);
        }
        found.sort();
        found
    }

    /// A command on this machine.
    pub fn command(&self, words: &[&str]) -> Command {
        // Never in this machine's own: no mistake of a test may change its routes.
        let enter: &[&str] = match &self.network {
            Some(network) => &["ip", "netns", "exec", network, "unshare", "-m"],
            None => &["unshare", "-m", "-n"],
        };
        let wrap = ["/bin/sh", "-c", MOUNT, "sh"];
        let all = [enter, &wrap, words].concat();
        let path = std::env::var("PATH").unwrap();
        let own = self.path("bin");
        let mut command = Command::new(all[0]);
        command
            .args(&all[1..])
            .env("PATH", format!("{}:{path}", own.display()))
            .env("PLACE", self.place.path())
            .env("HIDE", self.hide)
            .env("STAND_IN_IP", self.place.path())
            .env("STAND_IN_SYSTEMCTL", self.place.path())
            .env_remove("CLICOLOR_FORCE")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, words: &[&str]) -> Ran {
        let output = self.command(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            talk: text(output.stderr),
        }
    }

    /// Ends the service behind systemd's back, if it runs.
    pub fn stop_service(&self) {
        let Some(id) = self.read("pid").trim().parse().ok().and_then(Pid::from_raw) else {
            return;
        };
        let runs = || fs::read_link(format!("/proc/{}/exe", id.as_raw_nonzero())).is_ok();
        if runs() {
            let _ = kill_process(id, Signal::TERM);
        }
        while runs() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `dtaas route …`.
    pub fn dtaas(&self, line: &str) -> Ran {
        self.route(Program::Dtaas, line)
    }

    /// The fix by either program.
    pub fn route(&self, program: Program, line: &str) -> Ran {
        let mut words = program.words();
        words.extend(line.split_whitespace().map(str::to_owned));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.run(&words)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop_service();
    }
}

fn list(directory: &Path, name: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{name}/{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => list(&entry.path(), &name, found),
            false => found.push(name),
        }
    }
}

/// The two that do the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Dtaas,
    Script,
}

impl Program {
    pub const BOTH: [Program; 2] = [Program::Dtaas, Program::Script];

    /// What a command line begins with.
    pub fn words(self) -> Vec<String> {
        match self {
            Program::Dtaas => vec![binary().to_str().unwrap().to_owned(), "route".to_owned()],
            Program::Script => vec!["/bin/bash".to_owned(), SCRIPT.to_owned()],
        }
    }

    /// The file that it installs.
    pub fn file(self) -> &'static str {
        match self {
            Program::Dtaas => "lib/dtaas/dtaas",
            Program::Script => "lib/dtaas/route.sh",
        }
    }

    /// What either says, in the words of `dtaas`.
    pub fn in_one_voice(self, talk: &str) -> String {
        match self {
            Program::Dtaas => talk.to_owned(),
            Program::Script => talk
                .replace("bash route.sh", "dtaas route")
                .replace("route.sh apply", "dtaas route apply")
                .replace("route.sh remove", "dtaas route remove"),
        }
    }
}
