//! Where new passwords go: to the screen, to a file, or to nobody, because whoever gave them knows them.
//!
//! No user comes to exist with a new password that was not handed out: a file holds all of them before the first user exists, and
//! the screen shows each just before its user does. A run that is cut off leaves passwords of users who do not exist, at worst.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::deployment::users::check_password;
use crate::error::Failure;
use crate::secrets::Secret;
use crate::spec::names::UserName;
use crate::ui;

/// Where new passwords go.
pub enum Recipient {
    /// Whoever gave them knows them.
    Nobody,
    /// Standard output.
    Screen {
        /// How wide the column of names is.
        width: usize,
    },
    /// A file, whole or not at all.
    File(Credentials),
}

/// A file of credentials, written beside its place and moved there.
pub struct Credentials {
    path: PathBuf,
    beside: PathBuf,
    file: File,
    /// What an earlier run wrote.
    known: BTreeMap<UserName, Secret>,
    is_new: bool,
}

impl Recipient {
    pub(super) fn file(path: &Path, continued: &BTreeSet<UserName>) -> anyhow::Result<Self> {
        let cannot = || {
            Failure::usage(format!(
                "--credentials-file: cannot make {}",
                path.display()
            ))
            .hint("name a file in a directory that is there; nothing was changed")
        };
        let is_new = std::fs::symlink_metadata(path).is_err();
        let known = match is_new {
            true => BTreeMap::new(),
            false => left_by_an_earlier_run(path, continued).ok_or_else(|| {
                Failure::usage(format!(
                    "--credentials-file: {} exists already",
                    path.display()
                ))
                .hint("name a file that does not exist; nothing was changed")
            })?,
        };
        let name = path.file_name().ok_or_else(cannot)?.to_string_lossy();
        // Each run's own: two may be told to write the same file.
        let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .with_context(cannot)?;
        Ok(Recipient::File(Credentials {
            path: path.to_owned(),
            beside,
            file,
            known,
            is_new,
        }))
    }

    /// The password that an earlier run made for a user and handed out here.
    pub fn known(&self, user: &UserName) -> Option<&Secret> {
        match self {
            Recipient::Nobody | Recipient::Screen { .. } => None,
            Recipient::File(credentials) => credentials.known.get(user),
        }
    }

    /// Begins to hand out: a file gets everything, the screen a heading.
    pub fn begin(&mut self, credentials: &[(UserName, Secret)]) -> anyhow::Result<()> {
        if credentials.is_empty() {
            return Ok(());
        }
        match self {
            Recipient::Nobody => Ok(()),
            Recipient::Screen { width } => {
                let names = credentials.iter().map(|(user, _)| user.as_str().len());
                *width = names.chain(["USER".len()]).max().unwrap_or_default();
                row("USER", "PASSWORD", *width)
            }
            Recipient::File(file) => file
                .write(credentials)
                .with_context(|| format!("cannot write {}", file.path.display())),
        }
    }

    /// Shows one, just before the user exists.
    pub fn show(&self, user: &UserName, password: &Secret) -> anyhow::Result<()> {
        match self {
            Recipient::Screen { width } => row(user.as_str(), password.expose(), *width),
            Recipient::Nobody | Recipient::File(_) => Ok(()),
        }
    }

    /// Says where as many passwords were handed out.
    pub fn end(&self, many: usize) {
        let (what, they) = match many {
            0 => return,
            1 => ("password is", "This password is"),
            _ => ("passwords are", "These passwords are"),
        };
        match self {
            Recipient::Nobody => {}
            Recipient::Screen { .. } => ui::say(format!("{they} shown this once.")),
            Recipient::File(file) => ui::say(format!("The {what} in {}.", file.path.display())),
        }
    }

    /// All of it at once, for users who exist already.
    pub fn hand_out(&mut self, credentials: &[(UserName, Secret)]) -> anyhow::Result<()> {
        let given = self.begin(credentials).and_then(|()| {
            credentials
                .iter()
                .try_for_each(|(user, password)| self.show(user, password))
        });
        given.with_context(|| {
            Failure::new("the users exist, and their new passwords could not be handed out")
                .hint("set others with `dtaas user passwd NAME`")
        })?;
        self.end(credentials.len());
        Ok(())
    }
}

impl Credentials {
    fn write(&mut self, credentials: &[(UserName, Secret)]) -> anyhow::Result<()> {
        let known = self.known.iter();
        let new = credentials.iter().map(|(user, password)| (user, password));
        let all: BTreeMap<&UserName, &Secret> = known.chain(new).collect();
        let text: String = all
            .into_iter()
            .map(|(user, password)| format!("{user}:{}\n", password.expose()))
            .collect();
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        let flags = match self.is_new {
            true => rustix::fs::RenameFlags::NOREPLACE,
            false => rustix::fs::RenameFlags::empty(),
        };
        let here = rustix::fs::CWD;
        rustix::fs::renameat_with(here, &self.beside, here, &self.path, flags)?;
        let parent = self.path.parent().filter(|path| *path != Path::new(""));
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        // Nothing is there once it was moved to its place; that an empty one stays behind is the lesser evil.
        let _ = std::fs::remove_file(&self.beside);
    }
}

fn row(user: &str, password: &str, width: usize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{user:width$}  {password}")
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
}

/// What an earlier run wrote to a file; `None` when anything else is in it, or others may read it.
fn left_by_an_earlier_run(
    path: &Path,
    continued: &BTreeSet<UserName>,
) -> Option<BTreeMap<UserName, Secret>> {
    let found = std::fs::symlink_metadata(path).ok()?;
    let own = found.uid() == rustix::process::geteuid().as_raw();
    if !found.is_file() || found.mode() & 0o077 != 0 || !own {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let read = |line: &str| {
        let (user, password) = line.split_once(':')?;
        let user: UserName = user.parse().ok()?;
        let password = Secret::new(password);
        check_password(&password).ok()?;
        continued.contains(&user).then_some((user, password))
    };
    let known: BTreeMap<UserName, Secret> = text.lines().map(read).collect::<Option<_>>()?;
    (!known.is_empty()).then_some(known)
}
