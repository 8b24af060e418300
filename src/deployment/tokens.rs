//! What services make for users and tell once: kept here, and brought to the workspaces and to the services that need it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Deployment, Missing};
use crate::machine::apply::{Outcome, Tokens};
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// Where users' tokens at InfluxDB lie, below `secrets/`.
const TOKENS: &str = "influxdb-tokens";

impl Deployment {
    /// The tokens that are known.
    pub(super) fn tokens(&self) -> anyhow::Result<BTreeMap<UserName, Secret>> {
        let mut tokens = BTreeMap::new();
        for name in self.spec.users.keys() {
            if let Some(token) = self.read_secret(&format!("{TOKENS}/{name}"))? {
                tokens.insert(name.clone(), token);
            }
        }
        Ok(tokens)
    }

    /// Keeps the tokens that services made; answers whose they are.
    ///
    /// # Errors
    /// When they cannot be written. They are lost then, and the next run has others made.
    pub fn keep_tokens<'a>(
        &self,
        outcomes: impl IntoIterator<Item = &'a Outcome>,
    ) -> anyhow::Result<BTreeSet<UserName>> {
        let mut names = BTreeSet::new();
        for tokens in outcomes.into_iter().map(|outcome| &outcome.tokens) {
            self.keep_these(tokens)?;
            names.extend(tokens.keys().cloned());
        }
        Ok(names)
    }

    fn keep_these(&self, tokens: &Tokens) -> anyhow::Result<()> {
        for (name, token) in tokens {
            let file = format!("{TOKENS}/{name}");
            self.keep(Missing::Keep, &[(&file, token.expose())])?;
        }
        Ok(())
    }

    /// Where a user's token lies, relative to the deployment.
    pub(super) fn token_file(name: &UserName) -> PathBuf {
        Path::new("secrets").join(TOKENS).join(name.as_str())
    }
}
