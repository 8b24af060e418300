//! Removing a deployment's directory here.

use super::Deployment;
use crate::machine::lock::Lock;
use crate::machine::purge;

impl Deployment {
    /// Fails where something is mounted at or below what purging removes.
    ///
    /// # Errors
    /// With the mount point.
    pub fn check_purge(&self) -> anyhow::Result<()> {
        purge::check(self.root(), &self.library_root())
    }

    /// Removes what is ours, and the directory if nothing else is in it.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn purge(&self, lock: Lock) -> anyhow::Result<()> {
        purge::purge(self.root(), &self.library_root(), lock)
    }
}
