//! `dtaas user add`: one user, several, or a file of them.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use time::OffsetDateTime;

use super::set::Own;
use super::{Entries, Reached, Turn, converge, require_fits};
use crate::cli::interrupt::Interrupt;
use crate::cli::passwords::{Passwords, say_it_takes_a_while};
use crate::cli::recipient::Recipient;
use crate::cli::run;
use crate::deployment::Deployment;
use crate::deployment::users::roll::Roll;
use crate::deployment::users::{Newcomer, generate_password, hashes, parse_group};
use crate::error::{Exit, Failure};
use crate::secrets::Secret;
use crate::spec::model::Group;
use crate::spec::names::UserName;
use crate::ui;

/// How many users are named one by one.
const NAMED: usize = 5;

/// Add users, and start their workspaces if the platform is up.
///
/// A file of users is CSV in UTF-8: a heading of username and, if wanted, password and groups, in any order, then a line for each
/// user. Fields are separated by commas, semicolons or tabs; several groups in a field by '|', a blank or (in quotes) a comma. Users
/// without a password get one. Nobody is added unless all lines are good.
#[derive(Debug, Args)]
pub struct Add {
    /// The names: 1 to 32 of a-z, 0-9, '.', '_' and '-'.
    #[arg(required_unless_present = "file", value_name = "NAME")]
    names: Vec<UserName>,
    /// A CSV file of users, with the heading username[,password,groups]; - is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["names", "groups", "password_stdin", "Own"])]
    file: Option<PathBuf>,
    /// Leave users of the file who exist already as they are, and add the others: a run that was cut off is repeated so.
    #[arg(long, requires = "file")]
    skip_existing: bool,
    /// Groups: publishers may write the common assets; admins is handed on to the website.
    #[arg(long, value_delimiter = ',', value_parser = parse_group)]
    groups: Vec<Group>,
    /// Keep what lies in a folder of that name already; otherwise it is set aside, for it may be someone else's.
    #[arg(long)]
    keep_files: bool,
    #[command(flatten)]
    own: Own,
    #[command(flatten)]
    passwords: Passwords,
}

/// Passwords to hand out, each with its user.
type Credentials = Vec<(UserName, Secret)>;

/// A newcomer with everything that is needed.
struct Ready {
    newcomer: Newcomer,
    password: Secret,
    hash: String,
}

impl Add {
    /// Runs the command.
    pub async fn run(self, turn: Turn<'_>) -> anyhow::Result<()> {
        let open = Deployment::open(turn.directory)?;
        let roll = self.roll(&open)?;
        let all = roll.names();
        let mut recipient = self.passwords.open(&all)?;
        let engine = run::engine_if_there(&open, "dtaas user add").await?;
        require_fits(engine.as_ref(), &self.own.settings())?;
        let (ready, credentials) = make_ready(roll.new, &recipient)?;
        let (mut deployment, _lock, interrupt) = turn.locked("dtaas user add").await?;
        // Another run may have been here meanwhile.
        for Ready { newcomer, .. } in &ready {
            deployment.require_free(&newcomer.name)?;
        }
        deployment.require_room(ready.len())?;
        recipient.begin(&credentials).context(
            Failure::new("the new passwords cannot be handed out").hint("nobody was added"),
        )?;
        let many = ready.len();
        let added = self.admit(&mut deployment, ready, &recipient, &interrupt);
        recipient.end(credentials.len());
        added?;
        if let Some(first) = roll.existing.first() {
            say_existing(&roll.existing, first);
        }
        let reached = converge(&deployment, engine, &all, Entries::Made, &interrupt).await?;
        say_added(&deployment, &all, many, reached);
        Ok(())
    }

    /// Who is to be added, by the command line or by a file.
    fn roll(&self, deployment: &Deployment) -> anyhow::Result<Roll> {
        if let Some(path) = &self.file {
            let (shown, bytes) = read(path)?;
            return Roll::read(&shown, &bytes, &deployment.spec, self.skip_existing);
        }
        let mut seen = BTreeSet::new();
        for name in &self.names {
            deployment.require_free(name)?;
            if !seen.insert(name) {
                return Err(Failure::usage(format!("the user {name} is named twice"))
                    .hint("name each user once; nothing was changed")
                    .into());
            }
        }
        deployment.require_room(self.names.len())?;
        deployment.require_settings(&self.own.settings())?;
        let given = self.passwords.read(&self.names)?;
        let newcomer = |(name, given): (&UserName, Option<Secret>)| Newcomer {
            name: name.clone(),
            groups: self.groups.clone(),
            given,
            settings: self.own.settings(),
        };
        Ok(Roll {
            new: self.names.iter().zip(given).map(newcomer).collect(),
            existing: Vec::new(),
        })
    }

    /// Makes users, one after the other. An interruption is heeded between two of them.
    fn admit(
        &self,
        deployment: &mut Deployment,
        ready: Vec<Ready>,
        recipient: &Recipient,
        interrupt: &Interrupt,
    ) -> anyhow::Result<()> {
        let interrupted = interrupt.wanted();
        let many = ready.len();
        for (
            done,
            Ready {
                newcomer,
                password,
                hash,
            },
        ) in ready.into_iter().enumerate()
        {
            if done > 0 && *interrupted.borrow() {
                return Err(Failure::new(format!(
                    "interrupted when {done} of {many} users were added; they exist, without workspaces so far"
                ))
                .hint(self.rest())
                .exit(Exit::Interrupted)
                .into());
            }
            let name = &newcomer.name;
            if !self.keep_files {
                set_aside(deployment, name)?;
            }
            deployment
                .add_user(&newcomer, &hash, || match newcomer.given {
                    Some(_) => Ok(()),
                    None => recipient.show(name, &password),
                })
                .map_err(|error| match many {
                    // It says all by itself.
                    1 => error,
                    _ => error.context(
                        Failure::new(format!(
                            "{name} cannot be added; {done} of {many} users were"
                        ))
                        .hint(format!("mend that, then: {}", self.rest())),
                    ),
                })?;
        }
        Ok(())
    }

    /// How to do the rest of a run that was cut off.
    fn rest(&self) -> &'static str {
        match (&self.file, self.skip_existing) {
            (None, _) => "run this again for the others",
            (Some(_), true) => "run this again to do the rest",
            (Some(_), false) => "run this again with --skip-existing to do the rest",
        }
    }
}

/// A file's name in messages, and its bytes.
fn read(path: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let shown = match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    let outcome = match path == Path::new("-") {
        true => std::io::stdin().lock().read_to_end(&mut bytes),
        false => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    outcome.with_context(|| {
        Failure::usage(format!("--file: cannot read {shown}"))
            .hint("name a CSV file of users; nothing was changed")
    })?;
    Ok((shown, bytes))
}

/// Everyone's password, the hashes of them, and which of them are to be handed out.
fn make_ready(
    newcomers: Vec<Newcomer>,
    recipient: &Recipient,
) -> anyhow::Result<(Vec<Ready>, Credentials)> {
    say_it_takes_a_while(newcomers.len());
    let mut credentials = Vec::new();
    let mut passwords = Vec::new();
    for Newcomer { name, given, .. } in &newcomers {
        let password = match given {
            Some(given) => given.clone(),
            None => {
                let known = recipient.known(name).cloned();
                let password = known.unwrap_or_else(generate_password);
                credentials.push((name.clone(), password.clone()));
                password
            }
        };
        passwords.push(password);
    }
    let hashes = hashes(&passwords.iter().collect::<Vec<_>>())?;
    let ready = newcomers.into_iter().zip(passwords).zip(hashes);
    let ready = ready.map(|((newcomer, password), hash)| Ready {
        newcomer,
        password,
        hash,
    });
    Ok((ready.collect(), credentials))
}

fn set_aside(deployment: &Deployment, name: &UserName) -> anyhow::Result<()> {
    if deployment.has_files(name)
        && let Some(aside) = deployment.set_files_aside(name, OffsetDateTime::now_utc())?
    {
        let aside = deployment.library_root().join(aside);
        ui::say(format!(
            "Files of an earlier {name} were set aside in {}.",
            aside.display()
        ));
    }
    Ok(())
}

fn say_existing(existing: &[UserName], first: &UserName) {
    let names: Vec<&str> = existing
        .iter()
        .take(NAMED)
        .map(|name| name.as_str())
        .collect();
    let more = match existing.len().checked_sub(NAMED) {
        Some(more @ 1..) => format!(" and {more} more"),
        Some(0) | None => String::new(),
    };
    ui::say(match existing.len() {
        1 => format!("{first} exists already and stays as it is."),
        _ => format!(
            "These exist already and stay as they are: {}{more}.",
            names.join(", ")
        ),
    });
}

fn say_added(deployment: &Deployment, all: &BTreeSet<UserName>, many: usize, reached: Reached) {
    let one = all.first().filter(|_| all.len() == 1 && many == 1);
    ui::say(match (reached, one, many) {
        (Reached::Up, Some(name), _) => format!(
            "{name}'s workspace is at {}",
            deployment.workspace_page(name)
        ),
        (Reached::Files, Some(name), _) => {
            format!("{name} is added; `dtaas up` starts the workspace with the platform.")
        }
        (_, None, 0) => "Nobody is left to add.".to_owned(),
        (Reached::Up, None, _) => format!(
            "{} added; each finds the workspace at {}NAME/lab",
            users(many),
            deployment.page()
        ),
        (Reached::Files, None, _) => format!(
            "{} added; `dtaas up` starts their workspaces with the platform.",
            users(many)
        ),
    });
}

fn users(many: usize) -> String {
    match many {
        1 => "1 user is".to_owned(),
        _ => format!("{many} users are"),
    }
}
