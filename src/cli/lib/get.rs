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
    /// What it becomes here; of a file also a directory that is there, in which it keeps its name [default: its name]
    #[arg(value_name = "DEST")]
    destination: Option<PathBuf>,
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
        let connection = self.reach.connect(directory)?;
        let is_directory = connection
            .is_directory(&path)
            .await
            .map_err(Failure::from)?;
        let place = self.place(&path, is_directory)?;
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

    /// A directory becomes what was named, so that the same command goes on with it.
    fn place(&self, path: &RemotePath, is_directory: bool) -> anyhow::Result<PathBuf> {
        match (&self.destination, path.name()) {
            (Some(place), Some(name)) if !is_directory && place.is_dir() => Ok(place.join(name)),
            (Some(place), _) => Ok(place.clone()),
            (None, Some(name)) => Ok(PathBuf::from(name)),
            (None, None) => Err(Failure::usage(
                "the whole library has no name to be called by here",
            )
            .hint("say what it becomes: dtaas lib get / DEST")
            .into()),
        }
    }
}
