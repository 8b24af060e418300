//! `dtaas trial`: the platform in one process, for a first look.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;

use super::passwords::{Passwords, say_it_takes_a_while};
use super::recipient::Recipient;
use crate::deployment::users::{generate_password, hashes};
use crate::error::Failure;
use crate::secrets::Secret;
use crate::serve::{Ended, Stop};
use crate::spec::names::UserName;
use crate::trial::jupyter::Jupyter;
use crate::trial::users::{Member, of_directory, of_htpasswd, require_folders};
use crate::trial::{self, Place};
use crate::ui;

/// Shows website, library and workspaces on this machine alone, without docker; leaves nothing behind.
#[derive(Debug, clap::Args)]
pub struct Trial {
    /// A library to show as it is: a directory with a folder for each user [default: a small sample].
    #[arg(value_name = "DIR")]
    library: Option<PathBuf>,
    /// The same as DIR.
    #[arg(long = "library", value_name = "DIR", conflicts_with = "library")]
    library_too: Option<PathBuf>,
    /// The JupyterLab for users' workspaces [default: jupyter-lab or jupyter on the PATH].
    #[arg(long, value_name = "PATH", conflicts_with = "no_workspaces")]
    jupyter: Option<PathBuf>,
    /// Leave workspaces out.
    #[arg(long)]
    no_workspaces: bool,
    /// Open the page in the browser.
    #[arg(long)]
    open: bool,
    /// The port of 127.0.0.1 to listen on; 0 takes any that is free [default: the first free one from 8000 on].
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Who may sign in [default: everyone who has a folder; of the sample: alice,bob].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    users: Vec<UserName>,
    /// Users and their passwords, as Apache's htpasswd writes them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "password_stdin", "credentials_file"])]
    htpasswd: Option<PathBuf>,
    /// Let users change what is in their own folders: in DIR, where one is named.
    #[arg(long)]
    writable: bool,
    #[command(flatten)]
    passwords: Passwords,
}

/// Who may sign in, and who is told the passwords.
struct Admitted {
    members: Vec<Member>,
    /// The passwords to tell.
    credentials: Vec<(UserName, Secret)>,
    recipient: Recipient,
}

impl Trial {
    /// Runs the command.
    ///
    /// # Errors
    /// When something that was asked for is wrong, or the trial cannot run.
    pub async fn run(self) -> anyhow::Result<()> {
        let library = self
            .library
            .as_deref()
            .or(self.library_too.as_deref())
            .map(|directory| {
                std::fs::canonicalize(directory).with_context(|| {
                    Failure::usage(format!("{} cannot be listed", directory.display()))
                        .hint("name a directory with a folder for each user, or none: then a sample is shown")
                })
            })
            .transpose()?;
        let workspaces = match (&self.jupyter, self.no_workspaces) {
            (_, true) => None,
            (Some(path), false) => Some(Some(Jupyter::named(path)?)),
            (None, false) => Some(Jupyter::on_path()),
        };
        let Admitted {
            members,
            credentials,
            mut recipient,
        } = self.admitted(library.as_deref())?;
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        let names = names.join(", ");

        let place = Place::take(self.port).await?;
        let shown = match &library {
            Some(directory) => directory.display().to_string(),
            None => "a sample library".to_owned(),
        };
        if let Some(usual) = place.instead_of {
            ui::say(format!(
                "Port {usual} is taken; this trial has {}.",
                place.address.port()
            ));
        }
        let url = place.url();
        recipient.begin(&credentials)?;
        for (name, password) in &credentials {
            recipient.show(name, password)?;
        }
        recipient.end(credentials.len());
        let end = match &library {
            Some(_) => "Ctrl-C",
            None => "Ctrl-C; the sample goes with it",
        };
        let works = match (&workspaces, &library) {
            (None, _) => String::new(),
            (Some(None), _) => {
                "There is no JupyterLab here for workspaces: pip install jupyterlab, then start the trial again.\n".to_owned()
            }
            (Some(Some(_)), library) => {
                let on = match library {
                    Some(directory) => format!("they change {} itself", directory.display()),
                    None => "they change the sample".to_owned(),
                };
                format!(
                    "Workspaces run under your account, so each user's notebooks can read the others' files; {on}.\n"
                )
            }
        };
        let open = self.open;
        let ready = || {
            let query = "{listDirectory(path:\"\"){repository{tree{trees{edges{node{name}}}}}}}";
            ui::say(format!(
                "trial: ready at {url}\n\n\
                 It shows {shown} to {names}.\n{works}\n  \
                 Open  {url}, and sign in with a name and its password\n  \
                 Ask   {url}lib in the browser, or\n        \
                 curl -u NAME -G {url}lib --data-urlencode 'query={query}'\n  \
                 End   {end}"
            ));
            if open {
                open_in_browser(&url);
            }
        };
        let trial = trial::Trial {
            library,
            members,
            writable: self.writable,
            workspaces,
        };
        // Not sooner: nobody would hear Ctrl-C while passwords are read. Until here there is nothing to take away.
        let stop = Stop::listen()?;
        match trial::run(trial, place, stop, ready).await? {
            Ended::Whole => {}
            Ended::Cut => ui::say("trial: stopped before every request had ended"),
        }
        Ok(())
    }

    /// Who may sign in.
    fn admitted(&self, library: Option<&Path>) -> anyhow::Result<Admitted> {
        let there = library.map(of_directory).transpose()?;
        if let Some(file) = &self.htpasswd {
            let members = of_htpasswd(file)?;
            let names: Vec<UserName> = members.iter().map(|member| member.name.clone()).collect();
            if let (Some(there), Some(directory)) = (&there, library) {
                require_folders(&names, there, directory)?;
            }
            return Ok(Admitted {
                members,
                credentials: Vec::new(),
                recipient: Recipient::Nobody,
            });
        }
        let named = BTreeSet::from_iter(self.users.iter().cloned());
        if named.len() != self.users.len() {
            return Err(Failure::usage("--users names somebody twice").into());
        }
        let names = match (&there, library) {
            (Some(there), Some(directory)) if !self.users.is_empty() => {
                require_folders(&self.users, there, directory)?;
                self.users.clone()
            }
            (Some(there), _) => there.clone(),
            (None, _) if !self.users.is_empty() => self.users.clone(),
            (None, _) => vec!["alice".parse()?, "bob".parse()?],
        };
        let given = self.passwords.read(&names)?;
        let recipient = self.passwords.open(&BTreeSet::new())?;
        say_it_takes_a_while(names.len());
        let passwords: Vec<Secret> = given
            .into_iter()
            .map(|given| given.unwrap_or_else(generate_password))
            .collect();
        let members = names
            .iter()
            .zip(hashes(&passwords.iter().collect::<Vec<_>>())?)
            .map(|(name, hash)| Member {
                name: name.clone(),
                hash: Secret::new(hash),
            })
            .collect();
        Ok(Admitted {
            members,
            credentials: names.into_iter().zip(passwords).collect(),
            recipient,
        })
    }
}

/// Where that fails, the address stands there to be opened by hand.
fn open_in_browser(url: &str) {
    let opened = which::which("xdg-open").map_err(|error| error.to_string());
    let opened = opened.and_then(|program| {
        let mut command = std::process::Command::new(program);
        command
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for the trial.
            .process_group(0);
        command.spawn().map(drop).map_err(|error| error.to_string())
    });
    if let Err(error) = opened {
        ui::say(format!("No browser was opened: xdg-open: {error}"));
    }
}
