//! What users share with people who have no account: a port of their workspace each, kept as one file a user, written by the website and
//! by the operator's `share`.

mod places;
pub(super) mod served;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{stamped, store};
use crate::error::Failure;
use crate::machine::files::Tree;
use crate::platform::desired::hex;
use crate::secrets::Secret;
use crate::spec::names::{ShareName, UserName};

/// The most that a user's file holds, in bytes.
const FILE_MAX: u64 = 64 * 1024;

/// The most that a user shares at a time.
const MOST: usize = 50;

/// How many letters a token has: 5.8 bits each.
const TOKEN_LENGTH: usize = 32;

/// The longest that something is shared, in days.
pub const DAYS_MAX: u32 = 366;

/// Ports at which the workspace's own tools answer, without asking for a password: whoever reaches one of them is the user
/// (ml-workspace: SSH, desktop, VS Code, the tools' front, Jupyter).
const OWN_PORTS: [u16; 7] = [22, 5901, 6901, 8054, 8080, 8090, 8091];

/// A port of a user's workspace that people without an account may reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// What it is called.
    pub name: ShareName,
    /// The workspace's port.
    pub port: u16,
    /// SHA-256 of the token that opens it, in lower-case hex; without one it is open to everybody.
    pub token: Option<String>,
    /// When it ends, in seconds since 1970.
    pub until: u64,
}

/// What is to be shared.
#[derive(Debug)]
pub struct Wanted {
    /// What to call it.
    pub name: ShareName,
    /// The workspace's port.
    pub port: u16,
    /// Whether it opens without a token.
    pub public: bool,
    /// For how many days.
    pub days: u32,
}

/// Why something is not shared.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// It cannot be: which rule it breaks.
    Unfit(String),
    /// There is one of that name.
    Taken,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit(rule) => f.write_str(rule),
            Self::Taken => f.write_str("there is one of that name already"),
        }
    }
}

impl std::error::Error for Refused {}

fn is_own(port: u16) -> bool {
    port == 0 || OWN_PORTS.contains(&port)
}

fn digest(token: &str) -> String {
    hex(&Sha256::digest(token))
}

impl Share {
    /// Whether it is open at this time, and leads to nothing that would give the workspace away, whoever wrote it down.
    pub fn is_open(&self, now: u64) -> bool {
        now < self.until && !is_own(self.port)
    }

    /// When it ends, as people and programs read it; `None` for what no calendar holds.
    pub fn ends(&self) -> Option<String> {
        let seconds = i64::try_from(self.until).ok()?;
        let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        time.format(&Rfc3339).ok()
    }

    /// Whether this is its token.
    pub fn takes(&self, token: &str) -> bool {
        self.token
            .as_ref()
            .is_some_and(|known| known.as_bytes().ct_eq(digest(token).as_bytes()).into())
    }

    /// Where it is, from the platform's base path on: `/alice/services/twin/`.
    pub fn path(&self, user: &UserName) -> String {
        format!("/{user}/services/{}/", self.name)
    }

    /// The address to give away, from the base path on; with the token it opens wherever it is pasted.
    pub fn link(&self, user: &UserName, token: Option<&Secret>) -> String {
        match token {
            Some(token) => format!("{}?token={}", self.path(user), token.expose()),
            None => self.path(user),
        }
    }
}

/// A user's file in a directory of them.
pub fn file_name(user: &UserName) -> PathBuf {
    format!("{user}.json").into()
}

/// What a user shares, in the order in which it was made; what has ended is left out.
///
/// # Errors
/// When the file cannot be read, or is damaged.
pub fn of(directory: &Path, user: &UserName, now: u64) -> anyhow::Result<Vec<Share>> {
    let mut shares = read(directory, user)?;
    shares.retain(|share| share.is_open(now));
    Ok(shares)
}

fn read(directory: &Path, user: &UserName) -> anyhow::Result<Vec<Share>> {
    let path = directory.join(file_name(user));
    let damaged = || {
        Failure::new(format!("{} cannot be read", path.display()))
            .hint("remove the file: then nothing of that user is shared")
    };
    match stamped::read(&path, FILE_MAX).with_context(damaged)? {
        Some((text, _)) => serde_json::from_str(&text).with_context(damaged),
        None => Ok(Vec::new()),
    }
}

/// Shares something more. Answers with the share, and its token where it has one, which is kept nowhere.
///
/// # Errors
/// [`Refused`] when it cannot be; otherwise when the file cannot be read or written.
pub fn add(
    directory: &Path,
    user: &UserName,
    wanted: Wanted,
    now: u64,
) -> anyhow::Result<(Share, Option<Secret>)> {
    let Wanted {
        name,
        port,
        public,
        days,
    } = wanted;
    if is_own(port) {
        let rule = format!(
            "port {port} cannot be shared: the workspace's own tools answer there, and they would be anybody's"
        );
        return Err(Refused::Unfit(rule).into());
    }
    if !(1..=DAYS_MAX).contains(&days) {
        let rule = format!("something is shared for 1 to {DAYS_MAX} days, not for {days}");
        return Err(Refused::Unfit(rule).into());
    }
    let token = (!public).then(|| Secret::generate(TOKEN_LENGTH));
    let share = Share {
        name,
        port,
        token: token.as_ref().map(|token| digest(token.expose())),
        until: now + u64::from(days) * 24 * 60 * 60,
    };
    change(directory, user, now, |shares| {
        if shares.iter().any(|other| other.name == share.name) {
            return Err(Refused::Taken.into());
        }
        if shares.len() >= MOST {
            let rule = format!("{MOST} are shared already: remove one first");
            return Err(Refused::Unfit(rule).into());
        }
        shares.push(share.clone());
        Ok(())
    })?;
    Ok((share, token))
}

/// Ends what a user shares under a name. Answers whether there was something.
///
/// # Errors
/// When the file cannot be read or written.
pub fn remove(
    directory: &Path,
    user: &UserName,
    name: &ShareName,
    now: u64,
) -> anyhow::Result<bool> {
    change(directory, user, now, |shares| {
        let before = shares.len();
        shares.retain(|share| share.name != *name);
        Ok(shares.len() < before)
    })
}

/// Changes a user's file, one at a time; what has ended goes by the way.
fn change<T>(
    directory: &Path,
    user: &UserName,
    now: u64,
    change: impl FnOnce(&mut Vec<Share>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let tree = Tree::open(directory)?;
    let _held = store::hold(directory)?;
    let mut shares = of(directory, user, now)?;
    let result = change(&mut shares)?;
    let name = file_name(user);
    match shares.is_empty() {
        true => {
            tree.remove(&name)?;
        }
        false => {
            let text = serde_json::to_string_pretty(&shares)? + "\n";
            tree.write(&name, store::MODE, text.as_bytes())?;
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn wanted(name: &str, port: u16, public: bool) -> Wanted {
        Wanted {
            name: name.parse().unwrap(),
            port,
            public,
            days: 7,
        }
    }

    #[test]
    fn what_is_shared_is_kept_without_its_token() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let alice: UserName = "alice".parse().unwrap();
        let (twin, token) = add(directory, &alice, wanted("twin", 5000, false), NOW).unwrap();
        let (open, none) = add(directory, &alice, wanted("open", 5001, true), NOW).unwrap();
        let token = token.unwrap();
        assert!(none.is_none());
        assert!(twin.takes(token.expose()) && !twin.takes("") && !open.takes(""));
        let link = twin.link(&alice, Some(&token));
        assert_eq!(
            link,
            format!("/alice/services/twin/?token={}", token.expose())
        );
        assert_eq!(open.link(&alice, None), "/alice/services/open/");
        let text = std::fs::read_to_string(directory.join("alice.json")).unwrap();
        assert!(!text.contains(token.expose()));

        assert_eq!(of(directory, &alice, NOW).unwrap(), [twin, open]);
        let week = 7 * 24 * 60 * 60;
        assert_eq!(of(directory, &alice, NOW + week).unwrap(), []);
        assert!(remove(directory, &alice, &"twin".parse().unwrap(), NOW).unwrap());
        assert!(!remove(directory, &alice, &"twin".parse().unwrap(), NOW).unwrap());
        assert!(remove(directory, &alice, &"open".parse().unwrap(), NOW).unwrap());
        assert!(!directory.join("alice.json").exists());
    }

    #[test]
    fn what_would_give_the_workspace_away_is_not_open_whoever_wrote_it() {
        let directory = tempfile::tempdir().unwrap();
        let text = r#"[{"name":"jupyter","port":8080,"token":null,"until":1900000000},{"name":"twin","port":5000,"token":null,"until":1900000000}]"#;
        std::fs::write(directory.path().join("alice.json"), text).unwrap();
        let shares = of(directory.path(), &"alice".parse().unwrap(), NOW).unwrap();
        assert_eq!(shares.len(), 1);
        assert_eq!(shares[0].ends().as_deref(), Some("2030-03-17T17:46:40Z"));
    }

    #[test]
    fn what_would_give_the_workspace_away_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let alice: UserName = "alice".parse().unwrap();
        let add = |wanted| {
            add(directory.path(), &alice, wanted, NOW)
                .map_err(|error| error.downcast::<Refused>().unwrap())
        };
        for port in OWN_PORTS.into_iter().chain([0]) {
            assert!(matches!(
                add(wanted("twin", port, false)),
                Err(Refused::Unfit(_))
            ));
        }
        for days in [0, DAYS_MAX + 1] {
            let wanted = Wanted {
                days,
                ..wanted("twin", 5000, false)
            };
            assert!(matches!(add(wanted), Err(Refused::Unfit(_))));
        }
        assert!(!directory.path().join("alice.json").exists());
        add(wanted("twin", 5000, false)).unwrap();
        assert_eq!(add(wanted("twin", 5001, true)).unwrap_err(), Refused::Taken);
    }
}
