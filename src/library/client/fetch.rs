//! Bringing files and directories of the library to this machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;

use super::connection::Connection;
use super::download::About;
use super::event::{Came, Event, SIDE_BY_SIDE, Told};
use super::local_file::{Aside, InTheWay, here, in_the_way};
use super::path::RemotePath;
use super::problem::Problem;

impl Connection {
    /// Brings a file to `place`. What an earlier run left of the same version is gone on with; what lies there is written over only
    /// when `over`.
    ///
    /// # Errors
    ///
    /// Why it did not come.
    pub async fn fetch(
        &self,
        path: &RemotePath,
        place: &Path,
        over: bool,
        told: Told<'_>,
    ) -> Result<Came, Problem> {
        let found = in_the_way(place)?;
        let mut download = self.download(path).await?;
        match found {
            InTheWay::Nothing => {}
            InTheWay::File { size, modified } if is_same(&download.about, size, modified) => {
                return Ok(Came::Same);
            }
            InTheWay::File { .. } if over => {}
            InTheWay::File { .. } => return Err(taken(place, "")),
            InTheWay::Other => return Err(taken(place, ", and is no file")),
        }
        let mut aside = self.aside(path, place, &download.about)?;
        if download.go_on_from(aside.length).await? != aside.length {
            // Another version by now: its part has another name. Or the same one from its beginning: its part is let go of first.
            drop(aside);
            aside = self.aside(path, place, &download.about)?;
            aside.begin_anew()?;
        }
        let size = download.about.size.unwrap_or_default();
        told(Event::Expected {
            size,
            there: aside.length,
        });
        while let Some(piece) = download.next().await? {
            let written = aside.file.write_all(&piece);
            written.map_err(|source| here("cannot write", place, source))?;
            told(Event::Bytes(piece.len() as u64));
        }
        aside.put(download.about.modified, over)?;
        Ok(Came::Over)
    }

    fn aside(&self, path: &RemotePath, place: &Path, about: &About) -> Result<Aside, Problem> {
        let version = about.version.as_ref();
        let version = version.map(|tag| format!("{} {path} {tag}", self.endpoint()));
        Aside::open(place, version.as_deref())
    }

    /// Brings all files below `top` to below `place`, which is made. Those that fail do not stop the others.
    ///
    /// # Errors
    ///
    /// The directory itself cannot be listed, or made here.
    pub async fn fetch_all(
        &self,
        top: &RemotePath,
        place: &Path,
        over: bool,
        told: Told<'_>,
    ) -> Result<(), Problem> {
        let files = self.make_directories(top, place, told).await?;
        let all = files.iter().map(|(path, place)| async move {
            match self.fetch(path, place, over, told).await {
                Ok(came) => told(Event::File(path, came)),
                Err(problem) => told(Event::Failed(path, problem)),
            }
        });
        futures_util::stream::iter(all)
            .buffer_unordered(SIDE_BY_SIDE)
            .collect::<()>()
            .await;
        Ok(())
    }

    /// Makes the directories, and says which files belong where.
    async fn make_directories(
        &self,
        top: &RemotePath,
        place: &Path,
        told: Told<'_>,
    ) -> Result<Vec<(RemotePath, PathBuf)>, Problem> {
        let mut files = Vec::new();
        let mut walk = self.walk(top.clone());
        while let Some((path, listing)) = walk.next().await {
            let here = below(place, top, &path);
            let made = listing.and_then(|listing| {
                make_directory(&here)?;
                Ok(listing)
            });
            match made {
                Ok(listing) => files.extend(
                    listing
                        .blobs
                        .into_iter()
                        .map(|name| (path.join(&name), here.join(&name))),
                ),
                Err(problem) if path == *top => return Err(problem),
                Err(problem) => told(Event::Failed(&path, problem)),
            }
        }
        for path in &walk.left_out {
            told(Event::LeftOut(
                path,
                "it is common by another name: get that by its own",
            ));
        }
        Ok(files)
    }
}

/// Where `path` comes to lie when `top` comes to lie at `place`. The names are single segments: the listing was looked through.
fn below(place: &Path, top: &RemotePath, path: &RemotePath) -> PathBuf {
    let mut here = place.to_owned();
    here.extend(&path.segments()[top.segments().len()..]);
    here
}

fn make_directory(path: &Path) -> Result<(), Problem> {
    match std::fs::create_dir(path) {
        Ok(()) => Ok(()),
        Err(_) if path.is_dir() => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(taken(path, ", and is no directory"))
        }
        Err(source) => Err(here("cannot make the directory", path, source)),
    }
}

fn taken(place: &Path, more: &'static str) -> Problem {
    Problem::InTheWay {
        place: place.display().to_string(),
        more,
    }
}

/// Times travel by the second.
fn is_same(about: &About, size: u64, modified: Option<SystemTime>) -> bool {
    let seconds = |time: SystemTime| {
        time.duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs()
    };
    match (about.size, about.modified, modified) {
        (Some(there), Some(then), Some(here)) => there == size && seconds(then) == seconds(here),
        (_, _, _) => false,
    }
}
