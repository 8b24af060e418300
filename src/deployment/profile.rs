//! Another profile than the spec names: read with it, and kept in the spec's one line.

use std::path::Path;

use anyhow::Context;

use super::Deployment;
use crate::error::Failure;
use crate::machine::observed::Kind;
use crate::spec::{edit, load};

impl Deployment {
    /// Reads the deployment in a directory as it would be with another profile, where one is given. Nothing is written.
    ///
    /// # Errors
    /// Those of [`Self::open`], of which some are about the profile given.
    pub fn with_profile(directory: &Path, profile: Option<&str>) -> anyhow::Result<Self> {
        let mut spec = load::load(directory)?;
        if let Some(profile) = profile {
            spec.profile = profile.to_owned();
        }
        Self::with_spec(directory, spec)
    }

    /// Has `dtaas.yaml` name the profile that this was read with, if it names another. No other line of it changes. Answers whether
    /// that was due.
    ///
    /// # Errors
    /// When the line cannot be changed alone, or the file is a link, whose target may be anyone's.
    pub fn keep_profile(&self) -> anyhow::Result<bool> {
        let path = Path::new(load::FILE);
        let shown = self.root().join(path);
        if load::load(self.root())?.profile == self.spec.profile {
            return Ok(false);
        }
        let stat = self.tree.stat(path)?;
        let stat = stat.with_context(|| format!("{} is gone", shown.display()))?;
        if stat.kind != Kind::File {
            return Err(Failure::usage(format!(
                "{} is a link, and is not changed",
                shown.display()
            ))
            .hint(format!(
                "write profile: {} in it yourself",
                self.spec.profile
            ))
            .into());
        }
        let text = std::fs::read_to_string(&shown)
            .with_context(|| format!("cannot read {}", shown.display()))?;
        let changed = edit::set(
            load::FILE,
            &text,
            "profile",
            &self.spec.profile.as_str().into(),
        )?;
        self.tree
            .write_as(path, stat.mode, Some(stat.owner), changed.as_bytes())?;
        Ok(true)
    }
}
