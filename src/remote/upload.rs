//! This executable on another machine: once a version, known by its SHA-256, whole or not at all.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};
use ssh2::Session;

use super::quote;
use crate::error::Failure;
use crate::platform::desired::hex;

/// Where it lies there, a directory a version.
const PLACE: &str = "/var/lib/dtaas/agent";
/// How much is sent at once, in bytes.
const PIECE: usize = 32 * 1024;

/// Runs commands on a machine as root.
pub struct Root<'a> {
    session: &'a Session,
    sudo: bool,
}

/// What came of a command.
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it wrote, without the end of the last line.
    pub out: String,
    /// What it said on standard error, likewise.
    pub err: String,
}

impl<'a> Root<'a> {
    /// By being root, or by sudo.
    ///
    /// # Errors
    /// When it is neither.
    pub fn on(user: &str, session: &'a Session) -> anyhow::Result<Self> {
        let mut root = Self {
            session,
            sudo: false,
        };
        if root.run(&["id", "-u"])?.out == "0" {
            return Ok(root);
        }
        root.sudo = true;
        let ran = root.run(&["true"])?;
        match ran.code {
            0 => Ok(root),
            _ => Err(Failure::new(format!(
                "{user} is not root there, and may not become root without a password: {}",
                ran.err
            ))
            .hint(format!(
                "on that machine: echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{user}; or let root log in"
            ))
            .into()),
        }
    }

    /// The words of a command as root.
    pub fn words<'w>(&self, argv: &[&'w str]) -> Vec<&'w str> {
        match self.sudo {
            true => [&["sudo", "-n"][..], argv].concat(),
            false => argv.to_vec(),
        }
    }

    /// Runs a command to its end.
    pub fn run(&self, argv: &[&str]) -> anyhow::Result<Ran> {
        self.run_with(argv, &mut std::io::empty())
    }

    fn run_with(&self, argv: &[&str], input: &mut dyn Read) -> anyhow::Result<Ran> {
        let mut ran = || -> anyhow::Result<Ran> {
            let mut channel = self.session.channel_session()?;
            channel.exec(&quote::line(&self.words(argv)))?;
            let mut piece = vec![0; PIECE];
            loop {
                match input.read(&mut piece)? {
                    0 => break,
                    // A program that has ended takes no more, and says why.
                    length if channel.write_all(&piece[..length]).is_err() => break,
                    _ => {}
                }
            }
            // It may have ended already.
            let _ = channel.send_eof();
            let (mut out, mut err) = (Vec::new(), Vec::new());
            channel.read_to_end(&mut out)?;
            channel.stderr().read_to_end(&mut err)?;
            channel.wait_close()?;
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
            Ok(Ran {
                code: channel.exit_status()?,
                out: text(out),
                err: text(err),
            })
        };
        ran().with_context(|| {
            Failure::new(format!("the connection broke off at `{}`", argv.join(" ")))
                .hint("run the same command again")
        })
    }

    /// Runs a command that must succeed.
    fn must(&self, argv: &[&str], input: &mut dyn Read) -> anyhow::Result<String> {
        let ran = self.run_with(argv, input)?;
        if ran.code == 0 {
            return Ok(ran.out);
        }
        let full = ran.err.contains("No space left");
        Err(Failure::new(format!(
            "cannot put dtaas there: `{}` failed: {}",
            argv.join(" "),
            ran.err
        ))
        .hint(match full {
            true => {
                format!("make room in {PLACE} on that machine, then run the same command again")
            }
            false => "mend that on the machine, then run the same command again".to_owned(),
        })
        .into())
    }
}

/// An executable for another machine.
pub struct Executable {
    path: PathBuf,
    digest: String,
    size: u64,
}

impl Executable {
    /// This one, or the one that was named.
    pub fn open(named: Option<&Path>) -> anyhow::Result<Self> {
        let path = named.unwrap_or(Path::new("/proc/self/exe"));
        let read = || -> std::io::Result<(String, u64)> {
            let mut file = File::open(path)?;
            let mut hasher = Sha256::new();
            let size = std::io::copy(&mut file, &mut Hashing(&mut hasher))?;
            Ok((hex(&hasher.finalize()), size))
        };
        let (digest, size) = read().with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            digest,
            size,
        })
    }

    /// Sees to it that it is on the machine; answers where. `say` is told when it has to be sent.
    pub fn put(&self, root: &Root<'_>, say: &dyn Fn(String)) -> anyhow::Result<String> {
        let directory = format!("{PLACE}/{}", &self.digest[..16]);
        let path = format!("{directory}/dtaas");
        let digest_of = |path: &str| -> anyhow::Result<Option<String>> {
            let ran = root.run(&["sha256sum", path])?;
            let digest = ran.out.split_whitespace().next().map(str::to_owned);
            Ok(digest.filter(|_| ran.code == 0))
        };
        if digest_of(&path)?.as_deref() == Some(self.digest.as_str()) {
            return Ok(path);
        }
        say(format!(
            "sending dtaas there ({} MB)",
            self.size.div_ceil(1_000_000)
        ));
        let aside = format!("{path}.{}", std::process::id());
        let sent = || -> anyhow::Result<()> {
            root.must(&["mkdir", "-p", &directory], &mut std::io::empty())?;
            let of = format!("of={aside}");
            let mut file = File::open(&self.path)
                .with_context(|| format!("cannot read {}", self.path.display()))?;
            root.must(&["dd", &of, "bs=64k", "status=none"], &mut file)?;
            root.must(&["chmod", "755", &aside], &mut std::io::empty())?;
            root.must(&["sync", &aside], &mut std::io::empty())?;
            if digest_of(&aside)?.as_deref() != Some(self.digest.as_str()) {
                return Err(Failure::new("what arrived there is not what was sent")
                    .hint("run the same command again")
                    .into());
            }
            root.must(&["mv", "-f", &aside, &path], &mut std::io::empty())?;
            Ok(())
        };
        if let Err(error) = sent() {
            // As far as that is possible still.
            let _ = root.run(&["rm", "-f", &aside]);
            return Err(error);
        }
        Ok(path)
    }
}

struct Hashing<'a>(&'a mut Sha256);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
