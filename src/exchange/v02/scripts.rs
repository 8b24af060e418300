//! Scripts of an installation with passwords in them that v0.2 gave everybody.

use std::path::{Path, PathBuf};

use super::At;
use super::well_known::OF_SERVICES;

/// A script that has one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Where.
    pub at: At,
    /// The password.
    pub password: &'static str,
    /// Whose it is.
    pub service: &'static str,
}

/// How deep scripts lie.
const DEPTH: usize = 4;
/// A script is no longer than this, in bytes.
const LENGTH_MAX: u64 = 1 << 20;

/// Looks through the shell scripts, and not through the library: what lies there is users' own.
pub fn mentions(root: &Path, library: &Path) -> Vec<Mention> {
    let mut all = Vec::new();
    for path in scripts(root, library) {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let file = path.display().to_string();
        for (index, line) in text.lines().enumerate() {
            let known = OF_SERVICES
                .iter()
                .find(|(words, _, _)| line.contains(words));
            if let Some((_, password, service)) = known {
                all.push(Mention {
                    at: At::new(&file, index + 1),
                    password,
                    service,
                });
            }
        }
    }
    all
}

fn scripts(root: &Path, library: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![(root.to_owned(), 0)];
    while let Some((directory, depth)) = open.pop() {
        for entry in std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if kind.is_dir() && depth < DEPTH && !hidden && entry.file_name() != "node_modules" {
                if std::fs::canonicalize(&path).is_ok_and(|path| path != library) {
                    open.push((path, depth + 1));
                }
            } else if kind.is_file()
                && path.extension().is_some_and(|ending| ending == "sh")
                && entry
                    .metadata()
                    .is_ok_and(|found| found.len() <= LENGTH_MAX)
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
