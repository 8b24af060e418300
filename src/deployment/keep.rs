//! Secrets: read where they are kept, made where they are missing.

use std::path::Path;

use super::{Deployment, Missing, private};
use crate::error::Failure;
use crate::secrets::{DeploymentSecrets, Secret};

impl Deployment {
    /// The deployment's secrets; those that are missing are made.
    pub fn secrets(&self, missing: Missing) -> anyhow::Result<DeploymentSecrets> {
        DeploymentSecrets::read(|name, length| match self.read_secret(name)? {
            Some(secret) => Ok(secret),
            None => {
                let secret = Secret::generate(length);
                self.keep(missing, &[(name, secret.expose())])?;
                Ok(secret)
            }
        })
    }

    pub(super) fn read_secret(&self, name: &str) -> anyhow::Result<Option<Secret>> {
        let path = Path::new("secrets").join(name);
        let Some(bytes) = self.tree.read(&path)? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes)
            .ok()
            .filter(|text| !text.trim().is_empty())
            .ok_or_else(|| {
                Failure::new(format!("{} is damaged", self.root().join(&path).display()))
            })?;
        // A secret is one line; a certificate ends with its line's end.
        Ok(Some(Secret::new(match text.contains("-----BEGIN") {
            true => text,
            false => text.trim_end().to_owned(),
        })))
    }

    pub(super) fn keep(&self, missing: Missing, secrets: &[(&str, &str)]) -> anyhow::Result<()> {
        if missing == Missing::Pretend {
            return Ok(());
        }
        for (name, text) in secrets {
            let path = Path::new("secrets").join(name);
            let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
            above.reverse();
            for directory in above.into_iter().filter_map(Path::to_str) {
                if !directory.is_empty() {
                    self.tree.make_dir(&private(directory))?;
                }
            }
            self.tree.write(&path, 0o600, text.as_bytes())?;
        }
        Ok(())
    }
}
