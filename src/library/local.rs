//! A library on this machine's disk.

use std::ffi::CStr;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustix::fs::{AtFlags, Dir, FileType};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::aside::is_aside;
use super::changes::{Desk, Writing};
use super::contain::{Found, Root};
use super::flow::Flow;
use super::path::{Inside, Place};
use super::refusal::{Reason, Refusal};
use super::source::{Listing, Source, Text};

/// How many questions may keep the disk busy at once; the others wait in line.
const AT_ONCE: usize = 32;

/// How many of these questions may take long; the others find a free place soon.
const LONG_AT_ONCE: usize = 8;
/// How many folders may be made into zips at once: each keeps descriptors, and its table of entries in memory.
const ARCHIVES_AT_ONCE: usize = 8;

/// A library on this machine's disk. A copy of it is another handle for the same.
#[derive(Debug, Clone)]
pub struct Local {
    root: Root,
    max_file: u64,
    slots: Arc<Semaphore>,
    writing: Option<Arc<Desk>>,
    flow: Flow,
    archives: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

impl Local {
    /// The library at `root`; files of more than `max_file` bytes are not read.
    pub fn new(root: Root, max_file: u64) -> Self {
        Self {
            root,
            max_file,
            slots: Arc::new(Semaphore::new(AT_ONCE)),
            writing: None,
            flow: Flow::default(),
            archives: Arc::new(Semaphore::new(ARCHIVES_AT_ONCE)),
            long: Arc::new(Semaphore::new(LONG_AT_ONCE)),
        }
    }

    /// The same library, and it may be changed.
    pub fn writable(self, writing: Writing) -> Self {
        Self {
            writing: Some(Arc::new(Desk::new(writing))),
            ..self
        }
    }

    /// How much may be written; `None` where nothing may.
    pub fn limits(&self) -> Option<Writing> {
        self.writing.as_ref().map(|desk| desk.limits)
    }

    /// The files that are on their way.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// A place among those whose folders are made into zips; `None` when all are taken.
    pub fn archive_slot(&self) -> Option<OwnedSemaphorePermit> {
        self.archives.clone().try_acquire_owned().ok()
    }

    /// The turn of a question that keeps the disk busy for long: a sum of a large file, the removal of a large directory.
    pub(super) async fn long_turn(&self) -> Option<OwnedSemaphorePermit> {
        // Closed is what nobody does to it.
        self.long.clone().acquire_owned().await.ok()
    }

    pub(super) fn writing(&self) -> Option<Arc<Desk>> {
        self.writing.clone()
    }

    /// Does `work` on a thread where waiting for the disk hinders nobody. `None` when it did not end well.
    pub async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Root) -> T + Send + 'static,
    ) -> Option<T> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        let root = self.root.clone();
        let on_the_disk = tokio::task::spawn_blocking(move || {
            let done = work(&root);
            // Only here: whoever asked may have given up long before the disk answers.
            drop(slot);
            done
        });
        on_the_disk.await.ok()
    }
}

impl Source for Local {
    fn list(&self, place: Place) -> BoxFuture<'_, Result<Listing, Refusal>> {
        async move {
            self.off_thread(move |root| list(root, &place))
                .await
                .unwrap_or_else(|| Err(Refusal::new("", Reason::Unreadable)))
        }
        .boxed()
    }

    fn read(&self, place: Inside) -> BoxFuture<'_, Result<Text, Refusal>> {
        let limit = self.max_file;
        async move {
            self.off_thread(move |root| read(root, &place, limit))
                .await
                .unwrap_or_else(|| Err(Refusal::new("", Reason::Unreadable)))
        }
        .boxed()
    }

    fn disk(&self) -> Option<&Local> {
        Some(self)
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        async move {
            match self.off_thread(|root| root.top().map(drop)).await {
                Some(Ok(())) => Ok(()),
                Some(Err(error)) => Err(format!("the library's directory: {error}")),
                None => Err("the server is stopping".into()),
            }
        }
        .boxed()
    }
}

fn list(root: &Root, place: &Place) -> Result<Listing, Refusal> {
    let unreadable = |shown: &str| Refusal::new(shown, Reason::Unreadable);
    match place {
        Place::Top(None) => root
            .top()
            .and_then(entries)
            .map_err(|_| unreadable("/"))
            .map(sorted),
        Place::Top(Some(names)) => {
            let found = root.top_entries(names).map_err(|_| unreadable("/"))?;
            Ok(sorted(
                found
                    .into_iter()
                    .map(|(name, directory)| (name.into_bytes(), directory))
                    .collect(),
            ))
        }
        Place::Inside(inside) => match root.find(inside)? {
            Found::Directory(directory) => entries(directory)
                .map_err(|_| unreadable(&inside.shown))
                .map(sorted),
            Found::File(..) | Found::Other => Err(inside.refuse(Reason::NotADirectory)),
        },
    }
}

/// Names, each with whether it is a directory. Links are not followed here: a link is a blob, as in v0.2.
fn entries(directory: OwnedFd) -> io::Result<Vec<(Vec<u8>, bool)>> {
    let mut found = Vec::new();
    let mut directory = Dir::new(directory)?;
    while let Some(entry) = directory.read() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." || is_aside(name.to_bytes()) {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not tell.
            FileType::Unknown => kind_of(&directory, name)?,
            kind => Some(kind),
        };
        // Without a kind it has been removed since.
        if let Some(kind) = kind {
            found.push((name.to_bytes().to_vec(), kind == FileType::Directory));
        }
    }
    Ok(found)
}

fn kind_of(directory: &Dir, name: &CStr) -> io::Result<Option<FileType>> {
    match rustix::fs::statat(directory.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn sorted(mut entries: Vec<(Vec<u8>, bool)>) -> Listing {
    entries.sort_unstable();
    let mut listing = Listing::default();
    for (name, directory) in entries {
        let name = shown(name);
        if directory {
            listing.trees.push(name);
        } else {
            listing.blobs.push(name);
        }
    }
    listing
}

/// A name as it can stand in JSON. One that is not UTF-8 is marked with its bytes, so that two of them differ and
/// nobody takes it for a name that can be asked for.
pub(super) fn shown(name: Vec<u8>) -> String {
    String::from_utf8(name).unwrap_or_else(|error| {
        let bytes = error.as_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} (not UTF-8: {hex})", String::from_utf8_lossy(bytes))
    })
}

fn read(root: &Root, place: &Inside, limit: u64) -> Result<Text, Refusal> {
    let (file, size) = match root.find(place)? {
        Found::File(file, size) => (file, size),
        Found::Directory(_) | Found::Other => return Err(place.refuse(Reason::NotAFile)),
    };
    let too_large = || place.refuse(Reason::TooLarge(limit));
    if size > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // It may grow while it is read; the limit holds all the same.
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|_| place.refuse(Reason::Unreadable))?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    let text = String::from_utf8(bytes).map_err(|_| place.refuse(Reason::NotText))?;
    Ok(Text {
        name: place.name().to_owned(),
        text: text.trim_matches(is_white_space).to_owned(),
    })
}

/// What v0.2 removes at both ends: ECMAScript's `String.prototype.trim` (ECMA-262, WhiteSpace and LineTerminator),
/// which knows the byte-order mark and does not know U+0085.
fn is_white_space(c: char) -> bool {
    c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_utf8_is_marked_and_stays_distinct() {
        assert_eq!(shown(b"caf\xc3\xa9".to_vec()), "café");
        assert_eq!(
            shown(b"caf\xe9".to_vec()),
            "caf\u{fffd} (not UTF-8: 636166e9)"
        );
        assert_ne!(shown(b"\xff".to_vec()), shown(b"\xfe".to_vec()));
    }

    #[tokio::test]
    async fn who_gives_up_frees_no_slot_before_the_disk_is_done() {
        let directory = tempfile::tempdir().unwrap();
        let library = Local::new(Root::new(directory.path()), 1);
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        {
            let work = library.off_thread(move |_| wait.recv());
            let mut work = std::pin::pin!(work);
            assert!(futures_util::poll!(&mut work).is_pending());
            // Given up here.
        }
        assert_eq!(library.slots.available_permits(), AT_ONCE - 1);
        drop(go_on);
        let all = u32::try_from(AT_ONCE).unwrap();
        assert!(library.slots.acquire_many(all).await.is_ok());
    }

    #[test]
    fn text_is_trimmed_as_javascript_does() {
        let trim = |text: &'static str| text.trim_matches(is_white_space);
        assert_eq!(trim("\u{feff}# Title\n\u{a0}\u{2028}\u{3000}"), "# Title");
        assert_eq!(trim("\u{85}x\u{85}"), "\u{85}x\u{85}");
        assert_eq!(trim(" \t\n"), "");
    }
}
