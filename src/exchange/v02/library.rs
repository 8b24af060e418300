//! The library: where the users' files are, by the settings of its server.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::places::Places;
use super::{At, of_file};
use crate::library::env_file;
use crate::spec::problem::Problem;

/// Where files lie when no settings say so.
const USUAL: &str = "files";

/// The library of an installation.
#[derive(Debug, Clone, Default)]
pub struct Library {
    /// Its folder, absolute.
    pub root: PathBuf,
    /// The names of the folders in it.
    pub folders: BTreeSet<String>,
    /// Where it is said that the library server showed projects of a GitLab, and not these files.
    pub gitlab: Option<At>,
}

/// Finds the library; `env` is the settings' file with its text, where there is one.
pub fn read(
    places: &Places,
    env: Option<(String, String)>,
    problems: &mut Vec<Problem>,
) -> Library {
    let (file, text) = env.unwrap_or_default();
    let (lines, broken) = env_file::parse(&text);
    for line in broken {
        problems.push(At::new(&file, line.number).problem(
            line.reason,
            "copy the file, mend that line, and name the copy with --lib-env",
        ));
    }
    let setting = |key: &str| {
        let line = lines.iter().rev().find(|line| line.key == key)?;
        Some((line.value.as_str(), At::new(&file, line.number)))
    };
    let gitlab = setting("MODE")
        .filter(|(mode, _)| *mode == "gitlab")
        .map(|(_, at)| at);
    let local = setting("LOCAL_PATH").filter(|(path, _)| !path.is_empty() && gitlab.is_none());
    let root = match (&places.library, local) {
        (Some(given), _) => given.clone(),
        (None, Some((path, at))) => {
            let root = places.root.join(path);
            if !root.is_dir() {
                problems.push(at.problem(
                    format!("LOCAL_PATH is {path:?}, and there is no such directory"),
                    "name the one with the users' folders with --library",
                ));
                return Library::default();
            }
            root
        }
        (None, None) => places.root.join(USUAL),
    };
    let whole = |reason: &str| {
        of_file(
            &root.display().to_string(),
            reason,
            "name the folder with the users' folders with --library",
        )
    };
    let Ok(entries) = std::fs::read_dir(&root) else {
        problems.push(whole("there is no such directory, or it cannot be read"));
        return Library::default();
    };
    let folders = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    match std::fs::canonicalize(&root) {
        Ok(root) if root.to_str().is_some() => Library {
            root,
            folders,
            gitlab,
        },
        Ok(_) | Err(_) => {
            problems.push(whole("its path is no text"));
            Library::default()
        }
    }
}
