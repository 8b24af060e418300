//! A machine's desired state for whoever takes the platform elsewhere: with what is otherwise kept in the deployment alone.

use std::path::Path;

use super::sites::Site;
use super::{Deployment, Missing};
use crate::machine::observed::Kind;
use crate::platform::auth::{self, SESSIONS, SHARES};
use crate::platform::desired::{Content, Desired, File};
use crate::secrets::Secret;

impl Deployment {
    /// What this machine should have, and users' passwords, what they share, and when they signed out everywhere.
    ///
    /// # Errors
    /// When something cannot be read, or a secret that is missing not be made.
    pub fn desired_to_export(&self, site: &Site) -> anyhow::Result<Desired> {
        let mut desired = self.desired_on(site, Missing::Keep)?;
        if !site.is_users() {
            return Ok(desired);
        }
        let entries = self.entries()?.good;
        let entries = entries.iter().map(|(name, entry)| auth::entry(name, entry));
        desired.files.extend(entries);
        for directory in [SESSIONS, SHARES] {
            for (name, kind) in self.tree.list(Path::new(directory))? {
                let path = Path::new(directory).join(name);
                let content = match kind {
                    Kind::File => self.tree.read(&path)?,
                    Kind::Directory | Kind::Link | Kind::Other => None,
                };
                if let Some(text) = content.and_then(|bytes| String::from_utf8(bytes).ok()) {
                    desired.files.push(kept(&path, text));
                }
            }
        }
        Ok(desired)
    }
}

fn kept(path: &Path, text: String) -> File {
    File {
        path: path.to_owned(),
        mode: 0o600,
        owner: None,
        content: Content::Secret(Secret::new(text)),
        user: None,
        leads_to: None,
        reloads: None,
        kept: true,
    }
}
