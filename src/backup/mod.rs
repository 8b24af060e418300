//! Backups of a deployment, and the way back. What is stored, how it is encrypted, and that it is whole is restic's affair (restic, "Restic
//! Documentation", at least 0.14); what belongs into it, and in which state it is taken from services that run, is ours.

mod copy;
mod kept;
pub mod make;
pub mod manifest;
pub mod repository;
mod restic;
pub mod restore;
mod services;

pub use restic::{Password, Restic};

/// Where a backup's own things lie while it is made, below the deployment: 0700, and gone when it is done. Likewise in a restored one until what
/// is in it is where it belongs.
pub const STAGING: &str = ".backup";

/// Where the data of services lie in there, as they lie in the deployment.
const STAGED: &str = ".backup/staged";

/// What a restore is doing, below the deployment, until it has done it.
pub const RESTORING: &str = ".restoring";
