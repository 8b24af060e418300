//! What a backup has to know of a deployment.

use std::path::{Path, PathBuf};

use super::sites::Site;
use super::{Deployment, Missing};
use crate::backup::{RESTORING, STAGING};
use crate::error::Failure;
use crate::machine::purge;
use crate::platform::services::data::{self, Data};
use crate::secrets::Secret;

/// Where the password of its backups lies, below `secrets/`.
const PASSWORD: &str = "backup-password";
/// How many letters it has.
const LENGTH: usize = 40;

impl Deployment {
    /// Where the password of its backups lies, absolute; it is made where there is none. Answers whether it was.
    pub fn backup_password(&self) -> anyhow::Result<(PathBuf, bool)> {
        let path = self.root().join("secrets").join(PASSWORD);
        if self.read_secret(PASSWORD)?.is_some() {
            return Ok((path, false));
        }
        let secret = Secret::generate(LENGTH);
        self.keep(Missing::Keep, &[(PASSWORD, secret.expose())])?;
        Ok((path, true))
    }

    /// The same where nothing may be written.
    ///
    /// # Errors
    /// When there is none.
    pub fn known_backup_password(&self) -> anyhow::Result<PathBuf> {
        let path = self.root().join("secrets").join(PASSWORD);
        match self.read_secret(PASSWORD)? {
            Some(_) => Ok(path),
            None => Err(Failure::new("there is no backup of this deployment yet")
                .hint("make one: dtaas backup --to DIRECTORY")
                .into()),
        }
    }

    /// The data of the services on this machine.
    pub fn services_data(&self) -> Vec<Data> {
        let name = &self.spec.name;
        let local = || self.sites.iter().filter(|site| site.is_local());
        let parts = local().flat_map(|site| &site.placed);
        let own = self.spec.custom.iter().filter(|(_, custom)| {
            let named = custom.machine.as_deref();
            local().any(|site: &Site| named.map_or(site.is_users(), |named| named == site.name))
        });
        parts
            .filter_map(|component| data::of(name, *component))
            .chain(own.filter_map(|(service, custom)| data::of_custom(name, service, custom)))
            .collect()
    }

    /// Removes what a backup that was killed has left.
    pub(crate) fn sweep_backup(&self) -> anyhow::Result<()> {
        Ok(purge::remove(&self.root().join(STAGING))?)
    }
}

/// Fails where a restore was interrupted: then not all of it is there, or not where it belongs.
pub(super) fn require_whole(directory: &Path) -> anyhow::Result<()> {
    match directory.join(RESTORING).exists() {
        false => Ok(()),
        true => Err(Failure::new(format!(
            "the restore into {} was interrupted",
            directory.display()
        ))
        .hint("run the same dtaas restore again: it goes on with what is missing")
        .into()),
    }
}
