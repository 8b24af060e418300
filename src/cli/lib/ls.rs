//! `dtaas lib ls`: what a directory of the library holds.

use std::io::IsTerminal;
use std::path::Path;

use clap::Args;
use console::style;
use serde::Serialize;

use super::reach::{Reach, remote};
use crate::error::Failure;
use crate::library::client::connection::Connection;
use crate::library::client::listing::{Entry, Kind, not_utf8};
use crate::library::client::path::RemotePath;
use crate::library::client::problem::Problem;
use crate::ui;
use crate::ui::printable::printable;

/// List a directory of the library: directories first, each with a slash behind it.
#[derive(Debug, Args)]
pub struct Ls {
    /// The directory, or a file
    #[arg(value_name = "PATH", default_value = "")]
    path: String,
    /// With size in bytes and time of change (UTC)
    #[arg(short, long)]
    long: bool,
    /// Give it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What is shown of an entry.
#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    /// As GraphQL calls it: `tree` for a directory, `blob` for everything else.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Whether it can be asked for by that name.
    utf8: bool,
    #[serde(flatten)]
    details: Option<Details>,
}

#[derive(Debug, Serialize)]
struct Details {
    size: Option<u64>,
    modified: Option<String>,
}

impl Shown {
    fn new(name: String, is_directory: bool, details: Option<Details>) -> Self {
        Self {
            utf8: not_utf8(&name).is_none(),
            name,
            kind: if is_directory { "tree" } else { "blob" },
            details,
        }
    }

    fn of(entry: Entry) -> Self {
        let details = Details {
            size: entry.size,
            modified: entry.modified,
        };
        Self::new(entry.name, entry.kind == Kind::Directory, Some(details))
    }
}

impl Ls {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let path = remote(&self.path)?;
        let connection = self.reach.connect(directory)?;
        let listed = match self.long {
            true => details(&connection, &path).await,
            false => names(&connection, &path).await,
        };
        let entries = listed.map_err(Failure::from)?;
        if self.json {
            return ui::json(&entries);
        }
        for line in lines(&entries) {
            ui::data(line);
        }
        Ok(())
    }
}

async fn details(connection: &Connection, path: &RemotePath) -> Result<Vec<Shown>, Problem> {
    let listed = connection.list_with_details(path).await?;
    let mut entries: Vec<Shown> = listed.into_iter().map(Shown::of).collect();
    // Stable: by their bytes within each kind.
    entries.sort_by_key(|entry| entry.kind != "tree");
    Ok(entries)
}

/// Of a file, the listing is that file alone.
async fn names(connection: &Connection, path: &RemotePath) -> Result<Vec<Shown>, Problem> {
    let listing = match (connection.list(path).await, path.name()) {
        (Err(Problem::Refused(no)), Some(name)) if no.is("NOT_A_DIRECTORY") => {
            return Ok(vec![Shown::new(name.to_owned(), false, None)]);
        }
        (listing, _) => listing?,
    };
    let trees = listing
        .trees
        .into_iter()
        .map(|name| Shown::new(name, true, None));
    let blobs = listing
        .blobs
        .into_iter()
        .map(|name| Shown::new(name, false, None));
    Ok(trees.chain(blobs).collect())
}

fn lines(entries: &[Shown]) -> Vec<String> {
    let terminal = std::io::stdout().is_terminal();
    let name = |entry: &Shown| {
        let name = match terminal {
            true => printable(&entry.name).into_owned(),
            false => entry.name.clone(),
        };
        match entry.kind {
            "tree" => style(format!("{name}/")).blue().bold().to_string(),
            _ => name,
        }
    };
    let size = |details: &Details| details.size.map_or("-".to_owned(), |size| size.to_string());
    let sizes = entries.iter().filter_map(|entry| entry.details.as_ref());
    let width = sizes.map(|details| size(details).len()).max().unwrap_or(0);
    let line = |entry: &Shown| match &entry.details {
        None => name(entry),
        Some(details) => {
            let time = details.modified.as_deref().unwrap_or("-");
            // To the second: 2026-01-31T12:00:00Z.
            let time = match time.split_once('.') {
                Some((seconds, _)) => format!("{seconds}Z"),
                None => time.to_owned(),
            };
            let (size, time) = (size(details), printable(&time).into_owned());
            format!("{size:>width$}  {time:<20}  {}", name(entry))
        }
    };
    entries.iter().map(line).collect()
}
