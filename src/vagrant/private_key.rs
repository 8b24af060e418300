//! A private key that others can read is no secret, and OpenSSH and Vagrant refuse it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

use crate::error::Failure;

/// Checks that a private key's file is there and its owner's alone.
///
/// # Errors
/// With what to type.
pub(super) fn check(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).with_context(|| {
        Failure::new(format!("cannot read the private key {shown}")).hint(
            "name the key that the machine answers to; `dtaas box build` leaves that of its box beside it, as `vagrant`",
        )
    })?;
    if !metadata.is_file() {
        return Err(Failure::new(format!("the private key {shown} is not a file")).into());
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::new(format!(
            "the private key {shown} can be read by others than its owner: its mode is {mode:04o}"
        ))
        .hint(format!("chmod 600 {shown}"))
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::failure_of;

    #[test]
    fn others_must_not_read_it() {
        let place = tempfile::tempdir().unwrap();
        let key = place.path().join("vagrant");
        std::fs::write(&key, "a key").unwrap();
        for mode in [0o640, 0o604, 0o666] {
            std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
            let error = check(&key).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "the private key {0} can be read by others than its owner: its mode is {mode:04o}",
                    key.display()
                )
            );
            assert_eq!(
                failure_of(&error).unwrap().remedy().unwrap(),
                format!("chmod 600 {}", key.display())
            );
        }
        for mode in [0o600, 0o400] {
            std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
            assert!(check(&key).is_ok());
        }
    }

    #[test]
    fn it_must_be_there() {
        let error = check(Path::new("/nonexistent/vagrant")).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "cannot read the private key /nonexistent/vagrant: No such file or directory (os error 2)"
        );
        let error = check(Path::new("/")).unwrap_err();
        assert_eq!(error.to_string(), "the private key / is not a file");
    }
}
