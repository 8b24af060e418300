//! What a backup says of itself.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::spec::names::DeploymentName;

/// Where it lies, below the deployment and in the snapshot.
pub const FILE: &str = ".backup/manifest.json";

/// The form that is written, and the newest that is read.
pub const FORM: u32 = 1;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// In which form it is written.
    pub form: u32,
    /// The deployment.
    pub deployment: DeploymentName,
    /// The version of the program that made it.
    pub version: String,
    /// Where the library lay, where that was outside the deployment, and the snapshot that holds it.
    pub library: Option<Library>,
    /// What was taken from services that ran: where it belongs, relative to the deployment.
    pub staged: Vec<PathBuf>,
    /// Whose the deployment's directory itself was, which a snapshot does not say.
    #[serde(default)]
    pub top: Option<Top>,
    /// What is not as one might think: sentences without a full stop.
    pub notes: Vec<String>,
}

/// A library outside the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// Where it lay, absolute.
    pub root: PathBuf,
    /// The snapshot that holds it.
    pub snapshot: String,
    /// Whose the directory itself was.
    #[serde(default)]
    pub top: Option<Top>,
}

/// Owner, group and permission bits of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Top {
    owner: u32,
    group: u32,
    mode: u32,
}

impl Top {
    /// Those of this one.
    pub fn of(directory: &Path) -> anyhow::Result<Option<Self>> {
        let found = std::fs::metadata(directory)?;
        Ok(Some(Self {
            owner: found.uid(),
            group: found.gid(),
            mode: found.mode() & 0o7777,
        }))
    }

    /// Gives them to this one.
    pub fn give(self, directory: &Path) -> anyhow::Result<()> {
        std::os::unix::fs::chown(directory, Some(self.owner), Some(self.group))?;
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(self.mode))?;
        Ok(())
    }
}
