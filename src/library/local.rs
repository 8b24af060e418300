//! A library on this machine's disk.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustix::fs::FileType;

use super::allowance::Listed;
use super::cached::Cached;
use super::changes::Writing;
use super::contain::{Found, Root};
use super::desk::Desk;
use super::entries::{Entries, Unread};
use super::flow::Flow;
use super::given_up::{GivenUp, Waiting};
use super::path::{Inside, Place};
use super::refusal::{Reason, Refusal};
use super::shares::{Shares, Slot, Taken};
use super::source::{Listing, Source, Text};
use super::whose::Whose;

/// How many questions may keep the disk busy at once; the others wait in line. Of these, and of those below, one user has half at
/// most: a disk that does not answer keeps its own users waiting.
const AT_ONCE: usize = 32;
/// How many of those that take long (digests of large files, searches) run at once, beside the others.
const LONG_AT_ONCE: usize = 4;
/// How many folders may be made into zips at once: each keeps descriptors, and its table of entries in memory.
const ARCHIVES_AT_ONCE: usize = 8;
/// How many files may be on their way in at once: each keeps two descriptors, and one more for each directory made for it.
const UPLOADS_AT_ONCE: usize = 128;

/// A library on this machine's disk. A copy of it is another handle for the same.
#[derive(Debug, Clone)]
pub struct Local {
    root: Root,
    max_file: u64,
    slots: Shares,
    long_slots: Shares,
    writing: Option<Arc<Desk>>,
    flow: Flow,
    archives: Shares,
    uploads: Shares,
    cached: Arc<Cached>,
}

impl Local {
    /// The library at `root`; files of more than `max_file` bytes are not read.
    pub fn new(root: Root, max_file: u64) -> Self {
        Self {
            root,
            max_file,
            slots: Shares::halves(AT_ONCE),
            long_slots: Shares::halves(LONG_AT_ONCE),
            writing: None,
            flow: Flow::default(),
            archives: Shares::halves(ARCHIVES_AT_ONCE),
            uploads: Shares::halves(UPLOADS_AT_ONCE),
            cached: Arc::default(),
        }
    }

    /// The largest file that is read as text, in bytes.
    pub fn max_file(&self) -> u64 {
        self.max_file
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

    /// A place among those whose folders are made into zips.
    ///
    /// # Errors
    ///
    /// Who has taken them.
    pub fn archive_slot(&self, whose: Whose) -> Result<Slot, Taken> {
        self.archives.try_slots(whose, 1)
    }

    /// A place among those who send files.
    ///
    /// # Errors
    ///
    /// Who has taken them.
    pub(super) fn upload_slot(&self, whose: Whose) -> Result<Slot, Taken> {
        self.uploads.try_slots(whose, 1)
    }

    pub(super) fn writing(&self) -> Option<Arc<Desk>> {
        self.writing.clone()
    }

    /// Does `work` for somebody on a thread where waiting for the disk hinders nobody. `None` when it did not end well.
    pub async fn off_thread<T: Send + 'static>(
        &self,
        whose: Whose,
        work: impl FnOnce(&Root) -> T + Send + 'static,
    ) -> Option<T> {
        self.in_slot(&self.slots, whose, work).await
    }

    /// Does `work` that may take seconds, as [`Self::off_thread`] does, without keeping short questions waiting. The work
    /// must end soon after it is given up.
    pub async fn off_thread_long<T: Send + 'static>(
        &self,
        whose: Whose,
        work: impl FnOnce(&Root, &GivenUp) -> T + Send + 'static,
    ) -> Option<T> {
        let waiting = Waiting::default();
        let given_up = waiting.given_up();
        self.in_slot(&self.long_slots, whose, move |root| work(root, &given_up))
            .await
    }

    async fn in_slot<T: Send + 'static>(
        &self,
        slots: &Shares,
        whose: Whose,
        work: impl FnOnce(&Root) -> T + Send + 'static,
    ) -> Option<T> {
        let slot = slots.slot(whose).await?;
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
    fn list(&self, listed: Listed, place: Place) -> BoxFuture<'_, Result<Listing, Refusal>> {
        self.entries(listed, place)
            .map(|found| found.map(Listing::from))
            .boxed()
    }

    fn entries(&self, listed: Listed, place: Place) -> BoxFuture<'_, Result<Entries, Refusal>> {
        async move {
            if let Place::Inside(inside) = &place
                && let Some(entries) = self.cached.entries(self.root.path(), inside)
            {
                return Ok(entries);
            }
            let cached = Arc::clone(&self.cached);
            let whose = listed.whose();
            self.off_thread(whose, move |root| list(root, &place, &listed, &cached))
                .await
                .unwrap_or_else(|| Err(Refusal::new("", Reason::Unreadable)))
        }
        .boxed()
    }

    fn read(&self, whose: Whose, place: Inside) -> BoxFuture<'_, Result<Text, Refusal>> {
        let limit = self.max_file;
        async move {
            if let Some(bytes) = self.cached.bytes(self.root.path(), &place, limit) {
                return text(&place, bytes);
            }
            let cached = Arc::clone(&self.cached);
            self.off_thread(whose, move |root| read(root, &place, limit, &cached))
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
            let looked = self.off_thread(Whose::SERVER, |root| root.top().map(drop));
            match looked.await {
                Some(Ok(())) => Ok(()),
                Some(Err(error)) => Err(format!("the library's directory: {error}")),
                None => Err("the server is stopping".into()),
            }
        }
        .boxed()
    }
}

fn list(root: &Root, place: &Place, listed: &Listed, cached: &Cached) -> Result<Entries, Refusal> {
    let unreadable = |shown: &str| Refusal::new(shown, Reason::Unreadable);
    let read = |directory: &OwnedFd, shown: &str| {
        Entries::read(directory, listed).map_err(|why| match why {
            Unread::Io(_) => unreadable(shown),
            Unread::Refused(refusal) => refusal,
        })
    };
    match place {
        Place::Top(None) => read(&root.top().map_err(|_| unreadable("/"))?, "/"),
        Place::Top(Some(names)) => {
            let found = root.top_entries(names).map_err(|_| unreadable("/"))?;
            let kind = |directory| match directory {
                true => FileType::Directory,
                false => FileType::Unknown,
            };
            Ok(found
                .into_iter()
                .map(|(name, directory)| (name.into_bytes(), kind(directory)))
                .collect())
        }
        Place::Inside(inside) => match root.find(inside)? {
            Found::Directory(directory) => {
                let entries = read(&directory, &inside.shown)?;
                cached.note(&directory);
                Ok(entries)
            }
            Found::File(..) | Found::Other => Err(inside.refuse(Reason::NotADirectory)),
        },
    }
}

fn read(root: &Root, place: &Inside, limit: u64, cached: &Cached) -> Result<Text, Refusal> {
    let (file, size) = match root.find(place)? {
        Found::File(file, size) => (file, size),
        Found::Directory(_) | Found::Other => return Err(place.refuse(Reason::NotAFile)),
    };
    let bytes = whole(&file, size, place, limit)?;
    cached.note(&file);
    text(place, bytes)
}

fn text(place: &Inside, bytes: Vec<u8>) -> Result<Text, Refusal> {
    Ok(Text {
        name: place.name().to_owned(),
        text: as_text(bytes).ok_or_else(|| place.refuse(Reason::NotText))?,
    })
}

/// The bytes of a file that had `size` bytes when it was opened, if they are `limit` at most.
pub(super) fn whole(
    mut file: &File,
    size: u64,
    place: &Inside,
    limit: u64,
) -> Result<Vec<u8>, Refusal> {
    let too_large = || place.refuse(Reason::TooLarge(limit));
    if size > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // It may grow while it is read; the limit holds all the same.
    file.by_ref()
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|_| place.refuse(Reason::Unreadable))?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

/// Bytes as the text that a client gets, where they are UTF-8.
pub(super) fn as_text(bytes: Vec<u8>) -> Option<String> {
    let mut text = String::from_utf8(bytes).ok()?;
    text.truncate(text.trim_end_matches(is_white_space).len());
    text.drain(..text.len() - text.trim_start_matches(is_white_space).len());
    Some(text)
}

/// What v0.2 removes at both ends: ECMAScript's `String.prototype.trim` (ECMA-262, WhiteSpace and LineTerminator),
/// which knows the byte-order mark and does not know U+0085.
pub(super) fn is_white_space(c: char) -> bool {
    c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}')
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::super::path::{Viewer, resolve};
    use super::super::upload::Announced;
    use super::*;

    #[tokio::test]
    async fn who_gives_up_frees_no_slot_before_the_disk_is_done() {
        let directory = tempfile::tempdir().unwrap();
        let library = Local::new(Root::new(directory.path()), 1);
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        {
            let work = library.off_thread(Whose::SERVER, move |_| wait.recv());
            let mut work = std::pin::pin!(work);
            assert!(futures_util::poll!(&mut work).is_pending());
            // Given up here.
        }
        assert_eq!(library.slots.free(), AT_ONCE - 1);
        drop(go_on);
        while library.slots.free() < AT_ONCE {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_gives_an_upload_up_frees_no_place_before_the_disk_is_done() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("alice")).unwrap();
        let library = Local::new(Root::new(directory.path()), 1).writable(Writing::USUAL);
        let (viewer, desk) = (Viewer::Everyone, library.writing().unwrap());
        let Ok(Place::Inside(place)) = resolve(&viewer, "alice/x") else {
            panic!("no place");
        };
        let upload = library.take(&viewer, place, Announced::default()).await;
        // Given somebody whose turn it is,
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let (has_it, had) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _turn = desk.turn();
            has_it.send(()).unwrap();
            wait.recv().unwrap_or_default();
        });
        had.recv().unwrap();
        // and an upload that is about to take its name after them: it has the mode that it shall have,
        let has_its_mode = || {
            let mut there = std::fs::read_dir(directory.path().join("alice")).unwrap();
            there.any(|entry| entry.unwrap().metadata().unwrap().mode() & 0o777 == 0o644)
        };
        {
            let mut finish = Box::pin(upload.unwrap().finish());
            while !has_its_mode() {
                assert!(futures_util::poll!(&mut finish).is_pending());
                tokio::task::yield_now().await;
            }
            // when it is given up,
        }
        // then its place is taken until that is done.
        assert_eq!(library.uploads.free(), UPLOADS_AT_ONCE - 1);
        drop(go_on);
        while library.uploads.free() < UPLOADS_AT_ONCE {
            tokio::task::yield_now().await;
        }
        assert!(directory.path().join("alice/x").exists());
    }

    #[tokio::test]
    async fn a_disk_that_hangs_keeps_its_own_users_waiting() {
        let whose = |name: &str| {
            let name = name.parse().unwrap();
            let publisher = false;
            Whose::of(&Viewer::User { name, publisher })
        };
        let directory = tempfile::tempdir().unwrap();
        let library = Local::new(Root::new(directory.path()), 1);
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let wait = Arc::new(std::sync::Mutex::new(wait));
        // Given more of alice's questions than there are places, and none of them ends,
        let hang = |_| {
            let (library, wait) = (library.clone(), Arc::clone(&wait));
            let hang = move |_: &Root| drop(wait.lock().map(|wait| wait.recv()));
            tokio::spawn(async move { library.off_thread(whose("alice"), hang).await })
        };
        let hanging: Vec<_> = (0..AT_ONCE * 2).map(hang).collect();
        while library.slots.free() > AT_ONCE / 2 {
            tokio::task::yield_now().await;
        }
        // bob is answered.
        let answered = library.off_thread(whose("bob"), |_| "answered");
        let answered = tokio::time::timeout(std::time::Duration::from_secs(20), answered);
        assert_eq!(answered.await, Ok(Some("answered")));
        drop(go_on);
        for one in hanging {
            assert_eq!(one.await.unwrap(), Some(()));
        }
    }

    #[test]
    fn text_is_trimmed_as_javascript_does() {
        let trim = |text: &'static str| text.trim_matches(is_white_space);
        assert_eq!(trim("\u{feff}# Title\n\u{a0}\u{2028}\u{3000}"), "# Title");
        assert_eq!(trim("\u{85}x\u{85}"), "\u{85}x\u{85}");
        assert_eq!(trim(" \t\n"), "");
    }
}
