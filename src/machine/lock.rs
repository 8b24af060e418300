//! One run at a time: whoever changes a deployment on a machine holds its lock, and whoever brings a whole machine to another
//! state holds the machine's as well.
//!
//! The deployment's lock is always taken first. Two deployments that share several machines can come to wait for each other's: a
//! machine's lock is waited for so long and no longer.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::oneshot;

use crate::error::{Exit, Failure};

/// The deployment's lock, below its root.
pub const FILE: &str = ".lock";
/// The machine's: for what several deployments on it would race for, which are the packet filter, ports and ranges of addresses.
/// Only root makes files there.
const MACHINE: &str = "/run/dtaas.lock";
/// What a holder is called who did not sign.
const SOMEBODY: &str = "another run";
/// How long is waited without a word.
const MOMENT: Duration = Duration::from_millis(500);
/// How long a machine's lock is waited for. It is held while images are pulled as well.
const FOR_A_MACHINE: Duration = Duration::from_secs(600);
/// How often it is looked for who has just taken it.
const LOOK: Duration = Duration::from_millis(5);

/// Held as long as it lives; the kernel takes it from a process that ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of the deployment at `root`, which must exist. `command` is what the holder is called, such as `dtaas up`.
    ///
    /// # Errors
    ///
    /// A [`Failure`] with [`Exit::Locked`] that names the holder, when another run has it.
    pub fn take(root: &Path, command: &str) -> anyhow::Result<Self> {
        let path = root.join(FILE);
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self::signed(file, command)),
            Err(TryLockError::WouldBlock) => {
                let holder = signature(&path);
                // Nobody signs for long: it has just been let go of.
                if holder.is_none() && file.try_lock().is_ok() {
                    return Ok(Self::signed(file, command));
                }
                let holder = holder.unwrap_or_else(|| SOMEBODY.to_owned());
                Err(
                    Failure::new(format!("{} is held by {holder}", root.display()))
                        .hint("wait until it is done, then run this again")
                        .exit(Exit::Locked)
                        .into(),
                )
            }
            Err(TryLockError::Error(error)) => Err(not_taken(&path, error)),
        }
    }

    /// The same, but waits as long as another run has it; `say` is told whom it waits for.
    pub async fn wait(root: &Path, command: &str, say: &dyn Fn(&str)) -> anyhow::Result<Self> {
        Self::when_free(&root.join(FILE), command, say).await
    }

    /// Takes the lock of this machine, and waits while another deployment's run has it; `say` is told whom it waits for.
    /// `command` is what the holder is called, such as `dtaas up of foo.com`.
    ///
    /// # Errors
    ///
    /// A [`Failure`] with [`Exit::Locked`] that names the holder, when the other run has it for ten minutes.
    pub async fn machine(command: &str, say: &dyn Fn(&str)) -> anyhow::Result<Self> {
        Self::within(FOR_A_MACHINE, Path::new(MACHINE), command, say).await
    }

    async fn within(
        limit: Duration,
        path: &Path,
        command: &str,
        say: &dyn Fn(&str),
    ) -> anyhow::Result<Self> {
        match tokio::time::timeout(limit, Self::when_free(path, command, say)).await {
            Ok(lock) => lock,
            Err(_) => Err(
                Failure::new(format!("the machine is held by {}", holder(path)))
                    .hint(
                        "run this again when that is done. Two runs on the same machines may have waited for each other: \
                         start one after the other",
                    )
                    .exit(Exit::Locked)
                    .into(),
            ),
        }
    }

    async fn when_free(path: &Path, command: &str, say: &dyn Fn(&str)) -> anyhow::Result<Self> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => return Ok(Self::signed(file, command)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(not_taken(path, error)),
        }
        let (tell, mut taken) = oneshot::channel();
        // Whoever gives up waiting leaves the thread behind; what it gets then, it lets go of.
        std::thread::spawn(move || {
            let locked = until_locked(&file).map(|()| file);
            let _ = tell.send(locked);
        });
        let taken = match tokio::time::timeout(MOMENT, &mut taken).await {
            Ok(taken) => taken,
            Err(_) => {
                say(&format!("waiting for {}", holder(path)));
                taken.await
            }
        };
        let file = taken
            .with_context(|| format!("cannot wait for the lock {}", path.display()))?
            .map_err(|error| not_taken(path, error))?;
        Ok(Self::signed(file, command))
    }

    /// Writes down who has it.
    fn signed(mut file: File, command: &str) -> Self {
        let since = OffsetDateTime::now_utc()
            .replace_nanosecond(0)
            .ok()
            .and_then(|now| now.format(&Rfc3339).ok())
            .unwrap_or_default();
        let line = format!(
            "{command} (process {}, since {since})\n",
            std::process::id()
        );
        // It is held already, and this is only for talking about it: on a full disk what makes room must go on.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(line.as_bytes()));
        Self { file }
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(path)
        .with_context(|| format!("cannot open the lock {}", path.display()))
}

fn until_locked(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn not_taken(path: &Path, error: io::Error) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("cannot take the lock {}", path.display()))
}

/// Who has a lock. This is only for talking about it.
fn holder(path: &Path) -> String {
    signature(path).unwrap_or_else(|| SOMEBODY.to_owned())
}

/// What whoever has a lock has signed it with; who has only just taken it signs in a moment.
fn signature(path: &Path) -> Option<String> {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        match text.trim() {
            "" if begun.elapsed() < MOMENT => std::thread::sleep(LOOK),
            "" => return None,
            holder => return Some(holder.to_owned()),
        }
    }
}

impl Drop for Lock {
    /// Nobody is to be told of a holder who is gone.
    fn drop(&mut self) {
        // What stays there is only talk.
        let _ = self.file.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::error::failure_of;

    #[test]
    fn a_second_run_is_told_who_holds_the_first() {
        let root = tempfile::tempdir().unwrap();
        let first = Lock::take(root.path(), "dtaas up").unwrap();

        let error = Lock::take(root.path(), "dtaas down").unwrap_err();
        let failure = failure_of(&error).unwrap();
        assert_eq!(failure.code(), Exit::Locked);
        assert!(
            failure
                .to_string()
                .contains("is held by dtaas up (process ")
        );

        drop(first);
        Lock::take(root.path(), "dtaas down").unwrap();
    }

    #[tokio::test]
    async fn whoever_waits_says_for_whom_and_has_it_next() {
        let root = tempfile::tempdir().unwrap();
        let first = Mutex::new(Some(Lock::take(root.path(), "dtaas up").unwrap()));
        let said = Mutex::new(Vec::new());

        let second = Lock::wait(root.path(), "dtaas down", &|text| {
            said.lock().unwrap().push(text.to_owned());
            first.lock().unwrap().take();
        })
        .await
        .unwrap();

        let said = said.into_inner().unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with(&format!(
                "waiting for dtaas up (process {}, since ",
                std::process::id()
            )),
            "{said:?}"
        );
        let error = Lock::take(root.path(), "dtaas up").unwrap_err();
        assert!(
            error.to_string().contains("is held by dtaas down"),
            "{error}"
        );
        drop(second);
    }

    #[tokio::test]
    async fn whoever_gave_up_waiting_does_not_have_it_later() {
        let root = tempfile::tempdir().unwrap();
        let first = Lock::take(root.path(), "dtaas up").unwrap();
        let path = root.path().join(FILE);
        let waited = tokio::time::timeout(
            Duration::from_millis(20),
            Lock::when_free(&path, "dtaas down", &|_| {}),
        );
        assert!(waited.await.is_err());
        drop(first);
        // The thread that was left behind may have it for an instant.
        Lock::wait(root.path(), "dtaas up", &|_| {}).await.unwrap();
    }

    #[tokio::test]
    async fn a_machine_that_stays_held_is_not_waited_for_for_ever() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(FILE);
        let _first = Lock::take(root.path(), "dtaas up of a.com").unwrap();
        let moment = Duration::from_millis(20);
        let error = Lock::within(moment, &path, "dtaas up of b.com", &|_| {}).await;
        let error = error.unwrap_err();
        let failure = failure_of(&error).unwrap();
        assert_eq!(failure.code(), Exit::Locked);
        let text = failure.to_string();
        assert!(
            text.starts_with("the machine is held by dtaas up of a.com (process "),
            "{text}"
        );
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = root.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, root.path().join(FILE)).unwrap();
        Lock::take(root.path(), "dtaas up").unwrap_err();
        assert!(!elsewhere.exists());
    }
}
