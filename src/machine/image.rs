//! Our own image, made of the running executable: library, website and auth endpoint run from it, so nothing of ours
//! has to be published or can be of another version.

use std::fs;
use std::io::Read;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::machine::docker::Engine;
use crate::platform::desired::{Desired, hex, label};
use crate::spec::names::DeploymentName;

const SELF: &str = "/proc/self/exe";

/// What a deployment calls its own image: `dtaas-self/<deployment>:<first 16 hex digits of the executable's SHA-256>`.
pub fn own_reference(deployment: &DeploymentName) -> Result<String> {
    Ok(reference(deployment, own_digest()?))
}

/// The running executable's SHA-256 in hex. The executable of a process does not change, so it is read and hashed once.
pub fn own_digest() -> Result<&'static str> {
    static DIGEST: OnceLock<String> = OnceLock::new();
    match DIGEST.get() {
        Some(digest) => Ok(digest),
        None => {
            let digest = digest().context("cannot read the running executable")?;
            Ok(DIGEST.get_or_init(|| digest))
        }
    }
}

/// SHA-256 of the running executable, piece by piece: fresh memory for all of it costs more than the sum.
fn digest() -> std::io::Result<String> {
    let mut executable = fs::File::open(SELF)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match executable.read(&mut piece)? {
            0 => return Ok(hex(&hasher.finalize())),
            length => hasher.update(&piece[..length]),
        }
    }
}

/// The running executable's bytes.
pub fn own_executable() -> Result<Vec<u8>> {
    fs::read(SELF).context("cannot read the running executable")
}

fn reference(deployment: &DeploymentName, digest: &str) -> String {
    format!("{}{}", repository(deployment), &digest[..16])
}

fn repository(deployment: &DeploymentName) -> String {
    format!("dtaas-self/{deployment}:")
}

/// Whether a reference is one that a deployment's own images get.
pub(super) fn is_own_reference(deployment: &DeploymentName, reference: &str) -> bool {
    reference.starts_with(&repository(deployment))
}

/// Makes the image: one file, `/dtaas`, and its entrypoint.
pub(super) async fn make(engine: &Engine, desired: &Desired, name: &str) -> Result<()> {
    let executable = own_executable()?;
    let archive = archive(&executable).context("cannot pack the running executable")?;
    let changes = vec![
        r#"ENTRYPOINT ["/dtaas"]"#.to_owned(),
        format!("LABEL {}={}", label::IMAGE_OF, desired.deployment),
        format!("LABEL {}={}", label::INSTANCE, desired.instance()),
    ];
    engine.import(name, archive, changes).await
}

/// A tar archive of the executable alone. Its time is fixed, so that the same executable is the same image.
fn archive(executable: &[u8]) -> std::io::Result<Bytes> {
    let mut header = tar::Header::new_gnu();
    header.set_size(executable.len() as u64);
    header.set_mode(0o755);
    header.set_mtime(0);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::with_capacity(executable.len() + 4096));
    builder.append_data(&mut header, "dtaas", executable)?;
    Ok(builder.into_inner()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::desired::sha256;

    #[test]
    fn the_name_holds_the_executables_digest() {
        let deployment = "foo.com".parse().unwrap();
        assert_eq!(
            reference(&deployment, &sha256(b"abc")),
            "dtaas-self/foo.com:ba7816bf8f01cfea"
        );
    }
}
