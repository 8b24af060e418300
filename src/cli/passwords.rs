//! Passwords that come in on standard input, and credentials that go out, once.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::recipient::Recipient;
use crate::deployment::users::{check_password, generate_password};
use crate::error::Failure;
use crate::secrets::Secret;
use crate::spec::names::UserName;
use crate::ui;

/// From so many users on, their passwords' hashes take seconds.
const MANY: usize = 20;

/// Says why nothing is seen for a while, where that is so.
pub fn say_it_takes_a_while(users: usize) {
    if users > MANY {
        ui::say(format!(
            "Making the passwords of {users} users, which takes a while …"
        ));
    }
}

/// Where passwords come from, and where they go.
#[derive(Debug, Args)]
pub struct Passwords {
    /// Read passwords from standard input, one line for each user in their order, instead of making them.
    #[arg(long)]
    password_stdin: bool,
    /// Write new passwords to this file (mode 0600, one user:password a line) instead of showing them.
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    credentials_file: Option<PathBuf>,
}

impl Passwords {
    /// The passwords for these users, where they were given; checked.
    pub fn read(&self, users: &[UserName]) -> anyhow::Result<Vec<Option<Secret>>> {
        if !self.password_stdin {
            return Ok(users.iter().map(|_| None).collect());
        }
        let mut lines = std::io::stdin().lock().lines();
        users
            .iter()
            .map(|user| {
                let line = lines
                    .next()
                    .transpose()
                    .context("cannot read standard input")?
                    .ok_or_else(|| {
                        Failure::usage(format!("standard input has no line for {user}'s password"))
                            .hint(
                                "give one line for each user, in their order; nothing was changed",
                            )
                    })?;
                let password = Secret::new(line);
                check_password(&password).with_context(|| {
                    Failure::usage(format!("the password for {user} is refused"))
                        .hint("give another; nothing was changed")
                })?;
                Ok(Some(password))
            })
            .collect()
    }

    /// The password for one user: the one that was given, or a new one.
    pub fn read_one(&self, user: &UserName) -> anyhow::Result<Secret> {
        let given = self.read(std::slice::from_ref(user))?;
        Ok(given
            .into_iter()
            .flatten()
            .next()
            .unwrap_or_else(generate_password))
    }

    /// Opens where new passwords will go, before anything is changed. A file that an earlier run left, with passwords of `continued`
    /// users and nothing else in it, is carried on: those passwords are used, and lines are added.
    pub fn open(&self, continued: &BTreeSet<UserName>) -> anyhow::Result<Recipient> {
        match &self.credentials_file {
            Some(path) => Recipient::file(path, continued),
            None if self.password_stdin => Ok(Recipient::Nobody),
            None => Ok(Recipient::Screen { width: 0 }),
        }
    }
}
