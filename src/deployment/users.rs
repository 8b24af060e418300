//! Users come and go: their file in `users/`, their htpasswd entry, their folder of the library.

mod csv;
pub mod roll;
pub mod settings;

use std::path::{Path, PathBuf};

use anyhow::Context;
use time::OffsetDateTime;
use time::macros::format_description;

use super::{Deployment, private};
use crate::auth::{password, store};
use crate::error::Failure;
use crate::machine::files::Tree;
use crate::platform::desired::{Aside, Directory};
use crate::secrets::Secret;
use crate::spec::load;
use crate::spec::model::{Group, User};
use crate::spec::names::UserName;
use settings::Settings;

/// How many letters a generated password has: 16 of 57 are 93 bits.
const PASSWORD_LENGTH: usize = 16;
/// The fewest letters that a password given to us may have.
const PASSWORD_MIN: usize = 8;

/// Where the folders of users lie who were removed, relative to the library.
const ASIDE: &str = ".removed";

/// A new password that nobody knows yet.
pub fn generate_password() -> Secret {
    Secret::generate(PASSWORD_LENGTH)
}

/// Whether a password that somebody chose may be one.
pub fn check_password(password: &Secret) -> anyhow::Result<()> {
    let text = password.expose();
    if text.chars().count() < PASSWORD_MIN {
        return Err(Failure::usage(format!("it has fewer than {PASSWORD_MIN} characters")).into());
    }
    if text.len() > password::LENGTH_MAX {
        let rule = format!("it has more than {} bytes", password::LENGTH_MAX);
        return Err(Failure::usage(rule).into());
    }
    if text.chars().any(char::is_control) {
        return Err(Failure::usage("it holds a control character").into());
    }
    Ok(())
}

/// Who is to become a user.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// The name.
    pub name: UserName,
    /// Groups.
    pub groups: Vec<Group>,
    /// The password, where one was given; checked.
    pub given: Option<Secret>,
    /// What is otherwise than the others'.
    pub settings: Settings,
}

/// Hashes of passwords, in their order, made side by side: one takes a good part of a tenth of a second, on purpose.
pub fn hashes(passwords: &[&Secret]) -> anyhow::Result<Vec<String>> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let share = passwords.len().div_ceil(workers).max(1);
    let hash = |secret: &&Secret| password::hash(secret);
    std::thread::scope(|scope| {
        let threads: Vec<_> = passwords
            .chunks(share)
            .map(|chunk| scope.spawn(move || chunk.iter().map(hash).collect::<Vec<_>>()))
            .collect();
        let mut all = Vec::with_capacity(passwords.len());
        for thread in threads {
            match thread.join() {
                Ok(hashes) => all.extend(hashes),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all.into_iter().collect()
    })
}

/// The text of a new user's file.
pub fn user_text(
    templates: &crate::render::Templates,
    slot: u32,
    groups: &[Group],
) -> anyhow::Result<String> {
    let context = serde_json::json!({ "slot": slot, "groups": groups });
    templates
        .render("user.yaml", &context)
        .map_err(|error| Failure::from(error).into())
}

impl Deployment {
    /// Fails when there is no such user; the nearest name is the hint.
    pub fn require_user(&self, name: &UserName) -> anyhow::Result<&User> {
        self.spec.users.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.spec.users.keys().map(UserName::as_str).collect();
            Failure::usage(format!("there is no user {name}"))
                .hint(match known.is_empty() {
                    true => "make one with `dtaas user add`".to_owned(),
                    false => crate::spec::document::nearest(name.as_str(), &known),
                })
                .into()
        })
    }

    /// Fails when there is such a user already.
    pub fn require_free(&self, name: &UserName) -> anyhow::Result<()> {
        if self.spec.custom.contains_key(name.as_str()) {
            return Err(Failure::usage(format!(
                "services.custom in {} has a service {name}, and both would be at /{name}",
                load::FILE
            ))
            .hint("give one of them another name")
            .into());
        }
        match self.spec.users.contains_key(name) {
            false => Ok(()),
            true => Err(Failure::usage(format!("there is a user {name} already"))
                .hint(format!("a new password: `dtaas user passwd {name}`"))
                .into()),
        }
    }

    /// Fails when the pool has not room for so many more users.
    pub fn require_room(&self, many: usize) -> anyhow::Result<()> {
        match self.spec.free_slots().take(many).count() == many {
            true => Ok(()),
            false => Err(self.full().into()),
        }
    }

    fn full(&self) -> Failure {
        Failure::new(format!(
            "network.pool {} is full: it has room for {}",
            self.spec.pool,
            self.spec.slots()
        ))
        .hint("remove users, or make network.pool in dtaas.yaml larger")
    }

    /// Fails when a new user cannot have these settings.
    pub fn require_settings(&self, settings: &Settings) -> anyhow::Result<()> {
        let text = user_text(&self.templates, 0, &[])?;
        settings.apply(load::USERS, &text).map(|_| ())
    }

    /// Makes a user: the htpasswd entry first, then the file in `users/`, whose appearance is the moment the user exists. Killed
    /// between, it leaves an entry that opens nothing, and that the next user of that name replaces. `before` is done last before
    /// that moment.
    pub fn add_user(
        &mut self,
        newcomer: &Newcomer,
        hash: &str,
        before: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Newcomer { name, groups, .. } = newcomer;
        self.require_free(name)?;
        let slot = self.spec.free_slot().ok_or_else(|| self.full())?;
        let text = user_text(&self.templates, slot, groups)?;
        let file = user_path(name).display().to_string();
        let (text, user) = newcomer.settings.apply(&file, &text)?;
        self.write_entry(name, hash)?;
        before()?;
        self.write_user(name, &text)?;
        self.spec.users.insert(name.clone(), user);
        Ok(())
    }

    /// Sets a user's password.
    pub fn set_password(&self, name: &UserName, secret: &Secret) -> anyhow::Result<()> {
        self.require_user(name)?;
        self.write_entry(name, &password::hash(secret)?)
    }

    /// Begins to take a user away: without an htpasswd entry the door closes at once. What the machine should have of the user is
    /// nothing from here on; the file in `users/` goes last ([`Self::forget_user`]), so that a run that is killed can be repeated.
    pub fn close_door(&mut self, name: &UserName) -> anyhow::Result<()> {
        self.require_user(name)?;
        self.forget_entries();
        self.tree.remove(&entry_path(name))?;
        self.spec.users.remove(name);
        Ok(())
    }

    /// Ends taking a user away, when nothing of the user runs any more: sets the folder aside, so that nobody who gets the name later
    /// inherits it, and removes the file in `users/`. Answers where the folder is now, relative to the library.
    pub fn forget_user(
        &self,
        name: &UserName,
        now: OffsetDateTime,
    ) -> anyhow::Result<Option<PathBuf>> {
        let aside = self.set_files_aside(name, now)?;
        self.tree.remove(&Self::account_file(name))?;
        self.tree.remove(&Self::token_file(name))?;
        self.tree.remove(&user_path(name))?;
        Ok(aside)
    }

    /// Whether there are files in the folder that a user of this name would have.
    pub fn has_files(&self, name: &UserName) -> bool {
        let mut open = vec![self.library_root().join(name.as_str())];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => open.push(entry.path()),
                    Ok(_) | Err(_) => return true,
                }
            }
        }
        false
    }

    /// Sets a folder aside in the library's `.removed`; answers where it is now, relative to the library.
    pub fn set_files_aside(
        &self,
        name: &UserName,
        now: OffsetDateTime,
    ) -> anyhow::Result<Option<PathBuf>> {
        let root = self.library_root();
        if !root.exists() {
            return Ok(None);
        }
        let library = Tree::open(&root)?;
        if library.stat(Path::new(name.as_str()))?.is_none() {
            return Ok(None);
        }
        library.make_dir(&Directory {
            mode: 0o700,
            ..private(ASIDE)
        })?;
        let aside = aside(name, now)?;
        library.rename(Path::new(name.as_str()), &aside)?;
        Ok(Some(aside))
    }

    /// The same for a library on another machine, which may have such a folder.
    pub(super) fn aside(&self, name: &UserName, now: OffsetDateTime) -> anyhow::Result<Aside> {
        let root = &self.spec.library.root;
        Ok(Aside {
            from: root.join(name.as_str()),
            to: root.join(aside(name, now)?),
            user: name.clone(),
        })
    }

    pub(super) fn write_entry(&self, name: &UserName, hash: &str) -> anyhow::Result<()> {
        self.tree.make_dir(&private("auth"))?;
        let line = store::entry_line(name, hash);
        self.forget_entries();
        let _held = store::hold(&self.root().join("auth")).context("cannot lock auth")?;
        self.tree
            .write(&entry_path(name), store::MODE, line.expose().as_bytes())?;
        Ok(())
    }

    pub(super) fn remove_entry(&self, name: &UserName) -> anyhow::Result<()> {
        self.forget_entries();
        self.tree.remove(&entry_path(name))?;
        Ok(())
    }

    pub(super) fn write_user(&self, name: &UserName, text: &str) -> anyhow::Result<()> {
        self.tree.make_dir(&Directory {
            mode: 0o755,
            enforce: false,
            ..private(load::USERS)
        })?;
        self.tree.write(&user_path(name), 0o644, text.as_bytes())?;
        Ok(())
    }
}

/// Where a folder goes that is set aside, relative to the library.
fn aside(name: &UserName, now: OffsetDateTime) -> anyhow::Result<PathBuf> {
    let date = now.format(format_description!(
        "[year][month][day]T[hour][minute][second]Z"
    ))?;
    Ok(Path::new(ASIDE).join(format!("{name}-{date}")))
}

fn user_path(name: &UserName) -> PathBuf {
    Path::new(load::USERS).join(format!("{name}.yaml"))
}

fn entry_path(name: &UserName) -> PathBuf {
    Path::new("auth").join(name.as_str())
}

/// Groups as the command line gives them.
pub fn parse_group(text: &str) -> Result<Group, String> {
    serde_yaml::from_str(text)
        .map_err(|_| format!("there is no group {text:?}: write publishers or admins"))
}
