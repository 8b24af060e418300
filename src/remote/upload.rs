//! Bringing the executable to a machine: once a version, checked there, and never run half.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::RngExt;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::error::Failure;
use crate::machine::image;
use crate::platform::desired::hex;
use crate::remote::connection::{Connection, Output};
use crate::ui::printable::printable;

/// Where versions lie on the machine, each in a directory named after the first 16 hex digits of its SHA-256.
const VERSIONS: &str = "/var/lib/dtaas/agent";
/// How many versions are kept.
const KEPT: usize = 2;
const PIECE: usize = 256 * 1024;
/// How long the machine may take to accept one piece, or the end.
const TO_ACCEPT: Duration = Duration::from_secs(60);
const SELF: &str = "/proc/self/exe";

/// A machine that is logged in to, with root's rights at hand.
pub(super) struct Place<'a> {
    connection: &'a Connection,
    machine: &'a str,
    /// What stands before a command that needs them.
    before: &'static [&'static str],
    /// The processor's architecture, as `uname -m` says it.
    architecture: String,
}

/// What is uploaded.
struct Executable {
    path: PathBuf,
    digest: String,
}

impl<'a> Place<'a> {
    /// Looks which machine it is, and how root's rights are had there.
    pub(super) async fn look(connection: &'a Connection, machine: &'a str) -> Result<Self> {
        let uname = connection.run(&["uname", "-s", "-m"]).await?;
        // A login's start-up files may have said something before.
        let said = uname
            .stdout
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty());
        let (system, architecture) = match said.and_then(|line| line.split_once(' ')) {
            Some(found) if uname.ended.is_good() => found,
            Some(_) | None => return Err(odd(machine, "uname -s -m", &uname)),
        };
        if system != "Linux" {
            return Err(Failure::new(format!(
                "{machine} runs {}, and only Linux is worked with",
                printable(system)
            ))
            .hint("name another machine in the profile")
            .into());
        }
        let id = connection.run(&["id", "-u"]).await?;
        let id = match id
            .stdout
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty())
        {
            Some(uid) if id.ended.is_good() => uid.to_owned(),
            Some(_) | None => return Err(odd(machine, "id -u", &id)),
        };
        let before: &[&str] = match id.as_str() {
            "0" => &[],
            _ => {
                let tried = connection.run(&["sudo", "-n", "--", "true"]).await?;
                if !tried.ended.is_good() {
                    return Err(no_sudo(machine, &tried));
                }
                &["sudo", "-n", "--"]
            }
        };
        Ok(Self {
            connection,
            machine,
            before,
            architecture: architecture.to_owned(),
        })
    }

    /// These words as root runs them.
    pub(super) fn as_root<'b>(&'b self, words: &[&'b str]) -> Vec<&'b str> {
        self.before
            .iter()
            .copied()
            .chain(words.iter().copied())
            .collect()
    }

    /// Sees to it that the executable is there: this very one, or the file that was given. Answers its path there, and whether it
    /// had to be uploaded.
    pub(super) async fn install(&self, given: Option<&Path>) -> Result<(String, bool)> {
        let executable = self.executable(given).await?;
        let directory = format!("{VERSIONS}/{}", &executable.digest[..16]);
        let path = format!("{directory}/dtaas");
        if self.digest(&path).await?.as_deref() == Some(executable.digest.as_str()) {
            return Ok((path, false));
        }
        let root = VERSIONS.rsplit_once('/').map_or(VERSIONS, |(root, _)| root);
        self.must(&["install", "-d", "-m", "0755", root, VERSIONS, &directory])
            .await?;
        // What uploads that broke off have left.
        self.run(&[
            "find",
            VERSIONS,
            "-mindepth",
            "2",
            "-maxdepth",
            "2",
            "-type",
            "f",
            "-name",
            "dtaas.*",
            "-mmin",
            "+60",
            "-delete",
        ])
        .await?;
        let aside = format!("{path}.{:08x}", rand::rng().random::<u32>());
        if let Err(error) = self.put(&executable, &aside, &path).await {
            // Where the connection is gone, the next upload's sweep does it.
            let _ = self.run(&["rm", "-f", "--", &aside]).await;
            return Err(error);
        }
        self.sweep(&executable.digest[..16]).await;
        Ok((path, true))
    }

    async fn executable(&self, given: Option<&Path>) -> Result<Executable> {
        let own = std::env::consts::ARCH;
        let there = self.architecture.as_str();
        match given {
            None if there == own => {
                let digest = tokio::task::spawn_blocking(image::own_digest)
                    .await
                    .context("cannot read the running executable")??;
                Ok(Executable {
                    path: SELF.into(),
                    digest: digest.to_owned(),
                })
            }
            None => Err(Failure::new(format!(
                "{} has processors of the kind {}, and this program is for {own}",
                self.machine,
                printable(there)
            ))
            .hint(format!(
                "give the program for {} as a file: --agent-binary FILE",
                printable(there)
            ))
            .into()),
            Some(path) => {
                let for_what = kind_of(path)?;
                if for_what.is_some_and(|kind| kind != there) {
                    return Err(Failure::usage(format!(
                        "{} is for {}, and {} has processors of the kind {}",
                        path.display(),
                        for_what.unwrap_or_default(),
                        self.machine,
                        printable(there)
                    ))
                    .hint(format!(
                        "give the program for {}: --agent-binary FILE",
                        printable(there)
                    ))
                    .into());
                }
                let file = path.to_owned();
                let digest = tokio::task::spawn_blocking(move || digest_of(&file))
                    .await
                    .context("cannot read the program to upload")?
                    .with_context(|| format!("cannot read {}", path.display()))?;
                Ok(Executable {
                    path: path.to_owned(),
                    digest,
                })
            }
        }
    }

    /// Writes it aside, checks it there, and gives it its name.
    async fn put(&self, executable: &Executable, aside: &str, path: &str) -> Result<()> {
        let out = format!("of={aside}");
        let words = ["env", "LC_ALL=C", "dd", &out, "bs=65536", "conv=fsync"];
        let mut running = self.connection.start(&self.as_root(&words)).await?;
        let stderr = Arc::clone(&running.stderr);
        let mut file = File::open(&executable.path)
            .with_context(|| format!("cannot read {}", executable.path.display()))?;
        let mut piece = vec![0; PIECE];
        loop {
            let count = file
                .read(&mut piece)
                .with_context(|| format!("cannot read {}", executable.path.display()))?;
            if count == 0 {
                break;
            }
            let written = running.stream.write_all(&piece[..count]);
            match tokio::time::timeout(TO_ACCEPT, written).await {
                Ok(Ok(())) => {}
                // It has ended, and says why.
                Ok(Err(_)) => break,
                Err(_) => return Err(self.connection.lost("the upload stood still")),
            }
        }
        running.end_of_input().await;
        let ended = match tokio::time::timeout(TO_ACCEPT, running.came()).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(why)) => return Err(self.connection.lost(&why)),
            Err(_) => return Err(self.connection.lost("the upload did not end")),
        };
        let said = stderr.lines();
        if !ended.is_good() {
            let failure = Failure::new(format!(
                "{}: cannot write {aside}: {}",
                self.machine,
                match said.is_empty() {
                    true => "dd failed without a word",
                    false => &said,
                }
            ));
            return Err(match said.contains("No space left") {
                true => failure.hint(format!(
                    "make room on {} (df -h {VERSIONS}), then run this again",
                    self.machine
                )),
                false => failure.hint("mend that, then run this again"),
            }
            .into());
        }
        if self.digest(aside).await?.as_deref() != Some(executable.digest.as_str()) {
            return Err(Failure::new(format!(
                "{}: what was uploaded is not what arrived in {aside}",
                self.machine
            ))
            .hint("run this again; if it happens again, that disk or the network is broken")
            .into());
        }
        self.must(&["chmod", "0755", aside]).await?;
        self.must(&["mv", "-f", "--", aside, path]).await
    }

    /// The SHA-256 of a file there; `None` where there is none.
    async fn digest(&self, path: &str) -> Result<Option<String>> {
        let output = self.run(&["sha256sum", "--", path]).await?;
        let word = |line: &str| {
            line.split_whitespace()
                .next()
                .map(|word| word.trim_start_matches('\\').to_owned())
        };
        let line = output.stdout.lines().rev().find(|line| line.contains(path));
        Ok(line.and_then(word).filter(|_| output.ended.is_good()))
    }

    /// Removes all versions but this one and the latest others. What does not work is done the next time.
    async fn sweep(&self, own: &str) {
        let Ok(listed) = self.run(&["ls", "-1t", VERSIONS]).await else {
            return;
        };
        let old: Vec<String> = surplus(&listed.stdout, own)
            .into_iter()
            .map(|name| format!("{VERSIONS}/{name}"))
            .collect();
        if !old.is_empty() {
            let words: Vec<&str> = ["rm", "-rf", "--"]
                .into_iter()
                .chain(old.iter().map(String::as_str))
                .collect();
            let _ = self.run(&words).await;
        }
    }

    async fn run(&self, words: &[&str]) -> Result<Output> {
        self.connection.run(&self.as_root(words)).await
    }

    async fn must(&self, words: &[&str]) -> Result<()> {
        let output = self.run(words).await?;
        match output.ended.is_good() {
            true => Ok(()),
            false => Err(odd(self.machine, &words.join(" "), &output)),
        }
    }
}

/// The versions to remove, of those listed with the latest first.
fn surplus<'a>(listed: &'a str, own: &str) -> Vec<&'a str> {
    let is_version =
        |name: &&str| name.len() == 16 && name.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    listed
        .lines()
        .filter(is_version)
        .filter(|name| *name != own)
        .skip(KEPT - 1)
        .collect()
}

fn digest_of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(&piece[..count]),
        }
    }
}

/// Which processors a file is for, as `uname -m` says it; `None` where that cannot be told.
///
/// # Errors
///
/// When it is no program (elf(5)), or cannot be read.
fn kind_of(path: &Path) -> Result<Option<&'static str>> {
    let mut head = [0; 20];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut head))
        .with_context(|| {
            Failure::usage(format!("cannot read {}", path.display()))
                .hint("give the program for that machine: --agent-binary FILE")
        })?;
    if !head.starts_with(b"\x7fELF") {
        return Err(Failure::usage(format!("{} is no program", path.display()))
            .hint("give the program for that machine: --agent-binary FILE")
            .into());
    }
    Ok(match u16::from_le_bytes([head[18], head[19]]) {
        62 => Some("x86_64"),
        183 => Some("aarch64"),
        243 => Some("riscv64"),
        _ => None,
    })
}

fn odd(machine: &str, what: &str, output: &Output) -> anyhow::Error {
    let said = match (output.stderr.as_str(), output.stdout.trim()) {
        ("", "") => "it said nothing".to_owned(),
        ("", said) | (said, _) => {
            printable(&said.chars().take(300).collect::<String>()).into_owned()
        }
    };
    Failure::new(format!("{machine}: `{what}` failed: {said}"))
        .hint("log in there with ssh and try it by hand, mend that, then run this again")
        .into()
}

fn no_sudo(machine: &str, tried: &Output) -> anyhow::Error {
    let why = match tried.ended.status {
        127 => "there is no sudo".to_owned(),
        _ if tried.stderr.is_empty() => "sudo -n true failed".to_owned(),
        _ => tried.stderr.clone(),
    };
    Failure::new(format!(
        "{machine}: the work there takes root, and the login has not its rights: {why}"
    ))
    .hint(
        "log in as root (`user: root`); or let the login do it without a password, with the line \
         `LOGIN ALL=(ALL) NOPASSWD: ALL` in /etc/sudoers.d/dtaas there",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_versions_are_kept() {
        let listed = "lost+found\n0123456789abcdef\nffffffffffffffff\neeeeeeeeeeeeeeee\nnotes\ndddddddddddddddd\n";
        assert_eq!(
            surplus(listed, "eeeeeeeeeeeeeeee"),
            ["ffffffffffffffff", "dddddddddddddddd"]
        );
        assert!(surplus("0123456789abcdef\n", "0123456789abcdef").is_empty());
    }

    #[test]
    fn what_a_program_is_for_is_known() {
        assert_eq!(
            kind_of(Path::new(SELF)).unwrap(),
            Some(std::env::consts::ARCH)
        );
        let error = kind_of(Path::new("/proc/self/environ")).unwrap_err();
        assert_eq!(error.to_string(), "/proc/self/environ is no program");
    }
}
