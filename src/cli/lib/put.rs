//! `dtaas lib put`: files and directories, sent to the library.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::reach::{Reach, remote};
use super::tally::Tally;
use crate::error::Failure;
use crate::library::client::connection::Connection;
use crate::library::client::event::{Came, Event};
use crate::library::client::path::RemotePath;
use crate::library::client::problem::Problem;
use crate::ui;

/// Send a file or a directory to the library. Run again, it goes on where it was broken off.
#[derive(Debug, Args)]
pub struct Put {
    /// The file or the directory; links in it are left out
    #[arg(value_name = "FILE")]
    source: PathBuf,
    /// What it becomes in the library; of a file also a directory that is there, in which it keeps its name
    #[arg(value_name = "PATH")]
    path: String,
    /// Write over files that are there and differ
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    reach: Reach,
}

impl Put {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let path = remote(&self.path)?;
        let shown = self.source.display().to_string();
        let found = std::fs::metadata(&self.source)
            .with_context(|| Failure::usage(format!("cannot read {shown}")))?;
        let connection = self.reach.connect(directory)?;
        let path = match found.is_dir() {
            // A directory becomes what was named, so that the same command goes on with it.
            true => path,
            false => self.place(&connection, path).await?,
        };
        let tally = Tally::default();
        let told = |event: Event<'_>| tally.tell(event);
        tally.about(&path);
        if found.is_dir() {
            let done = connection
                .send_all(&self.source, &path, self.force, &told)
                .await;
            tally.clear();
            done.map_err(Failure::from)?;
            return tally.outcome(&shown, &path.to_string());
        }
        let came = connection
            .upload(&self.source, &path, self.force, &told)
            .await;
        tally.clear();
        ui::say(match came.map_err(Failure::from)? {
            Came::Over => format!("{shown} is now {path}"),
            Came::Same => format!("{shown} is {path} already"),
        });
        Ok(())
    }

    /// In a directory that is there, what comes keeps its name.
    async fn place(&self, connection: &Connection, path: RemotePath) -> anyhow::Result<RemotePath> {
        let is_directory = match connection.is_directory(&path).await {
            Ok(is_directory) => is_directory,
            Err(Problem::Refused(no)) if no.is("NOT_FOUND") => self.path.ends_with('/'),
            Err(problem) => return Err(Failure::from(problem).into()),
        };
        if !is_directory {
            return Ok(path);
        }
        let real = std::fs::canonicalize(&self.source)
            .with_context(|| Failure::usage(format!("cannot read {}", self.source.display())))?;
        // What a link is called counts, not what it leads to.
        let name = self.source.file_name().or(real.file_name());
        match name.and_then(|name| name.to_str()) {
            Some(name) => Ok(path.join(name)),
            None => Err(Failure::usage(format!(
                "the name of {} is not UTF-8",
                self.source.display()
            ))
            .hint("name the place in the library as well, as in alice/data/x.csv")
            .into()),
        }
    }
}
