//! The key pair that the box answers to: `vagrant` and `vagrant.pub`, made by `ssh-keygen` and kept from then on.

use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::process::Command;

use super::authorized_keys::PublicKey;
use crate::error::Failure;
use crate::machine::files::Tree;
use crate::vagrant::{private_key, process};

/// The private key's file.
pub(super) const PRIVATE: &str = "vagrant";
/// The public key's file.
pub(super) const PUBLIC: &str = "vagrant.pub";
/// Where it is made: a run that is killed then leaves no half of a key in its place.
const NEW: &str = "key";
const NEW_PUBLIC: &str = "key.pub";

/// The public key of the pair; `None` when it is not whole.
///
/// # Errors
/// When what is there is no pair, or others can read the private key.
pub(super) async fn read(tree: &Tree) -> anyhow::Result<Option<PublicKey>> {
    if tree.stat(Path::new(PRIVATE))?.is_none() {
        return Ok(None);
    }
    let private = tree.root().join(PRIVATE);
    private_key::check(&private)?;
    let Some(public) = tree.read(Path::new(PUBLIC))? else {
        return Ok(None);
    };
    let public = PublicKey::parse(&String::from_utf8_lossy(&public))
        .with_context(|| format!("{} is damaged", tree.root().join(PUBLIC).display()))?;
    // With halves of two pairs nobody could log in any more.
    if half_of(&private).await?.body != public.body {
        return Err(Failure::new(format!(
            "{PUBLIC} in {} is not the public half of {PRIVATE}",
            tree.root().display()
        ))
        .hint(format!(
            "remove {PUBLIC}: it is written anew from {PRIVATE}; or remove both, for a new pair"
        ))
        .into());
    }
    Ok(Some(public))
}

/// Makes what is missing of the pair.
pub(super) async fn make(tree: &Tree) -> anyhow::Result<()> {
    let private = tree.root().join(PRIVATE);
    if tree.stat(Path::new(PRIVATE))?.is_some() {
        let public = half_of(&private).await?;
        tree.write(
            Path::new(PUBLIC),
            0o644,
            format!("{}\n", public.line).as_bytes(),
        )?;
        return Ok(());
    }
    // `ssh-keygen` would ask whether it may write over them.
    for left in [NEW, NEW_PUBLIC, PUBLIC] {
        tree.remove(Path::new(left))?;
    }
    let new = tree.root().join(NEW);
    // PEM: Vagrant with Debian 12's net-ssh reads no RSA key in OpenSSH's own format (OpenSSL 3 cannot take it in that way).
    ssh_keygen(
        &[
            "-q", "-m", "PEM", "-t", "rsa", "-b", "4096", "-N", "", "-C", "dtaas", "-f",
        ],
        &new,
    )
    .await?;
    // The private half last: what is there then is whole.
    tree.rename(Path::new(NEW_PUBLIC), Path::new(PUBLIC))?;
    tree.rename(Path::new(NEW), Path::new(PRIVATE))
}

/// The public half of a private key.
async fn half_of(private: &Path) -> anyhow::Result<PublicKey> {
    // Without an empty passphrase given it would ask the terminal for one.
    let line = ssh_keygen(&["-y", "-P", "", "-f"], private).await.with_context(|| {
        Failure::new(format!("{} is no private key that can be used", private.display()))
            .hint("it must be an OpenSSH key without a passphrase, for nobody is there to type one; or remove it: a new pair is made then")
    })?;
    Ok(PublicKey::parse(&line)?)
}

async fn ssh_keygen(arguments: &[&str], file: &Path) -> anyhow::Result<String> {
    let answer = process::ask(
        Command::new(program("ssh-keygen")?)
            .args(arguments)
            .arg(file),
        None,
    )
    .await?;
    match answer.status.success() {
        true => Ok(answer.out),
        false => {
            let said = answer.err.trim().replace('\n', ", ");
            Err(Failure::new(format!("ssh-keygen failed: {said}"))
                .hint("see that there is room on that disk (df -h), then run this again")
                .into())
        }
    }
}

/// A program of OpenSSH's client.
pub(super) fn program(name: &str) -> Result<PathBuf, Failure> {
    which::which(name).map_err(|_| {
        Failure::new(format!("{name} is not installed"))
            .hint("install it with: apt-get install openssh-client")
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::error::failure_of;

    fn place() -> (tempfile::TempDir, Tree) {
        let place = tempfile::tempdir().unwrap();
        let tree = Tree::open(place.path()).unwrap();
        (place, tree)
    }

    #[tokio::test]
    async fn a_pair_is_made_once_and_its_public_half_can_be_had_again() {
        let (place, tree) = place();
        std::fs::write(place.path().join(NEW), "half of a k").unwrap();
        assert!(read(&tree).await.unwrap().is_none());
        make(&tree).await.unwrap();
        let made = read(&tree).await.unwrap().unwrap();
        assert!(made.line.starts_with("ssh-rsa ") && made.line.ends_with(" dtaas"));
        let mode = |name: &str| {
            let metadata = std::fs::metadata(place.path().join(name)).unwrap();
            metadata.permissions().mode() & 0o777
        };
        assert_eq!(mode(PRIVATE), 0o600);

        std::fs::remove_file(place.path().join(PUBLIC)).unwrap();
        assert!(read(&tree).await.unwrap().is_none());
        make(&tree).await.unwrap();
        assert_eq!(read(&tree).await.unwrap().unwrap().body, made.body);
        let mut names: Vec<_> = std::fs::read_dir(place.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, [PRIVATE, PUBLIC]);
    }

    #[tokio::test]
    async fn halves_of_two_pairs_are_refused() {
        let (place, tree) = place();
        make(&tree).await.unwrap();
        let other =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN1YdxBpNlzxDqfJyw/QKow1F+wvG9hXGoqiysfJOn5Y x\n";
        std::fs::write(place.path().join(PUBLIC), other).unwrap();
        assert_eq!(
            read(&tree).await.unwrap_err().to_string(),
            format!(
                "vagrant.pub in {} is not the public half of vagrant",
                place.path().display()
            )
        );
    }

    #[tokio::test]
    async fn a_key_with_a_passphrase_is_refused() {
        let (place, tree) = place();
        let private = place.path().join(PRIVATE);
        ssh_keygen(
            &["-q", "-t", "ed25519", "-N", "a passphrase", "-f"],
            &private,
        )
        .await
        .unwrap();
        let error = read(&tree).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{} is no private key that can be used", private.display())
        );
        assert!(
            failure_of(&error)
                .unwrap()
                .remedy()
                .unwrap()
                .contains("without a passphrase")
        );
    }
}
