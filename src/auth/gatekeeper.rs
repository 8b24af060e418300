//! Decides whether credentials are a user's, quickly for those who were here before.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::HeaderValue;
use tokio::sync::Semaphore;

use super::account_file;
use super::attempts::{Attempt, Attempts};
use super::basic::Credentials;
use super::cache::{Cache, Pass, Stamps};
use super::complaints::Complaints;
use super::line::Lines;
use super::password::{self, Scheme, Verdict};
use super::stamped::Stamp;
use super::store;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// The most users whose passwords are remembered; twice those that a platform is made for.
const CACHE_CAPACITY: usize = 1000;

/// The most requests that wait for a core to verify on; at 50 ms each, more would wait for longer than people do.
const QUEUE_MAX: usize = 100;

/// What comes of credentials.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// They are an enabled user's.
    Pass(Arc<Pass>),
    /// They are nobody's.
    Wrong,
    /// There were too many wrong ones for this user from there; not before so long from now.
    Slow(Duration),
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
    pub(super) fn account(&self, user: &UserName) -> PathBuf {
        self.users.join(format!("{user}.json"))
    }

    fn stamps(&self, user: &UserName) -> Option<Stamps> {
        Some(Stamps {
            entry: Stamp::of(&self.htpasswd.join(user.as_str()))?,
            account: Stamp::of(&self.account(user))?,
        })
    }
}

/// Verifies credentials against users' files.
pub struct Gatekeeper {
    directories: Arc<Directories>,
    cache: Cache,
    lines: Lines,
    attempts: Attempts,
    queue: Semaphore,
    cores: Arc<Semaphore>,
    complaints: Arc<Complaints>,
}

impl Gatekeeper {
    /// One that remembers nobody yet.
    pub fn new(directories: Directories, complaints: Arc<Complaints>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            directories: Arc::new(directories),
            cache: Cache::new(CACHE_CAPACITY),
            lines: Lines::default(),
            attempts: Attempts::default(),
            queue: Semaphore::new(QUEUE_MAX),
            cores: Arc::new(Semaphore::new(cores)),
            complaints,
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
        // Before anything is compared, also with what is remembered: else the answer would tell a right guess.
        if let Some(wait) = self.attempts.wait(&user, from, digest, Instant::now()) {
            return Answer::Slow(wait);
        }
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
        // A page's requests come together: the first of them may have been verified while this one waited, or found wrong.
        if let Some(pass) = known() {
            return Answer::Pass(pass);
        }
        let attempt = match self.attempts.begin(&user, from, digest, Instant::now()) {
            Ok(attempt) => attempt,
            Err(wait) => return Answer::Slow(wait),
        };
        let (directories, name) = (Arc::clone(&self.directories), user.clone());
        let judged = tokio::task::spawn_blocking(move || {
            let judged = judge(&directories, &name, &password);
            drop(core);
            judged
        });
        match judged.await {
            Ok(Judgement::Right { stamps, pass }) => {
                attempt.right();
                let pass = Arc::new(pass);
                if stamps.entry.is_settled() && stamps.account.is_settled() {
                    self.cache.put(user, digest, stamps, Arc::clone(&pass));
                }
                Answer::Pass(pass)
            }
            Ok(Judgement::Wrong) => {
                self.note_failure(&user, from, attempt);
                Answer::Wrong
            }
            Ok(Judgement::BadEntry(problem)) => {
                self.complaints.say(problem);
                self.note_failure(&user, from, attempt);
                Answer::Wrong
            }
            Ok(Judgement::BadAccount(problem)) => {
                attempt.take_back();
                self.complaints.say(problem);
                Answer::Broken
            }
            Err(error) => {
                attempt.take_back();
                self.complaints.say(error.to_string());
                Answer::Broken
            }
        }
    }

    /// Tells of a wrong password, once each. A name that is nobody's is not repeated: people type passwords where names belong.
    fn note_failure(&self, user: &UserName, from: Option<IpAddr>, attempt: Attempt<'_>) {
        let Some(in_a_row) = attempt.wrong() else {
            return;
        };
        let whose = match self.directories.stamps(user) {
            Some(_) => user.as_str(),
            None => "a name that is no user's",
        };
        let from = from.map_or_else(|| "somewhere".to_owned(), |from| from.to_string());
        eprintln!("auth: wrong password for {whose} from {from}, {in_a_row} in a row");
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
    // Enabled means that the file is there; what is in it is read once the password has proved right.
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
    match (
        account_file::read(&path),
        HeaderValue::from_str(user.as_str()),
    ) {
        (Ok(Some((known, account))), Ok(user)) => Judgement::Right {
            stamps: Stamps {
                entry: stamp,
                account,
            },
            pass: Pass {
                user,
                groups: known.groups,
            },
        },
        (Ok(None), _) => Judgement::Wrong,
        (Ok(Some(_)), Err(error)) => Judgement::BadAccount(format!("{user}: {error}")),
        (Err(reason), _) => Judgement::BadAccount(format!("{}: {reason}", path.display())),
    }
}
