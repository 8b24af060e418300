//! The htpasswd store: a directory with one file a user, named like the user, that holds one line `user:hash`.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use super::password;
use super::stamped::{self, Stamp};
use crate::machine::files::Tree;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// The most that an entry's file holds, in bytes.
const FILE_MAX: u64 = 1024;

/// The permission bits of an entry's file.
pub const MODE: u32 = 0o600;

/// A user's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is.
    pub user: UserName,
    /// The password's hash, in a form that [`password::verify`] accepts.
    pub hash: Secret,
}

/// An entry that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// Why it is not used.
    pub reason: String,
}

/// All entries of a store; one that is damaged does not hide the others.
#[derive(Debug, Default)]
pub struct Listing {
    /// What can be used, sorted by user.
    pub entries: Vec<Entry>,
    /// What cannot, sorted by path.
    pub problems: Vec<Problem>,
}

/// What an entry's file holds: `user:hash` and a line break.
pub fn entry_line(user: &UserName, hash: &str) -> Secret {
    Secret::new(format!("{user}:{hash}\n"))
}

/// How long a directory is waited for that another process holds, which takes as long as a small file does.
const HELD: Duration = Duration::from_secs(10);

/// Keeps others from writing in a directory until it is dropped: the operator's commands and the website may both be at it.
///
/// # Errors
/// When the directory cannot be opened, or is held by another process for more than ten seconds.
pub fn hold(directory: &Path) -> io::Result<OwnedFd> {
    hold_within(directory, HELD)
}

fn hold_within(directory: &Path, longest: Duration) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let held = rustix::fs::open(directory, flags, Mode::empty())?;
    let start = Instant::now();
    loop {
        match flock(&held, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(held),
            Err(Errno::WOULDBLOCK) if start.elapsed() < longest => {
                // The kernel tells nobody with a bound when a lock is free.
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(Errno::WOULDBLOCK) => {
                let path = directory.display();
                let why = format!("{path} has been held by another process for too long");
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Gives a user another password: the entry is replaced whole, and only where there is one, since whoever has none has no password to change.
///
/// # Errors
/// When there is none, it cannot be used, or the new one cannot be written.
pub fn replace(directory: &Path, user: &UserName, hash: &str) -> anyhow::Result<()> {
    let tree = Tree::open(directory)?;
    let _held = hold(directory)?;
    load(directory, user)?
        .with_context(|| format!("{} is not there", directory.join(user.as_str()).display()))?;
    let line = entry_line(user, hash);
    tree.write(Path::new(user.as_str()), MODE, line.expose().as_bytes())?;
    Ok(())
}

/// A user's entry; `None` when there is none.
///
/// # Errors
/// When the file is not a regular one, does not hold exactly one line of this user, or its hash is of a form that is not
/// accepted.
pub fn load(directory: &Path, user: &UserName) -> Result<Option<Entry>, Problem> {
    Ok(load_stamped(directory, user)?.map(|(entry, _)| entry))
}

pub(super) fn load_stamped(
    directory: &Path,
    user: &UserName,
) -> Result<Option<(Entry, Stamp)>, Problem> {
    let path = directory.join(user.as_str());
    let read = match stamped::read(&path, FILE_MAX) {
        Ok(read) => read,
        Err(error) => {
            let reason = error.to_string();
            return Err(Problem { path, reason });
        }
    };
    let Some((text, stamp)) = read else {
        return Ok(None);
    };
    match parse(&text, user) {
        Ok(entry) => Ok(Some((entry, stamp))),
        Err(reason) => Err(Problem { path, reason }),
    }
}

/// All entries of a store. Files whose names begin with a dot are passed over: they are being written.
///
/// # Errors
/// When the directory cannot be read.
pub fn list(directory: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for file in fs::read_dir(directory)? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        let loaded = match name.parse::<UserName>() {
            Ok(user) => load(directory, &user),
            Err(error) => {
                let reason = error.to_string();
                Err(Problem { path, reason })
            }
        };
        match loaded {
            Ok(entry) => listing.entries.extend(entry),
            Err(problem) => listing.problems.push(problem),
        }
    }
    listing.entries.sort_by(|a, b| a.user.cmp(&b.user));
    listing.problems.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(listing)
}

fn parse(text: &str, user: &UserName) -> Result<Entry, String> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    if line.contains(['\n', '\r']) {
        return Err("it holds more than one line".into());
    }
    // What stands there is not repeated: it may be a password in cleartext.
    let Some((name, hash)) = line.split_once(':') else {
        return Err("it does not hold a line of the form user:hash".into());
    };
    if name != user.as_str() {
        return Err("its line is another user's than its name says".into());
    }
    if password::scheme(hash).is_none() {
        return Err("its hash is neither bcrypt, apr1 nor SHA, which alone are accepted".into());
    }
    Ok(Entry {
        user: user.clone(),
        hash: Secret::new(hash),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=";

    fn store(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let alice: UserName = "alice".parse().unwrap();
        let line = entry_line(&alice, SHA);
        let directory = store(&[("alice", line.expose())]);

        let entry = load(directory.path(), &alice).unwrap().unwrap();
        assert_eq!(entry.hash.expose(), SHA);
        assert!(
            load(directory.path(), &"bob".parse().unwrap())
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn whoever_holds_it_is_waited_for_but_not_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let held = hold(directory.path()).unwrap();
        let error = hold_within(directory.path(), Duration::from_millis(20)).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("held by another process for too long")
        );
        let waiting = directory.path().to_owned();
        let next = std::thread::spawn(move || hold(&waiting).map(drop));
        drop(held);
        next.join().unwrap().unwrap();
    }

    #[test]
    fn a_damaged_entry_does_not_hide_the_others() {
        let directory = store(&[
            ("alice", &format!("alice:{SHA}")),
            ("bob", &format!("alice:{SHA}\n")),
            ("carol", "carol:hunter2\n"),
            ("dave", &format!("dave:{SHA}\nmallory:{SHA}\n")),
            ("erin", ""),
            ("Frank", &format!("Frank:{SHA}\n")),
            (".alice.new", "half a li"),
        ]);
        std::os::unix::fs::symlink("alice", directory.path().join("grace")).unwrap();

        let listing = list(directory.path()).unwrap();
        let problems: Vec<String> = listing
            .problems
            .iter()
            .map(|p| format!("{}: {}", p.path.file_name().unwrap().display(), p.reason))
            .collect();
        assert_eq!(listing.entries.len(), 1);
        assert_eq!(
            problems,
            [
                "Frank: \"Frank\" is not a user name: 'F' is not allowed; use a-z, 0-9, '.', '_' and '-'",
                "bob: its line is another user's than its name says",
                "carol: its hash is neither bcrypt, apr1 nor SHA, which alone are accepted",
                "dave: it holds more than one line",
                "erin: it does not hold a line of the form user:hash",
                "grace: it is a symbolic link",
            ]
        );
    }
}
