//! What the operator may be asked while a machine is connected to.

use std::path::{Path, PathBuf};

use crate::secrets::Secret;

/// A host key that known_hosts does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The machine's name in the profile.
    pub machine: String,
    /// What known_hosts calls it: `foo.com`, or `[foo.com]:2222`.
    pub host: String,
    /// The key's type, such as `ssh-ed25519`.
    pub kind: String,
    /// As OpenSSH shows it: `SHA256:…`.
    pub fingerprint: String,
    /// Where it is written down when it is accepted.
    pub file: PathBuf,
}

/// What to do with a host key that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is the machine's: write it down and go on.
    Accept,
    /// It is not.
    Refuse,
    /// There is nobody to be asked.
    Nobody,
}

/// Whoever answers. Called from threads of the connections', one question at a time for each.
pub trait Asks: Send + Sync {
    /// Whether that key is the machine's.
    fn unknown_key(&self, unknown: &Unknown) -> Answer;

    /// The passphrase of a private key; `None` when there is nobody to be asked. `again` after a wrong one.
    fn passphrase(&self, key: &Path, again: bool) -> Option<Secret>;
}

/// Nobody is there.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Asks for Nobody {
    fn unknown_key(&self, _: &Unknown) -> Answer {
        Answer::Nobody
    }

    fn passphrase(&self, _: &Path, _: bool) -> Option<Secret> {
        None
    }
}
