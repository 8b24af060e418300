//! `dtaas lib ls`: what a directory of the library holds.

use std::io::IsTerminal;
use std::path::Path;

use clap::Args;
use console::style;
use serde::Serialize;

use super::reach::{Reach, remote};
use crate::error::Failure;
use crate::library::client::connection::Connection;
use crate::library::client::listing::{Blob, Detail, Listing, not_utf8};
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

/// An entry, for programs.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    /// Whether it can be asked for by that name.
    utf8: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<&'a str>,
}

impl Ls {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let path = remote(&self.path)?;
        let connection = self.reach.connect(directory)?;
        let detail = match self.long {
            true => Detail::All,
            false => Detail::Names,
        };
        let listing = list(&connection, &path, detail)
            .await
            .map_err(Failure::from)?;
        if self.json {
            return ui::json(&entries(&listing));
        }
        for line in lines(&listing, self.long) {
            ui::data(line);
        }
        Ok(())
    }
}

/// Of a file, the listing is that file alone.
async fn list(
    connection: &Connection,
    path: &RemotePath,
    detail: Detail,
) -> Result<Listing, Problem> {
    let problem = match connection.list(path, detail).await {
        Err(Problem::Refused(no)) if no.is("NOT_A_DIRECTORY") => Problem::Refused(no),
        listing => return listing,
    };
    let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
        return Err(problem);
    };
    let mut beside = connection.list(&parent, detail).await?;
    beside.trees.clear();
    beside.blobs.retain(|blob| blob.name == name);
    match beside.blobs.is_empty() {
        true => Err(problem),
        false => Ok(beside),
    }
}

fn entries(listing: &Listing) -> Vec<Entry<'_>> {
    let tree = |name| Entry {
        name,
        kind: "tree",
        utf8: not_utf8(name).is_none(),
        size: None,
        modified: None,
    };
    let trees = listing.trees.iter().map(|name| tree(name.as_str()));
    let blobs = listing.blobs.iter().map(|blob| Entry {
        name: &blob.name,
        kind: "blob",
        utf8: not_utf8(&blob.name).is_none(),
        size: blob.size,
        modified: blob.modified.as_deref(),
    });
    trees.chain(blobs).collect()
}

fn lines(listing: &Listing, long: bool) -> Vec<String> {
    let terminal = std::io::stdout().is_terminal();
    let shown = |name: &str| match terminal {
        true => printable(name).into_owned(),
        false => name.to_owned(),
    };
    let sizes = || listing.blobs.iter().map(|blob| size(blob).len());
    let width = if long {
        sizes().max().unwrap_or(1).max(1)
    } else {
        0
    };
    let before = |size: &str, time: &str| match long {
        true => format!("{size:>width$}  {time:<20}  "),
        false => String::new(),
    };
    let trees = listing.trees.iter().map(|name| {
        let name = style(format!("{}/", shown(name))).blue().bold();
        format!("{}{name}", before("-", ""))
    });
    let blobs = listing.blobs.iter().map(|blob| {
        let time = printable(blob.modified.as_deref().unwrap_or("-"));
        format!("{}{}", before(&size(blob), &time), shown(&blob.name))
    });
    trees.chain(blobs).collect()
}

fn size(blob: &Blob) -> String {
    blob.size
        .map_or_else(|| "-".to_owned(), |size| size.to_string())
}
