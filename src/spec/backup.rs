//! Where backups are kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What restic calls a place behind SFTP (restic, "Preparing a new repository", on SFTP).
const SFTP: &str = "sftp:";

/// A repository of backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Repository {
    /// A directory.
    Directory(PathBuf),
    /// A directory of another machine, written `sftp:user@host:/path`.
    Sftp(String),
}

/// What is wrong with a text that should name a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no repository: write a directory, or sftp:user@host:/path")]
pub struct NotARepository(String);

impl Repository {
    /// The directory on this machine, where it is one.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Repository::Directory(path) => Some(path),
            Repository::Sftp(_) => None,
        }
    }
}

impl FromStr for Repository {
    type Err = NotARepository;

    fn from_str(text: &str) -> Result<Self, NotARepository> {
        let wrong = || NotARepository(text.to_owned());
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(wrong());
        }
        if let Some(place) = text.strip_prefix(SFTP) {
            let (host, path) = place.split_once(':').ok_or_else(wrong)?;
            // What begins with a dash would be an option of ssh.
            return match host.is_empty() || host.starts_with('-') || path.is_empty() {
                true => Err(wrong()),
                false => Ok(Repository::Sftp(text.to_owned())),
            };
        }
        match text.split_once(':') {
            // The other kinds that restic knows: s3:, rest:, …
            Some((kind, _)) if !kind.contains('/') => Err(wrong()),
            Some(_) | None => Ok(Repository::Directory(text.into())),
        }
    }
}

impl TryFrom<String> for Repository {
    type Error = NotARepository;
    fn try_from(text: String) -> Result<Self, NotARepository> {
        text.parse()
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> String {
        repository.to_string()
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Repository::Directory(path) => path.display().fmt(f),
            Repository::Sftp(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_or_one_behind_sftp() {
        for (text, is) in [
            ("/srv/backup", true),
            ("backup", true),
            ("./a:b", true),
            ("sftp:keeper@nas:/backup", true),
            ("sftp:nas:backup", true),
            ("", false),
            ("sftp:nas", false),
            ("sftp:-oProxyCommand=x:/backup", false),
            ("s3:bucket", false),
            ("two\nlines", false),
        ] {
            assert_eq!(text.parse::<Repository>().is_ok(), is, "{text}");
        }
    }
}
