//! An installation of v0.2, read: its gateway's routes and passwords, the website's settings, the library's folder. Where each piece lies
//! and what is in it is in v0.2's documentation, "Host Install" and "Separate Packages". Nothing of it is changed.

pub mod carry;
mod entries;
mod env_js;
mod gateway;
mod library;
mod links;
pub mod places;
mod rule;
mod scripts;
pub mod well_known;

use std::fmt;
use std::path::PathBuf;

use crate::error::Failure;
use crate::spec::problem::{Problem, Problems};

pub use entries::Entry;
pub use env_js::Setting;
pub use gateway::{Gateway, Router};
pub use library::Library;
use places::Places;
pub use scripts::Mention;

/// Where something stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The file, as it was named or found.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl At {
    fn new(file: &str, line: usize) -> Self {
        Self {
            file: file.to_owned(),
            line,
        }
    }

    /// What is wrong there.
    fn problem(&self, reason: impl Into<String>, fix: impl Into<String>) -> Problem {
        Problem {
            line: Some(self.line),
            ..of_file(&self.file, reason, fix)
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What is wrong with a file as a whole.
fn of_file(file: &str, reason: impl Into<String>, fix: impl Into<String>) -> Problem {
    Problem {
        file: file.to_owned(),
        line: None,
        key: String::new(),
        value: None,
        reason: reason.into(),
        fix: fix.into(),
    }
}

/// An installation of v0.2.
#[derive(Debug, Clone, Default)]
pub struct Old {
    /// The gateway's routes.
    pub gateway: Gateway,
    /// Users and their passwords' hashes, in the order in which v0.2 reads them: of two with one name the last counts.
    pub entries: Vec<Entry>,
    /// What `env.js` sets.
    pub website: Vec<Setting>,
    /// Where the files are.
    pub library: Library,
    /// Where scripts have passwords in them that everybody knows.
    pub mentions: Vec<Mention>,
}

/// Reads an installation.
///
/// # Errors
/// A usage failure that lists everything that cannot be read.
pub fn read(places: &Places) -> anyhow::Result<Old> {
    let mut problems = Vec::new();
    let mut old = Old::default();
    if let Some((file, text)) = text(&places.gateway, &mut problems) {
        old.gateway = gateway::read(&file, &text, &mut problems);
    }
    let named = old.gateway.users_file.as_deref();
    // With users in the routes' own file, a file that lies beside it opened nothing.
    let is_asked = named.is_some() || !old.gateway.has_basic;
    let beside = beside(&places.gateway, named).filter(|_| is_asked);
    let auth = places.auth.clone().or(beside);
    if let (None, Some(named)) = (&auth, named) {
        problems.push(of_file(
            &places.gateway.display().to_string(),
            format!("the password file {named}, which it names, is not beside it"),
            "name it with --htpasswd",
        ));
    }
    if let Some((file, text)) = auth.and_then(|path| text(&path, &mut problems)) {
        old.entries = entries::read(&file, &text, &mut problems);
    }
    old.entries.append(&mut old.gateway.users);
    if let Some((file, text)) = places
        .env_js
        .as_ref()
        .and_then(|path| text(path, &mut problems))
    {
        old.website = env_js::read(&file, &text, &mut problems);
    }
    let env = places
        .lib_env
        .as_ref()
        .and_then(|path| text(path, &mut problems));
    old.library = library::read(places, env, &mut problems);
    old.mentions = scripts::mentions(&places.root, &old.library.root);
    refuse(problems)?;
    Ok(old)
}

/// Fails when there is something in the list.
///
/// # Errors
/// A usage failure that names all of it, in the order of files and lines.
pub fn refuse(problems: Vec<Problem>) -> anyhow::Result<()> {
    let hint = "nothing was written, and the old installation is as it was; mend this, and run the command again";
    match problems.as_slice() {
        [] => Ok(()),
        [one] => Err(Failure::usage(one.to_string()).hint(hint).into()),
        many => {
            let count = many.len();
            let mut sorted = Problems(problems).0;
            sorted.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
            let lines: Vec<String> = sorted.iter().map(|one| format!("\n  {one}")).collect();
            let message = format!(
                "{count} problems in the v0.2 installation{}",
                lines.concat()
            );
            Err(Failure::usage(message).hint(hint).into())
        }
    }
}

/// A file's name as messages have it, and its text.
fn text(path: &std::path::Path, problems: &mut Vec<Problem>) -> Option<(String, String)> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Some((file, text)),
        Err(error) => {
            problems.push(of_file(
                &file,
                format!("it cannot be read: {error}"),
                "mend that, or name another file",
            ));
            None
        }
    }
}

/// The password file, which lies with the gateway's other files whatever path it has in the gateway's container.
fn beside(gateway: &std::path::Path, users_file: Option<&str>) -> Option<PathBuf> {
    let name = users_file
        .and_then(|path| std::path::Path::new(path).file_name())
        .unwrap_or("auth".as_ref());
    gateway
        .ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}
