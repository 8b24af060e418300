//! `dtaas lib get`: files and directories of the library, brought here.

use std::path::{Path, PathBuf};

use clap::Args;

use super::reach::{Reach, remote};
use super::tally::Tally;
use crate::error::Failure;
use crate::library::client::event::{Came, Event};
use crate::library::client::path::RemotePath;
use crate::ui;

/// Bring a file or a directory of the library here. Run again, it goes on where it was broken off.
#[derive(Debug, Args)]
pub struct Get {
    /// The file or the directory
    #[arg(value_name = "PATH")]
    path: String,
    /// Where to: a directory that is there, or a name of its own
    #[arg(value_name = "DEST", default_value = ".")]
    destination: PathBuf,
    /// Write over files that are there and differ
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    reach: Reach,
}

impl Get {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let path = remote(&self.path)?;
        let place = self.place(&path);
        let connection = self.reach.connect(directory)?;
        let is_directory = connection
            .is_directory(&path)
            .await
            .map_err(Failure::from)?;
        let tally = Tally::default();
        let told = |event: Event<'_>| tally.tell(event);
        tally.about(&path);
        if is_directory {
            let done = connection.fetch_all(&path, &place, self.force, &told).await;
            tally.clear();
            done.map_err(Failure::from)?;
            return tally.outcome(&path.to_string(), &place.display().to_string());
        }
        let came = connection.fetch(&path, &place, self.force, &told).await;
        tally.clear();
        ui::say(match came.map_err(Failure::from)? {
            Came::Over => format!("{path} is now {}", place.display()),
            Came::Same => format!("{path} is {} already", place.display()),
        });
        Ok(())
    }

    /// In a directory that is there, what comes keeps its name.
    fn place(&self, path: &RemotePath) -> PathBuf {
        match path.name() {
            Some(name) if self.destination.is_dir() => self.destination.join(name),
            // The whole library has no name, and fills the directory.
            Some(_) | None => self.destination.clone(),
        }
    }
}
