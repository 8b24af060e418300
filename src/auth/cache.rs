//! Credentials that were verified, so that a page of a hundred requests costs one bcrypt and not a hundred.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderValue;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use sha2::Sha256;

use super::stamped::Stamp;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// What a user who passes is called by, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Pass {
    /// The name.
    pub user: HeaderValue,
    /// The groups, with commas between.
    pub groups: HeaderValue,
}

/// The states of both of a user's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamps {
    /// Of the htpasswd entry.
    pub entry: Stamp,
    /// Of what says that the user is enabled, and the groups.
    pub account: Stamp,
}

/// A password under a key that only this process has, and that ends with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

struct Verified {
    stamps: Stamps,
    password: Digest,
    pass: Arc<Pass>,
}

/// One right password a user at most, which holds as long as neither of the user's files changes.
pub struct Cache {
    key: Hmac<Sha256>,
    capacity: usize,
    verified: Mutex<HashMap<UserName, Verified>>,
}

impl Cache {
    /// An empty cache for at most so many users.
    pub fn new(capacity: usize) -> Self {
        let mut key = [0; 64];
        rand::rng().fill(&mut key);
        Self {
            key: Hmac::new(&key.into()),
            capacity,
            verified: Mutex::default(),
        }
    }

    /// What a password is known by here.
    pub fn digest(&self, password: &Secret) -> Digest {
        let mut mac = self.key.clone();
        mac.update(password.expose().as_bytes());
        Digest(mac.finalize().into_bytes().into())
    }

    /// The user's pass, if this password was right in just this state of the files.
    pub fn get(&self, user: &UserName, password: Digest, stamps: Stamps) -> Option<Arc<Pass>> {
        let verified = self.lock();
        let known = verified.get(user)?;
        // How long a comparison of keyed digests takes says nothing to one who lacks the key.
        (known.stamps == stamps && known.password == password).then(|| Arc::clone(&known.pass))
    }

    /// Remembers a right password. Where all places are taken, another user's goes, who will be verified again.
    pub fn put(&self, user: UserName, password: Digest, stamps: Stamps, pass: Arc<Pass>) {
        let mut verified = self.lock();
        if verified.len() >= self.capacity && !verified.contains_key(&user) {
            let one = verified.keys().next().cloned();
            one.and_then(|one| verified.remove(&one));
        }
        verified.insert(
            user,
            Verified {
                stamps,
                password,
                pass,
            },
        );
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserName, Verified>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn stamps() -> Stamps {
        let file = tempfile::NamedTempFile::new().unwrap();
        let stamp = Stamp::of(file.path()).unwrap();
        fs::write(file.path(), "more").unwrap();
        Stamps {
            entry: stamp,
            account: Stamp::of(file.path()).unwrap(),
        }
    }

    fn pass(user: &'static str) -> Arc<Pass> {
        Arc::new(Pass {
            user: HeaderValue::from_static(user),
            groups: HeaderValue::from_static(""),
        })
    }

    #[test]
    fn a_password_holds_for_its_user_and_state_alone() {
        let cache = Cache::new(10);
        let (alice, bob): (UserName, UserName) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let (right, wrong) = (Secret::new("hunter2"), Secret::new("hunter3"));
        let now = stamps();
        let later = Stamps {
            entry: now.account,
            ..now
        };
        cache.put(alice.clone(), cache.digest(&right), now, pass("alice"));

        assert_eq!(
            cache.get(&alice, cache.digest(&right), now),
            Some(pass("alice"))
        );
        assert_eq!(cache.get(&alice, cache.digest(&wrong), now), None);
        assert_eq!(cache.get(&bob, cache.digest(&right), now), None);
        assert_eq!(cache.get(&alice, cache.digest(&right), later), None);
    }

    #[test]
    fn it_does_not_outgrow_its_capacity() {
        let cache = Cache::new(2);
        let now = stamps();
        for user in ["alice", "bob", "carol", "carol"] {
            let digest = cache.digest(&Secret::new(user));
            cache.put(user.parse().unwrap(), digest, now, pass(user));
        }
        assert_eq!(cache.lock().len(), 2);
        let digest = cache.digest(&Secret::new("carol"));
        assert_eq!(
            cache.get(&"carol".parse().unwrap(), digest, now),
            Some(pass("carol"))
        );
    }
}
