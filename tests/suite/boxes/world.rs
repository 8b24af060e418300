//! A directory to build boxes in, and all that the stand-ins know beside it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rig::binary;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/boxes");

/// Vagrant's keys, which everybody has.
pub const INSECURE_RSA: &str = include_str!("insecure_rsa.pub");
pub const INSECURE_ED25519: &str = include_str!("insecure_ed25519.pub");
/// Somebody's whom the machine may let in.
pub const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAA lab@foo.com\n";

/// What each step is, in words, with VirtualBox.
pub const STEPS: [&str; 14] = [
    "make the key pair vagrant and vagrant.pub",
    "write Vagrantfile, boxes.json and provision.sh",
    "start the base machine",
    "let vagrant.pub in",
    "have Vagrant use vagrant",
    "log in with it",
    "lock out Vagrant's insecure keys",
    "install docker, node",
    "see that the machine answers to our key and not to the insecure ones",
    "take machine-id and host keys out",
    "shut the base machine down",
    "pack it as dtaas.vagrant",
    "add dtaas.vagrant to Vagrant's boxes as dtaas",
    "see that a machine of the box answers to our key and not to the insecure ones",
];

pub struct World {
    directory: tempfile::TempDir,
}

/// What a run said and exited with. The world's path stands as `DIR` in it, and no step says how long it took.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub talk: String,
}

impl Ran {
    /// The lines about steps, without their mark.
    pub fn steps(&self) -> Vec<&str> {
        self.talk
            .lines()
            .filter_map(|line| line.strip_prefix("✓ "))
            .collect()
    }

    /// What it says in the end of a failure.
    pub fn failure(&self) -> &str {
        let at = self.talk.find("\nerror: ");
        at.map_or(&self.talk, |at| &self.talk[at + 1..])
    }
}

impl World {
    /// Nothing is there but Vagrant, and a machine to begin with that lets in who has one of Vagrant's keys.
    pub fn new() -> Self {
        let world = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        for name in ["vagrant", "ssh", "ssh-keygen"] {
            fs::create_dir_all(world.path("bin")).unwrap();
            symlink(
                format!("{HERE}/{name}.sh"),
                world.path(&format!("bin/{name}")),
            )
            .unwrap();
        }
        world.write("world/insecure_private_key.pub", INSECURE_RSA);
        let keys = format!("{INSECURE_RSA}{OTHER}{INSECURE_ED25519}");
        world.write("world/image/home/.ssh/authorized_keys", &keys);
        world
    }

    /// The same with a key pair, which is made sooner than that of dtaas.
    pub fn with_key_pair() -> Self {
        let world = Self::new();
        fs::create_dir(world.path("box")).unwrap();
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "dtaas", "-f"])
            .arg(world.path("box/vagrant"))
            .status();
        assert!(made.unwrap().success());
        world
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Writes a file, with the directories above it.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A file's text; nothing where there is none.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// The next call that is like this pattern fails.
    pub fn fails(&self, call: &str, code: i32, said: &str) {
        self.write("world/fail", &format!("{call}\n{code}\n{said}\n"));
    }

    /// Builds a box with node in it.
    pub fn build(&self) -> Ran {
        self.build_with(&["--with", "node"])
    }

    pub fn build_with(&self, arguments: &[&str]) -> Ran {
        let path = std::env::var("PATH").unwrap();
        let output = Command::new(binary())
            .args(["box", "build", "--directory", "box"])
            .args(arguments)
            .current_dir(self.directory.path())
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("STAND_IN_WORLD", self.path("world"))
            // Another's, as the operator may have it: it must not count.
            .env("VAGRANT_CWD", "/nonexistent")
            .env_remove("CLICOLOR_FORCE")
            .output()
            .unwrap();
        let place = self.directory.path().to_str().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            talk: plain(
                &String::from_utf8(output.stderr)
                    .unwrap()
                    .replace(place, "DIR"),
            ),
        }
    }

    /// What was called since the last time, in order.
    pub fn calls(&self) -> Vec<String> {
        let calls = self.read("world/calls");
        self.write("world/calls", "");
        let place = self.directory.path().to_str().unwrap();
        calls
            .lines()
            .map(|line| line.replace(place, "DIR"))
            .collect()
    }

    /// The names in a directory, in order.
    pub fn names(&self, path: &str) -> Vec<String> {
        names(&self.path(path))
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Without what differs from run to run: how long a step took, and how many bytes of keys were written.
fn plain(talk: &str) -> String {
    let mut text = String::new();
    for line in talk.lines() {
        text.push_str(without_time(line).unwrap_or(line));
        text.push('\n');
    }
    match text.split_once(" -eq ") {
        Some((before, behind)) => format!(
            "{before} -eq N{}",
            behind.trim_start_matches(|c: char| c.is_ascii_digit())
        ),
        None => text,
    }
}

fn without_time(line: &str) -> Option<&str> {
    let (text, seconds) = line
        .strip_suffix(" s")
        .filter(|_| line.starts_with("✓ "))?
        .rsplit_once(' ')?;
    seconds.parse::<f64>().ok().map(|_| text)
}
