//! What users of a library would stumble on.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use serde::Serialize;
use serde_json::json;

use crate::library::path::COMMON;
use crate::library::twins::{DIGITAL_TWINS, LIFECYCLE, programs};

use super::connection::Connection;
use super::listing::{Listing, not_utf8};
use super::path::RemotePath;
use super::problem::Problem;

/// How many files are tried side by side.
const SIDE_BY_SIDE: usize = 8;
/// What only our own server knows of the programs, asked for once all has been gone through.
const TWINS: &str =
    "query($path: String!) { digitalTwins(path: $path) { phases { name path executable } } }";

/// Something that a user would stumble on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Where in the library.
    pub path: String,
    /// What kind.
    pub kind: Kind,
    /// In words.
    pub message: String,
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The name is not UTF-8: it is listed, and can be neither read nor asked for.
    NotUtf8,
    /// It is listed and cannot be read: a link out, a link to nothing, a FIFO, a file without rights.
    Unreadable,
    /// A digital twin that says nothing about itself.
    NoReadme,
    /// A digital twin without a program for any phase.
    NoPhases,
    /// A phase's program that its owner may not execute.
    NotExecutable,
}

/// What a check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many directories were looked through.
    pub directories: u64,
    /// How many files were tried.
    pub files: u64,
    /// How many digital twins there are.
    pub digital_twins: u64,
    /// What was found, by path.
    pub findings: Vec<Finding>,
}

/// What is known of a digital twin while its directories are gone through.
#[derive(Debug, Default)]
struct Twin {
    readme: bool,
    phases: bool,
}

impl Connection {
    /// Looks through everything below `top`; `looked` is told how many directories and files lie behind.
    ///
    /// # Errors
    ///
    /// `top` cannot be listed, or the library stopped answering.
    pub async fn check(
        &self,
        top: &RemotePath,
        looked: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Report, Problem> {
        let mut report = Report::default();
        let mut twins: BTreeMap<RemotePath, Twin> = BTreeMap::new();
        let mut walk = self.walk(top.clone());
        while let Some((path, listing)) = walk.next().await {
            let listing = match listing {
                Ok(listing) => listing,
                Err(Problem::Refused(_)) if named_not_utf8(&path) => continue,
                Err(Problem::Refused(no)) if path != *top => {
                    let message = format!("the directory cannot be listed: {no}");
                    report.add(&path, Kind::Unreadable, message);
                    continue;
                }
                Err(problem) => return Err(problem),
            };
            report.directories += 1;
            report.names(&path, &listing);
            know_twins(&mut twins, &path, &listing);
            self.try_files(&path, &listing, &mut report).await?;
            looked(report.directories, report.files);
        }
        report.twins(&twins);
        self.programs(&twins, &mut report).await?;
        report.findings.sort();
        Ok(report)
    }

    /// Asks whether the programs can be executed, folder of twins by folder. Servers that do not know are not asked twice.
    async fn programs(
        &self,
        twins: &BTreeMap<RemotePath, Twin>,
        report: &mut Report,
    ) -> Result<(), Problem> {
        let folders: BTreeSet<RemotePath> = twins.keys().filter_map(RemotePath::parent).collect();
        for folder in folders {
            let variables = json!({ "path": folder.to_string() });
            let data = match self.ask(TWINS, variables).await {
                Ok(data) => data,
                Err(Problem::Refused(_)) => return Ok(()),
                Err(problem) => return Err(problem),
            };
            let known = data["digitalTwins"].as_array().into_iter().flatten();
            for phase in known.flat_map(|twin| twin["phases"].as_array().into_iter().flatten()) {
                let path = phase["path"].as_str().and_then(RemotePath::parse);
                if let (Some(path), Some(false)) = (path, phase["executable"].as_bool())
                    && is_of_one(twins, &path)
                {
                    let message = "the program is not executable: chmod +x";
                    report.add(&path, Kind::NotExecutable, message.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Asks for the head of each file.
    async fn try_files(
        &self,
        path: &RemotePath,
        listing: &Listing,
        report: &mut Report,
    ) -> Result<(), Problem> {
        let readable = listing.blobs.iter().filter(|name| not_utf8(name).is_none());
        let tried = readable.map(|name| async {
            let file = path.join(name);
            let answer = self.about(&file).await;
            (file, answer)
        });
        let mut tried = futures_util::stream::iter(tried).buffer_unordered(SIDE_BY_SIDE);
        while let Some((file, answer)) = tried.next().await {
            report.files += 1;
            match answer {
                Ok(_) => {}
                Err(Problem::Refused(no)) if !no.status.is_server_error() => {
                    let message = why_unreadable(no.status.as_u16());
                    report.add(&file, Kind::Unreadable, message.to_owned());
                }
                Err(problem) => return Err(problem),
            }
        }
        Ok(())
    }
}

/// The answer to a HEAD has no words, only a status; each stands for one reason of the library.
fn why_unreadable(status: u16) -> &'static str {
    match status {
        403 => "cannot be read: no rights, or a link that leads out of its folder",
        404 => "cannot be read: a link to nothing",
        409 => "cannot be read: no regular file (a pipe, a device, a link in a circle)",
        _ => "cannot be read",
    }
}

impl Report {
    fn add(&mut self, path: &RemotePath, kind: Kind, message: String) {
        self.findings.push(Finding {
            path: path.to_string(),
            kind,
            message,
        });
    }

    fn names(&mut self, path: &RemotePath, listing: &Listing) {
        for name in listing.trees.iter().chain(&listing.blobs) {
            if not_utf8(name).is_some() {
                let message = "the name is not UTF-8: it can be listed, and not opened; rename it";
                self.add(&path.join(name), Kind::NotUtf8, message.to_owned());
            }
        }
    }

    fn twins(&mut self, twins: &BTreeMap<RemotePath, Twin>) {
        for (path, twin) in twins {
            self.digital_twins += 1;
            if !twin.readme {
                let message = "the digital twin has no README.md";
                self.add(path, Kind::NoReadme, message.to_owned());
            }
            if !twin.phases {
                let message = "the digital twin has no program for any phase: lifecycle/ with some of create, execute, analyze, \
                               save, evolve, clean, terminate";
                self.add(path, Kind::NoPhases, message.to_owned());
            }
        }
    }
}

/// Whether a program, `…/<twin>/lifecycle/<program>`, is of one of these twins.
fn is_of_one(twins: &BTreeMap<RemotePath, Twin>, program: &RemotePath) -> bool {
    let twin = program.parent().and_then(|lifecycle| lifecycle.parent());
    twin.is_some_and(|twin| twins.contains_key(&twin))
}

fn named_not_utf8(path: &RemotePath) -> bool {
    path.name().is_some_and(|name| not_utf8(name).is_some())
}

fn know_twins(twins: &mut BTreeMap<RemotePath, Twin>, path: &RemotePath, listing: &Listing) {
    match in_its_folder(path) {
        [kind] if kind == DIGITAL_TWINS => {
            // Hidden ones are nobody's twins, as for the server.
            let is_twin = |name: &&String| !name.starts_with('.') && not_utf8(name).is_none();
            for name in listing.trees.iter().filter(is_twin) {
                twins.entry(path.join(name)).or_default();
            }
        }
        [kind, name] if kind == DIGITAL_TWINS && !name.starts_with('.') => {
            let is_readme = |name: &String| name.eq_ignore_ascii_case("README.md");
            twins.entry(path.clone()).or_default().readme = listing.blobs.iter().any(is_readme);
        }
        [kind, _, inside] if kind == DIGITAL_TWINS && inside == LIFECYCLE => {
            if let Some(twin) = path.parent().and_then(|twin| twins.get_mut(&twin)) {
                twin.phases = !programs(&listing.blobs).is_empty();
            }
        }
        _ => {}
    }
}

/// What follows a user's folder, or `common`, also where that is named `alice/common`.
fn in_its_folder(path: &RemotePath) -> &[String] {
    match path.segments() {
        [owner, second, rest @ ..] if second == COMMON && owner != COMMON => rest,
        [_, rest @ ..] => rest,
        [] => &[],
    }
}
