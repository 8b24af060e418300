//! What each top folder holds, where that is limited.
//!
//! A folder is counted by walking through it, links not followed: the sizes of its files, also of uploads that are not
//! finished. Programs in a workspace write there without telling anyone, so a count is good for a while only: for
//! [`GOOD_FOR`], and never for less than 20 times of what it took, which bounds the counting to a twentieth of the time.
//! In between, what goes through the library is added and taken off. Before anything is refused it is counted anew,
//! within the same bound.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::Stat;

use super::contain::Root;
use super::stale::size_of_all;
use super::walk::Walk;

/// How long a count is taken for true.
const GOOD_FOR: Duration = Duration::from_secs(30);
/// What part of the time may be spent counting: one in so many.
const SHARE: u32 = 20;

/// The folder has no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// What the top folders hold.
#[derive(Debug)]
pub struct Ledger {
    quota: Option<u64>,
    folders: Mutex<HashMap<String, Arc<Folder>>>,
}

#[derive(Debug, Default)]
struct Folder {
    account: Mutex<Account>,
    /// Held while it is counted: one count serves all who wait for it.
    counting: Mutex<()>,
}

#[derive(Debug, Default)]
struct Account {
    /// What was found, and has come and gone since, in bytes.
    counted: u64,
    /// When the count ended, and how long it took; `None` before the first.
    last: Option<(Instant, Duration)>,
    /// How often something has come or gone.
    changes: u64,
    /// What is promised to requests under way, in bytes.
    reserved: u64,
    /// Device and inode of the files that these write: they are counted by their reservation.
    under_way: HashSet<(u64, u64)>,
}

impl Ledger {
    /// With a limit for each top folder, in bytes, or without one: then nothing is counted.
    pub fn new(quota: Option<u64>) -> Self {
        Self {
            quota,
            folders: Mutex::default(),
        }
    }

    fn folder(&self, scope: &str) -> Arc<Folder> {
        let mut folders = held(&self.folders);
        match folders.get(scope) {
            Some(folder) => folder.clone(),
            None => folders.entry(scope.to_owned()).or_default().clone(),
        }
    }

    /// Promises `bytes` of a folder. With it `replaced` bytes will go. May walk through the folder.
    ///
    /// # Errors
    ///
    /// That the folder would hold too much.
    pub fn reserve(
        self: &Arc<Self>,
        root: &Root,
        scope: &str,
        bytes: u64,
        replaced: u64,
    ) -> Result<Reservation, Full> {
        let folder = self.folder(scope);
        if let Some(quota) = self.quota {
            loop {
                let mut account = held(&folder.account);
                match account.judge(quota, bytes, replaced) {
                    Verdict::Fits => {
                        account.reserved += bytes;
                        break;
                    }
                    Verdict::Full => return Err(Full),
                    Verdict::CountFirst => {
                        let seen = account.last;
                        drop(account);
                        folder.count(root, scope, seen);
                    }
                }
            }
        }
        Ok(Reservation {
            ledger: self.clone(),
            folder,
            bytes,
            file: None,
            left: 0,
        })
    }

    /// Notes that bytes of a folder were freed.
    pub fn freed(&self, scope: &str, bytes: u64) {
        if self.quota.is_some() {
            held(&self.folder(scope).account).change(|counted| counted.saturating_sub(bytes));
        }
    }
}

enum Verdict {
    Fits,
    Full,
    CountFirst,
}

impl Account {
    fn judge(&self, quota: u64, bytes: u64, replaced: u64) -> Verdict {
        let Some((at, took)) = self.last else {
            return Verdict::CountFirst;
        };
        let used = self.counted.saturating_add(self.reserved);
        let fits = used.saturating_add(bytes).saturating_sub(replaced) <= quota;
        let (age, least) = (at.elapsed(), took * SHARE);
        match fits {
            true if age < GOOD_FOR.max(least) => Verdict::Fits,
            false if age < least => Verdict::Full,
            true | false => Verdict::CountFirst,
        }
    }

    fn change(&mut self, change: impl FnOnce(u64) -> u64) {
        self.counted = change(self.counted);
        self.changes += 1;
    }
}

impl Folder {
    /// Counts it, unless somebody else has since `seen`.
    fn count(&self, root: &Root, scope: &str, seen: Option<(Instant, Duration)>) {
        let _counting = held(&self.counting);
        let (changes, under_way) = {
            let account = held(&self.account);
            if account.last != seen {
                return;
            }
            (account.changes, account.under_way.clone())
        };
        let begun = Instant::now();
        let counts = |stat: &Stat| !under_way.contains(&(stat.st_dev, stat.st_ino));
        // A folder that is not there holds nothing.
        let walk = root.scope(scope).and_then(Walk::new);
        let size = walk.map_or(0, |walk| size_of_all(walk, counts));
        let took = begun.elapsed().max(Duration::from_micros(100));
        let mut account = held(&self.account);
        if account.changes == changes {
            account.counted = size;
        } else {
            // Whether the walk saw what came and went meanwhile cannot be known. The greater of both refuses rather too
            // much, until the next count.
            account.counted = account.counted.max(size);
        }
        account.last = Some((Instant::now(), took));
    }
}

/// Bytes of a folder that are promised to a request, until it has ended in whichever way.
#[derive(Debug)]
pub struct Reservation {
    ledger: Arc<Ledger>,
    folder: Arc<Folder>,
    bytes: u64,
    file: Option<(u64, u64)>,
    left: u64,
}

impl Reservation {
    /// Says which file is written with it, and how much of it lies there already: that was counted before.
    pub fn takes_over(&mut self, stat: &Stat, there: u64) {
        if self.ledger.quota.is_some() {
            self.file = Some((stat.st_dev, stat.st_ino));
            let mut account = held(&self.folder.account);
            account.under_way.insert((stat.st_dev, stat.st_ino));
            account.change(|counted| counted.saturating_sub(there));
        }
        self.left = there;
    }

    /// Says how much lies there now, and stays when the request is given up.
    pub fn leaves(&mut self, bytes: u64) {
        self.left = bytes;
    }

    /// Makes it larger.
    ///
    /// # Errors
    ///
    /// That the folder would hold too much.
    pub fn grow(&mut self, root: &Root, scope: &str, bytes: u64) -> Result<(), Full> {
        let mut more = self.ledger.reserve(root, scope, bytes, 0)?;
        // From here on it is this one's.
        self.bytes += std::mem::take(&mut more.bytes);
        Ok(())
    }

    /// Ends it: so much came, and so much went with it.
    pub fn settle(mut self, came: u64, went: u64) {
        if self.ledger.quota.is_some() {
            let mut account = held(&self.folder.account);
            account.change(|counted| counted.saturating_add(came).saturating_sub(went));
        }
        self.left = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.ledger.quota.is_none() {
            return;
        }
        let mut account = held(&self.folder.account);
        account.reserved = account.reserved.saturating_sub(self.bytes);
        if let Some(file) = self.file {
            account.under_way.remove(&file);
        }
        if self.left > 0 {
            let left = self.left;
            account.change(|counted| counted.saturating_add(left));
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_promised_what_is_there_and_what_comes_by_itself_count() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("alice");
        fs::create_dir_all(folder.join("deep")).unwrap();
        fs::write(folder.join("deep/x"), [0; 400]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap();
        let root = Root::new(directory.path());
        let ledger = Arc::new(Ledger::new(Some(1000)));
        let reserve = |bytes, replaced| ledger.reserve(&root, "alice", bytes, replaced);

        let first = reserve(500, 0).unwrap();
        assert_eq!(reserve(101, 0).err(), Some(Full));
        drop(reserve(100, 0).unwrap());
        drop(reserve(101, 1).unwrap());
        fs::write(folder.join("y"), [0; 500]).unwrap();
        first.settle(500, 0);
        assert_eq!(reserve(101, 0).err(), Some(Full));
        fs::write(folder.join("y"), [0; 450]).unwrap();
        ledger.freed("alice", 50);
        drop(reserve(150, 0).unwrap());
        assert_eq!(reserve(151, 0).err(), Some(Full));
        // What a program in the workspace removes is found before anything is refused, though not at any moment.
        fs::remove_file(folder.join("deep/x")).unwrap();
        while reserve(550, 0).is_err() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_file_under_way_counts_once() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("alice")).unwrap();
        let part = directory.path().join("alice/part");
        fs::write(&part, [0; 300]).unwrap();
        let root = Root::new(directory.path());
        let ledger = Arc::new(Ledger::new(Some(1000)));
        let mut upload = ledger.reserve(&root, "alice", 700, 0).unwrap();
        let stat = rustix::fs::stat(&part).unwrap();
        upload.takes_over(&stat, 300);
        fs::write(&part, [0; 600]).unwrap();
        held(&ledger.folder("alice").account).last = None;
        assert!(ledger.reserve(&root, "alice", 300, 0).is_ok());
        assert_eq!(ledger.reserve(&root, "alice", 301, 0).err(), Some(Full));
        upload.leaves(600);
        drop(upload);
        assert!(ledger.reserve(&root, "alice", 400, 0).is_ok());
        assert_eq!(ledger.reserve(&root, "alice", 401, 0).err(), Some(Full));
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let ledger = Arc::new(Ledger::new(None));
        let root = Root::new("/none");
        assert!(ledger.reserve(&root, "alice", u64::MAX, 0).is_ok());
    }
}
