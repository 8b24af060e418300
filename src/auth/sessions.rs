//! Sessions: whoever has signed in shows a cookie that we have signed, and what it stands for ends with the password, the account, or
//! by signing out.
//!
//! The cookie is a JSON Web Token (HS256) that holds the user and a *mark*: a keyed digest of the user's password entry and of when the
//! user last signed out everywhere. So nothing is kept of a session, and every one of a user ends when either of them changes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::http::HeaderValue;
use axum::http::header::COOKIE;
use cookie::{Cookie, SameSite};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::account_file;
use super::asked::Asked;
use super::cache::Pass;
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

/// The most that the file of a user's last signing out holds, in bytes.
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
    mark: String,
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

/// What the cookie is called with and without TLS: browsers take a name that begins with `__Host-` over TLS and for this host alone.
pub fn cookie_names(platform: &str) -> [String; 2] {
    ["__Host-", ""].map(|guard| format!("{guard}dtaas-session-{platform}"))
}

/// Gives and reads the cookies of one platform.
pub struct Sessions {
    directories: Directories,
    /// A file for each user who has ever signed out everywhere.
    epochs: PathBuf,
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
        asked
            .headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(Cookie::split_parse)
            .filter_map(Result::ok)
            .filter(|cookie| cookie.name() == name)
            .take(2)
            .find_map(|cookie| self.read(cookie.value(), now))
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
        let standing = self.standing(&claims.sub)?;
        // It was signed by us, so how long the comparison takes tells nothing.
        (standing.mark == claims.mark).then(|| Session {
            pass: Arc::clone(&standing.pass),
            user: claims.sub,
            until: claims.exp.min(claims.born + LONGEST),
            born: claims.born,
            issued: claims.iat,
            mark: claims.mark,
        })
    }

    /// A cookie for a user who has just proved to be one; `None` where the user has no account.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn begin(
        &self,
        user: &UserName,
        asked: &Asked<'_>,
        now: u64,
    ) -> anyhow::Result<Option<HeaderValue>> {
        let Some(standing) = self.standing(user) else {
            return Ok(None);
        };
        self.cookie(user, &standing.mark, now, asked, now).map(Some)
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
    ///
    /// # Errors
    /// Never, as it is made of letters that headers may hold.
    pub fn forgotten(&self, asked: &Asked<'_>) -> anyhow::Result<HeaderValue> {
        let text = format!("{}; Max-Age=0", self.written(asked, String::new()));
        Ok(HeaderValue::from_str(&text)?)
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn end(&self, user: &UserName) -> anyhow::Result<()> {
        end(&self.epochs, user)
    }

    /// Ends when the user has signed out, has another password, or has no account any more.
    pub async fn over(self: Arc<Self>, user: UserName, standing: Arc<Standing>) {
        loop {
            tokio::time::sleep(GLANCE).await;
            match self.standing(&user) {
                Some(now) if now.mark == standing.mark => {}
                Some(_) | None => return,
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

    /// The user as the files say now; `None` for whoever has no account that can be used.
    pub fn standing(&self, user: &UserName) -> Option<Arc<Standing>> {
        let stamps = self.stamps(user)?;
        if let Some(known) = self.lock().get(user)
            && known.stamps == stamps
        {
            return Some(Arc::clone(known));
        }
        let standing = Arc::new(self.looked_up(user)?);
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
        Some(standing)
    }

    fn looked_up(&self, user: &UserName) -> Option<Standing> {
        let (entry, entry_stamp) = store::load_stamped(&self.directories.htpasswd, user).ok()??;
        let (account, account_stamp) =
            account_file::read(&self.directories.account(user)).ok()??;
        let path = self.epochs.join(user.as_str());
        let (epoch, epoch_stamp) = match stamped::read(&path, EPOCH_MAX).ok()? {
            Some((text, stamp)) => (text, Some(stamp)),
            None => (String::new(), None),
        };
        let hash = entry.hash.expose();
        let mark = self.key.derived(&format!("{user}\n{hash}\n{epoch}"));
        Some(Standing {
            stamps: Stamps {
                entry: entry_stamp,
                account: account_stamp,
                epoch: epoch_stamp,
            },
            mark: mark.expose()[..32].to_owned(),
            pass: Arc::new(Pass {
                user: HeaderValue::from_str(user.as_str()).ok()?,
                groups: account.groups,
            }),
            workspace: account.workspace,
        })
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
