//! What failed.

use std::collections::BTreeSet;

use crate::spec::names::UserName;

/// What failed so far, by what other steps need of it.
#[derive(Debug, Default)]
pub(super) struct Failed {
    /// A file or directory that is nobody's.
    files: bool,
    /// Whose own file or directory.
    files_of: BTreeSet<UserName>,
    pub(super) firewall: bool,
    pub(super) images: BTreeSet<String>,
    pub(super) networks: BTreeSet<String>,
    pub(super) containers: BTreeSet<String>,
    /// Whose containers could not be removed.
    pub(super) users: BTreeSet<String>,
}

impl Failed {
    /// Keeps in mind that a file or directory, somebody's or nobody's, is missing.
    pub(super) fn file(&mut self, user: Option<&UserName>) {
        match user {
            Some(user) => {
                self.files_of.insert(user.clone());
            }
            None => self.files = true,
        }
    }

    /// Whether a file or directory is missing for what is somebody's or nobody's.
    pub(super) fn lacks_file(&self, user: Option<&UserName>) -> bool {
        self.files || user.is_some_and(|user| self.files_of.contains(user))
    }
}
