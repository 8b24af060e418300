//! Passwords that come in on standard input, and credentials that go out, once.

use std::fs::File;
use std::io::{BufRead, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::deployment::users::{check_password, generate_password};
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

    /// Opens where new passwords will go, before anything is changed.
    pub fn open(&self) -> anyhow::Result<Recipient> {
        let Some(path) = &self.credentials_file else {
            return Ok(match self.password_stdin {
                true => Recipient::Nobody,
                false => Recipient::Screen,
            });
        };
        let opened = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match opened {
            Ok(file) => Ok(Recipient::File {
                path: path.clone(),
                file,
                written: false,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Failure::usage(
                format!("--credentials-file: {} exists already", path.display()),
            )
            .hint("name a file that does not exist; nothing was changed")
            .into()),
            Err(error) => Err(error).with_context(|| {
                Failure::usage(format!(
                    "--credentials-file: cannot make {}",
                    path.display()
                ))
                .hint("name a file in a directory that is there; nothing was changed")
            }),
        }
    }
}

/// Where new passwords go. A file that was opened and not written is removed again.
pub enum Recipient {
    /// Whoever gave them knows them.
    Nobody,
    /// Standard output.
    Screen,
    /// A file that was made for them.
    File {
        /// Its path.
        path: PathBuf,
        /// Open for writing.
        file: File,
        /// Whether they are in it.
        written: bool,
    },
}

impl Recipient {
    /// Hands out passwords that nobody has seen yet.
    pub fn hand_out(&mut self, credentials: &[(UserName, Secret)]) -> anyhow::Result<()> {
        if credentials.is_empty() {
            return Ok(());
        }
        let lost = || {
            Failure::new("the users exist, and their new passwords could not be handed out")
                .hint("set others with `dtaas user passwd NAME`")
        };
        let (what, they) = match credentials.len() {
            1 => ("password is", "This password is"),
            _ => ("passwords are", "These passwords are"),
        };
        match self {
            Recipient::Nobody => {}
            Recipient::Screen => {
                let rows: Vec<[String; 2]> = credentials
                    .iter()
                    .map(|(user, password)| [user.to_string(), password.expose().to_owned()])
                    .collect();
                let mut out = std::io::stdout().lock();
                writeln!(out, "{}", table(["USER", "PASSWORD"], &rows))
                    .and_then(|()| out.flush())
                    .with_context(lost)?;
                ui::say(format!("{they} shown this once."));
            }
            Recipient::File {
                path,
                file,
                written,
            } => {
                let mut text = String::new();
                for (user, password) in credentials {
                    text.push_str(&format!("{user}:{}\n", password.expose()));
                }
                file.write_all(text.as_bytes())
                    .and_then(|()| file.sync_all())
                    .with_context(lost)?;
                *written = true;
                ui::say(format!("The {what} in {}.", path.display()));
            }
        }
        Ok(())
    }
}

impl Drop for Recipient {
    fn drop(&mut self) {
        if let Recipient::File {
            path,
            written: false,
            ..
        } = self
        {
            // It is empty; that it stays behind is the lesser evil.
            let _ = std::fs::remove_file(path);
        }
    }
}
