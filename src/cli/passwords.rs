//! Passwords that come in on standard input, and credentials that go out, once.

use std::io::{BufRead, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::deployment::users::check_password;
use crate::error::Failure;
use crate::secrets::Secret;
use crate::spec::names::UserName;
use crate::ui;
use crate::ui::table::table;

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
            if let Some(file) = self.credentials_file.as_ref().filter(|file| file.exists()) {
                return Err(Failure::usage(format!(
                    "--credentials-file: {} exists already",
                    file.display()
                ))
                .hint("name a file that does not exist; nothing was changed")
                .into());
            }
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

    /// Hands out passwords that nobody has seen yet.
    pub fn hand_out(&self, credentials: &[(UserName, Secret)]) -> anyhow::Result<()> {
        if self.password_stdin || credentials.is_empty() {
            return Ok(());
        }
        match &self.credentials_file {
            Some(file) => {
                write(file, credentials).with_context(|| {
                    format!(
                        "cannot write {}; set passwords anew with `dtaas user passwd`",
                        file.display()
                    )
                })?;
                let what = match credentials.len() {
                    1 => "password is",
                    _ => "passwords are",
                };
                ui::say(format!("The {what} in {}.", file.display()));
            }
            None => {
                let rows: Vec<[String; 2]> = credentials
                    .iter()
                    .map(|(user, password)| [user.to_string(), password.expose().to_owned()])
                    .collect();
                ui::data(table(["USER", "PASSWORD"], &rows));
                ui::say(match credentials.len() {
                    1 => "This password is shown this once.",
                    _ => "These passwords are shown this once.",
                });
            }
        }
        Ok(())
    }
}

fn write(file: &Path, credentials: &[(UserName, Secret)]) -> std::io::Result<()> {
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    for (user, password) in credentials {
        writeln!(out, "{user}:{}", password.expose())?;
    }
    out.sync_all()
}
