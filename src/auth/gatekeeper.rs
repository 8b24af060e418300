//! Decides whether credentials are a user's, quickly for those who were here before.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderValue;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::basic::Credentials;
use super::cache::{Cache, Pass, Stamps};
use super::line::Lines;
use super::password::{self, Scheme, Verdict};
use super::stamped::{self, Stamp};
use super::store;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// The most users whose passwords are remembered; twice those that a platform is made for.
const CACHE_CAPACITY: usize = 1000;

/// The most requests that wait for a core to verify on; at 50 ms each, more would wait for longer than people do.
const QUEUE_MAX: usize = 100;

/// The most that a user's account file holds, in bytes.
const ACCOUNT_MAX: u64 = 16 * 1024;

/// What comes of credentials.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// They are an enabled user's.
    Pass(Arc<Pass>),
    /// They are nobody's.
    Wrong,
    /// Too many others wait to be verified.
    Busy,
    /// They are a user's whose account file cannot be read.
    Broken,
}

/// Where users' files lie.
#[derive(Debug, Clone)]
pub struct Directories {
    /// The htpasswd store.
    pub htpasswd: PathBuf,
    /// `<user>.json` for each enabled user.
    pub users: PathBuf,
}

impl Directories {
    fn account(&self, user: &UserName) -> PathBuf {
        self.users.join(format!("{user}.json"))
    }

    fn stamps(&self, user: &UserName) -> Option<Stamps> {
        Some(Stamps {
            entry: Stamp::of(&self.htpasswd.join(user.as_str()))?,
            account: Stamp::of(&self.account(user))?,
        })
    }
}

/// What a user's account file holds.
#[derive(Deserialize)]
struct Account {
    groups: Vec<String>,
}

/// Verifies credentials against users' files.
pub struct Gatekeeper {
    directories: Arc<Directories>,
    cache: Cache,
    lines: Lines,
    queue: Semaphore,
    cores: Arc<Semaphore>,
    complaints: Mutex<HashSet<String>>,
}

impl Gatekeeper {
    /// One that remembers nobody yet.
    pub fn new(directories: Directories) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            directories: Arc::new(directories),
            cache: Cache::new(CACHE_CAPACITY),
            lines: Lines::default(),
            queue: Semaphore::new(QUEUE_MAX),
            cores: Arc::new(Semaphore::new(cores)),
            complaints: Mutex::default(),
        }
    }

    /// Whose credentials these are. Whoever was verified before, and whose files have not changed since, is answered at
    /// once; others wait for one of as many threads as there are cores, first in a line of their own address.
    pub async fn ask(&self, credentials: Credentials, from: Option<IpAddr>) -> Answer {
        let Credentials { user, password } = credentials;
        let digest = self.cache.digest(&password);
        let known = || {
            let stamps = self.directories.stamps(&user)?;
            self.cache.get(&user, digest, stamps)
        };
        if let Some(pass) = known() {
            return Answer::Pass(pass);
        }
        let line = self.lines.of(from);
        let Some(_turn) = line.turn().await else {
            return Answer::Busy;
        };
        let Ok(_place) = self.queue.try_acquire() else {
            return Answer::Busy;
        };
        let Ok(core) = Arc::clone(&self.cores).acquire_owned().await else {
            return Answer::Busy;
        };
        // A page's requests come together: the first of them may have been verified while this one waited.
        if let Some(pass) = known() {
            return Answer::Pass(pass);
        }
        let (directories, name) = (Arc::clone(&self.directories), user.clone());
        let judged = tokio::task::spawn_blocking(move || {
            let judged = judge(&directories, &name, &password);
            drop(core);
            judged
        });
        match judged.await {
            Ok(Judgement::Right { stamps, pass }) => {
                let pass = Arc::new(pass);
                if stamps.entry.is_settled() && stamps.account.is_settled() {
                    self.cache.put(user, digest, stamps, Arc::clone(&pass));
                }
                Answer::Pass(pass)
            }
            Ok(Judgement::Wrong) => Answer::Wrong,
            Ok(Judgement::BadEntry(problem)) => {
                self.complain(problem);
                Answer::Wrong
            }
            Ok(Judgement::BadAccount(problem)) => {
                self.complain(problem);
                Answer::Broken
            }
            Err(error) => {
                self.complain(error.to_string());
                Answer::Broken
            }
        }
    }

    /// Says each thing once: anyone can make a damaged file be read as often as they like.
    fn complain(&self, problem: String) {
        let mut said = self
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !said.contains(&problem) {
            eprintln!("auth: {problem}");
            said.insert(problem);
        }
    }
}

enum Judgement {
    Right { stamps: Stamps, pass: Pass },
    Wrong,
    BadEntry(String),
    BadAccount(String),
}

/// Reads a user's files and compares the password. Whoever does not exist, is disabled or has an entry that is not ours to
/// verify takes as long as the others, so that the time does not tell who is a user.
fn judge(directories: &Directories, user: &UserName, password: &Secret) -> Judgement {
    let password = password.expose();
    let entry = store::load_stamped(&directories.htpasswd, user);
    // Enabled means that the file is there; what is in it matters to none but those who know the password.
    let enabled = Stamp::of(&directories.account(user)).is_some();
    let (entry, stamp) = match entry {
        Ok(Some(found)) if enabled => found,
        Ok(_) => {
            password::verify_nobody(password);
            return Judgement::Wrong;
        }
        Err(problem) => {
            password::verify_nobody(password);
            return Judgement::BadEntry(problem.to_string());
        }
    };
    let hash = entry.hash.expose();
    match password::verify(password, hash) {
        Verdict::Right => {}
        Verdict::Wrong | Verdict::Refused => {
            let ours = Scheme::Bcrypt {
                cost: password::COST,
            };
            if password::scheme(hash) != Some(ours) {
                password::verify_nobody(password);
            }
            return Judgement::Wrong;
        }
    }
    let path = directories.account(user);
    match (account(&path), HeaderValue::from_str(user.as_str())) {
        (Ok(Some((groups, account))), Ok(user)) => Judgement::Right {
            stamps: Stamps {
                entry: stamp,
                account,
            },
            pass: Pass { user, groups },
        },
        (Ok(None), _) => Judgement::Wrong,
        (Ok(Some(_)), Err(error)) => Judgement::BadAccount(format!("{user}: {error}")),
        (Err(reason), _) => Judgement::BadAccount(format!("{}: {reason}", path.display())),
    }
}

fn account(path: &Path) -> Result<Option<(HeaderValue, Stamp)>, String> {
    let Some((text, stamp)) = stamped::read(path, ACCOUNT_MAX).map_err(|e| e.to_string())? else {
        return Ok(None);
    };
    let Account { groups } = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    for group in &groups {
        let fine = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if group.is_empty() || !group.bytes().all(fine) {
            return Err(format!("{group:?} is not a group's name"));
        }
    }
    let header = HeaderValue::from_str(&groups.join(",")).map_err(|e| e.to_string())?;
    Ok(Some((header, stamp)))
}
