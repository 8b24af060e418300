//! What a backup says of itself.

use std::path::PathBuf;

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
}
