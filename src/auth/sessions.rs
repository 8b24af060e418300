//! Sessions: whoever has signed in shows a cookie that we have signed, and what it stands for ends with the password, the account, or
//! by signing out.
//!
//! The cookie is a JSON Web Token (HS256) that holds the user and a *mark*: a keyed digest of the user's password entry and of a random word
//! that stands in a file of the user's, the *epoch*. So nothing is kept of a session, and every one of a user ends when either of them
//! changes. The first signing in makes the word, signing out makes another; where there is none no cookie counts, so whoever shuts a user
//! out takes the file away, and no cookie of before counts again.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::http::HeaderValue;
use cookie::{Cookie, SameSite};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::account_file;
use super::asked::Asked;
use super::cache::Pass;
use super::complaints::Complaints;
use super::cookies;
use super::gatekeeper::Directories;
use super::stamped::{self, Stamp};
use super::store;
use crate::machine::files::Tree;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// Seconds after which a session ends that nobody uses.
pub const IDLE: u64 = 24 * 60 * 60;

/// Seconds after which one is renewed that is used.
const RENEWAL: u64 = 60 * 60;

/// Seconds after which one ends in any case.
const LONGEST: u64 = 7 * 24 * 60 * 60;

/// Longer cookies are not looked at; ours need a third of it.
const COOKIE_MAX: usize = 1024;

/// The most that the file of a user's epoch holds, in bytes.
const EPOCH_MAX: u64 = 64;

/// How often an open connection's session is looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// The most users who are remembered; twice those that a platform is made for.
const CAPACITY: usize = 1000;

/// What a cookie says. Times are seconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: UserName,
    /// When the user signed in.
    born: u64,
    iat: u64,
    exp: u64,
    mark: String,
}

/// A session that counts.
#[derive(Debug, Clone)]
pub struct Session {
    /// Whose it is.
    pub user: UserName,
    /// What the user is called by behind the gateway.
    pub pass: Arc<Pass>,
    /// When it ends, in seconds since 1970, if nobody uses it until then.
    pub until: u64,
    born: u64,
    issued: u64,
    mark: String,
}

/// A user as the files say now.
#[derive(Debug)]
pub struct Standing {
    stamps: Stamps,
    /// A keyed digest of the password entry.
    entry: String,
    /// What a cookie has to hold; `None` where the user has no session.
    mark: Option<String>,
    /// What the user is called by behind the gateway.
    pub pass: Arc<Pass>,
    /// Where the user's workspace answers.
    pub workspace: Option<SocketAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamps {
    entry: Stamp,
    account: Stamp,
    epoch: Option<Stamp>,
}

/// One of a user's files cannot be read; the operator was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the account cannot be read")]
pub struct Unreadable;

impl Standing {
    /// Whether what was open before may stay so: nothing has ended since. The first signing in of a user ends nothing.
    fn goes_on_from(&self, before: &Self) -> bool {
        self.entry == before.entry && (before.mark.is_none() || self.mark == before.mark)
    }
}

/// What the cookie is called with and without TLS: browsers take a name that begins with `__Host-` over TLS and for this host alone.
pub fn cookie_names(platform: &str) -> [String; 2] {
    ["__Host-", ""].map(|guard| format!("{guard}dtaas-session-{platform}"))
}

/// Gives and reads the cookies of one platform.
pub struct Sessions {
    directories: Directories,
    /// A file for each user who has signed in since the account was opened.
    epochs: PathBuf,
    pub(super) complaints: Arc<Complaints>,
    key: Secret,
    signing: EncodingKey,
    reading: DecodingKey,
    /// The cookie's name with and without TLS.
    names: [String; 2],
    standings: Mutex<HashMap<UserName, Arc<Standing>>>,
}

impl Sessions {
    /// Those of a platform: its name stands in the cookie's, for cookies do not know ports, and several platforms may share a host.
    pub fn new(directories: Directories, epochs: PathBuf, key: Secret, platform: &str) -> Self {
        let signing = key.derived("session");
        let bytes = signing.expose().as_bytes();
        Self {
            directories,
            epochs,
            complaints: Arc::default(),
            signing: EncodingKey::from_secret(bytes),
            reading: DecodingKey::from_secret(bytes),
            key: key.derived("mark"),
            names: cookie_names(platform),
            standings: Mutex::default(),
        }
    }

    /// What a browser may keep the cookie under for a request like this one: the name that browsers guard, where there is TLS.
    fn name(&self, asked: &Asked<'_>) -> &str {
        let [guarded, plain] = &self.names;
        if asked.secure { guarded } else { plain }
    }

    /// The session that a request shows; `None` where it shows none that counts.
    pub fn shown(&self, asked: &Asked<'_>, now: u64) -> Option<Session> {
        let name = self.name(asked);
        cookies::named(asked.headers, name)
            .take(2)
            .find_map(|value| self.read(std::str::from_utf8(value).ok()?, now))
    }

    fn read(&self, token: &str, now: u64) -> Option<Session> {
        if token.len() > COOKIE_MAX {
            return None;
        }
        let mut wanted = Validation::new(Algorithm::HS256);
        // Ours to compare, with the time of the one who asks.
        wanted.validate_exp = false;
        wanted.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Claims>(token, &self.reading, &wanted);
        let claims = claims.ok()?.claims;
        if claims.exp <= now || claims.born.saturating_add(LONGEST) <= now {
            return None;
        }
        let standing = self.standing(&claims.sub).ok()??;
        // It was signed by us, so how long the comparison takes tells nothing.
        (standing.mark.as_ref() == Some(&claims.mark)).then(|| Session {
            pass: Arc::clone(&standing.pass),
            user: claims.sub,
            until: claims.exp.min(claims.born + LONGEST),
            born: claims.born,
            issued: claims.iat,
            mark: claims.mark,
        })
    }

    /// Lets a user have sessions, who may have had none yet. Writes to disk.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn open(&self, user: &UserName) -> anyhow::Result<()> {
        match Stamp::of(&self.epochs.join(user.as_str())) {
            Some(_) => Ok(()),
            None => end(&self.epochs, user),
        }
    }

    /// A cookie for a user who has just proved to be one, and may have sessions ([`Self::open`]); `None` where the user has no account.
    ///
    /// # Errors
    /// When the user's files cannot be read, or it cannot be signed.
    pub fn begin(
        &self,
        user: &UserName,
        asked: &Asked<'_>,
        now: u64,
    ) -> anyhow::Result<Option<HeaderValue>> {
        let standing = self.standing(user)?;
        match standing
            .as_ref()
            .and_then(|standing| standing.mark.as_ref())
        {
            Some(mark) => self.cookie(user, mark, now, asked, now).map(Some),
            None => Ok(None),
        }
    }

    /// A cookie in place of one that has been in use for a while.
    pub fn renewed(&self, session: &Session, asked: &Asked<'_>, now: u64) -> Option<HeaderValue> {
        if session.issued.saturating_add(RENEWAL) > now {
            return None;
        }
        let Session {
            user, mark, born, ..
        } = session;
        self.cookie(user, mark, *born, asked, now).ok()
    }

    fn cookie(
        &self,
        user: &UserName,
        mark: &str,
        born: u64,
        asked: &Asked<'_>,
        now: u64,
    ) -> anyhow::Result<HeaderValue> {
        let claims = Claims {
            sub: user.clone(),
            born,
            iat: now,
            exp: now.saturating_add(IDLE),
            mark: mark.to_owned(),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)?;
        Ok(HeaderValue::from_str(&self.written(asked, token))?)
    }

    fn written(&self, asked: &Asked<'_>, value: String) -> String {
        Cookie::build((self.name(asked), value))
            .path("/")
            .http_only(true)
            .secure(asked.secure)
            .same_site(SameSite::Lax)
            .build()
            .to_string()
    }

    /// What has a browser forget the cookie.
    pub fn forgotten(&self, asked: &Asked<'_>) -> Option<HeaderValue> {
        let text = format!("{}; Max-Age=0", self.written(asked, String::new()));
        HeaderValue::from_str(&text).ok()
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn end(&self, user: &UserName) -> anyhow::Result<()> {
        end(&self.epochs, user)
    }

    /// Ends when the user has signed out, has another password, or has no account any more. While the files cannot be read, what they said
    /// last counts: a process that is out of descriptors cuts nobody off.
    pub async fn over(self: Arc<Self>, user: UserName, mut standing: Arc<Standing>) {
        loop {
            tokio::time::sleep(GLANCE).await;
            match self.standing(&user) {
                Ok(Some(now)) if now.goes_on_from(&standing) => standing = now,
                Ok(Some(_) | None) => return,
                Err(_) => {}
            }
        }
    }

    fn stamps(&self, user: &UserName) -> Option<Stamps> {
        Some(Stamps {
            entry: Stamp::of(&self.directories.htpasswd.join(user.as_str()))?,
            account: Stamp::of(&self.directories.account(user))?,
            epoch: Stamp::of(&self.epochs.join(user.as_str())),
        })
    }

    /// The user as the files say now; `None` for whoever has no account.
    ///
    /// # Errors
    /// When one of the files cannot be read, or is damaged, which the operator is told once.
    pub fn standing(&self, user: &UserName) -> Result<Option<Arc<Standing>>, Unreadable> {
        let Some(stamps) = self.stamps(user) else {
            return Ok(None);
        };
        if let Some(known) = self.lock().get(user)
            && known.stamps == stamps
        {
            return Ok(Some(Arc::clone(known)));
        }
        let standing = match self.looked_up(user) {
            Ok(Some(standing)) => Arc::new(standing),
            Ok(None) => return Ok(None),
            Err(problem) => {
                self.complaints.say(problem);
                return Err(Unreadable);
            }
        };
        let settled = |stamp: &Stamp| stamp.is_settled();
        let Stamps {
            entry,
            account,
            epoch,
        } = &standing.stamps;
        if settled(entry) && settled(account) && epoch.as_ref().is_none_or(settled) {
            let mut standings = self.lock();
            if standings.len() >= CAPACITY && !standings.contains_key(user) {
                let one = standings.keys().next().cloned();
                one.and_then(|one| standings.remove(&one));
            }
            standings.insert(user.clone(), Arc::clone(&standing));
        }
        Ok(Some(standing))
    }

    fn looked_up(&self, user: &UserName) -> Result<Option<Standing>, String> {
        let entry = store::load_stamped(&self.directories.htpasswd, user);
        let path = self.directories.account(user);
        let account =
            account_file::read(&path).map_err(|reason| format!("{}: {reason}", path.display()))?;
        let (Some((entry, entry_stamp)), Some((account, account_stamp))) =
            (entry.map_err(|problem| problem.to_string())?, account)
        else {
            return Ok(None);
        };
        let path = self.epochs.join(user.as_str());
        let (epoch, epoch_stamp) = stamped::read(&path, EPOCH_MAX)
            .map_err(|reason| format!("{}: {reason}", path.display()))?
            .unzip();
        let hash = entry.hash.expose();
        let digest = |text: &str| self.key.derived(text).expose()[..32].to_owned();
        let pass = Pass {
            user: HeaderValue::from_str(user.as_str())
                .map_err(|error| format!("{user}: {error}"))?,
            groups: account.groups,
        };
        Ok(Some(Standing {
            stamps: Stamps {
                entry: entry_stamp,
                account: account_stamp,
                epoch: epoch_stamp,
            },
            entry: digest(&format!("{user}\n{hash}")),
            mark: epoch.map(|epoch| digest(&format!("{user}\n{hash}\n{epoch}"))),
            pass: Arc::new(pass),
            workspace: account.workspace,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserName, Arc<Standing>>> {
        self.standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends all sessions of a user, by a word in the directory that was never there before.
///
/// # Errors
/// When it cannot be written.
pub fn end(epochs: &Path, user: &UserName) -> anyhow::Result<()> {
    let word = format!("{}\n", Secret::generate(20).expose());
    Tree::open(epochs)
        .and_then(|tree| tree.write(Path::new(user.as_str()), store::MODE, word.as_bytes()))
        .with_context(|| format!("the sessions of {user} cannot be ended"))?;
    Ok(())
}

#[cfg(test)]
mod tests;
