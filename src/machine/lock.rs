//! One run at a time: whoever changes a deployment on a machine holds its lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::{Exit, Failure};

/// Held as long as it lives; the engine of a killed run loses it with its process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the deployment at `root`, which must exist. `command` is what the holder is called, such as `dtaas up`.
    ///
    /// # Errors
    ///
    /// A [`Failure`] with [`Exit::Locked`] that names the holder, when another run has it.
    pub fn take(root: &Path, command: &str) -> anyhow::Result<Self> {
        let path = root.join(".lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(&path)
            .with_context(|| format!("cannot open the lock {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is only for talking about it.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() {
                    "another run"
                } else {
                    holder
                };
                return Err(
                    Failure::new(format!("{} is held by {holder}", root.display()))
                        .hint("wait until it is done, then run this again")
                        .exit(Exit::Locked)
                        .into(),
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error)
                    .with_context(|| format!("cannot take the lock {}", path.display()));
            }
        }
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
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
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
}
