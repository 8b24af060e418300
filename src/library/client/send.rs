//! Sending directories to the library.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use reqwest::{Method, StatusCode};

use super::connection::Connection;
use super::event::{Event, SIDE_BY_SIDE, Told};
use super::local_file::{here, is_part};
use super::path::RemotePath;
use super::problem::Problem;

/// What is to be sent.
#[derive(Debug, Default)]
struct Outgoing {
    files: Vec<(PathBuf, RemotePath)>,
    /// Directories that no file brings into being.
    empty: Vec<RemotePath>,
}

impl Connection {
    /// Sends all regular files below `source` to below `path`. Links are not followed. What fails does not stop the rest.
    ///
    /// # Errors
    ///
    /// The directory itself cannot be read.
    pub async fn send_all(
        &self,
        source: &Path,
        path: &RemotePath,
        over: bool,
        told: Told<'_>,
    ) -> Result<(), Problem> {
        let outgoing = look_through(source, path, told)?;
        for directory in &outgoing.empty {
            if let Err(problem) = self.make_directory(directory).await {
                told(Event::Failed(directory, problem));
            }
        }
        let all = outgoing.files.iter().map(|(source, path)| async move {
            match self.upload(source, path, over, told).await {
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

    /// Makes a directory, and those on the way to it. What is there is fine.
    async fn make_directory(&self, path: &RemotePath) -> Result<(), Problem> {
        // MKCOL makes one at a time (RFC 4918, 9.3.1): up to the first that has what it lies in, and down again.
        let mut missing = vec![path.clone()];
        while let Some(lowest) = missing.last() {
            match (self.make_one_directory(lowest).await, lowest.parent()) {
                (Err(Problem::Refused(no)), Some(above))
                    if no.is("NOT_FOUND") && !above.is_top() =>
                {
                    missing.push(above);
                }
                (made, _) => {
                    made?;
                    break;
                }
            }
        }
        missing.pop();
        for path in missing.iter().rev() {
            self.make_one_directory(path).await?;
        }
        Ok(())
    }

    async fn make_one_directory(&self, path: &RemotePath) -> Result<(), Problem> {
        let method = Method::from_bytes(b"MKCOL").unwrap_or(Method::PUT);
        match self.send(self.file(method, path)).await {
            Ok(_) => Ok(()),
            Err(Problem::Refused(no))
                if no.is("EXISTS") || no.status == StatusCode::METHOD_NOT_ALLOWED =>
            {
                Ok(())
            }
            Err(problem) => Err(problem),
        }
    }
}

fn look_through(source: &Path, path: &RemotePath, told: Told<'_>) -> Result<Outgoing, Problem> {
    let mut outgoing = Outgoing::default();
    let mut ahead = vec![(source.to_owned(), path.clone())];
    while let Some((directory, path)) = ahead.pop() {
        let entries = match entries(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                let problem = here("cannot read", &directory, error);
                if directory == source {
                    return Err(problem);
                }
                told(Event::Failed(&path, problem));
                continue;
            }
        };
        let is_empty = entries.is_empty();
        for entry in entries {
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let shown = path.join(&name.to_string_lossy());
                let error = io::Error::other("its name is not UTF-8");
                told(Event::Failed(
                    &shown,
                    here("cannot send", &entry.path(), error),
                ));
                continue;
            };
            let path = path.join(name);
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => ahead.push((entry.path(), path)),
                Ok(kind) if kind.is_file() && is_part(name) => {}
                Ok(kind) if kind.is_file() => outgoing.files.push((entry.path(), path)),
                Ok(kind) if kind.is_symlink() => {
                    told(Event::LeftOut(&path, "links are not followed"));
                }
                Ok(_) => told(Event::LeftOut(&path, "it is no regular file")),
                Err(error) => {
                    told(Event::Failed(
                        &path,
                        here("cannot look at", &entry.path(), error),
                    ));
                }
            }
        }
        if is_empty {
            outgoing.empty.push(path);
        }
    }
    outgoing.files.sort();
    Ok(outgoing)
}

fn entries(directory: &Path) -> io::Result<Vec<std::fs::DirEntry>> {
    std::fs::read_dir(directory)?.collect()
}
