//! Removing this deployment's directory.

use super::Deployment;
use crate::machine::lock::Lock;
use crate::machine::purge;

impl Deployment {
    /// Fails where something is mounted at or below what purging removes; see [`purge::check`].
    pub fn check_purge(&self) -> anyhow::Result<()> {
        purge::check(self.root(), &self.library_root())
    }

    /// Removes what is ours; see [`purge::purge`].
    pub fn purge(&self, lock: Lock) -> anyhow::Result<()> {
        purge::purge(self.root(), &self.library_root(), lock)
    }
}
