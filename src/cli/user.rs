//! `dtaas user`: users come, go, and change their password.

use std::path::Path;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;
use time::OffsetDateTime;

use super::passwords::Passwords;
use super::report::Report;
use super::run;
use crate::deployment::Deployment;
use crate::deployment::users::parse_group;
use crate::error::Failure;
use crate::machine::docker::Engine;
use crate::spec::model::Group;
use crate::spec::names::UserName;
use crate::ui;
use crate::ui::prompt;
use crate::ui::table::table;

/// Add, remove and list users, and set passwords; nobody else is disturbed.
#[derive(Debug, Args)]
pub struct User {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user, and start the workspace if the platform is up.
    Add {
        /// The name: 1 to 32 of a-z, 0-9, '.', '_' and '-'.
        name: UserName,
        /// Groups: publishers may write the common assets; admins is handed on to the website.
        #[arg(long, value_delimiter = ',', value_parser = parse_group)]
        groups: Vec<Group>,
        /// Keep what lies in a folder of that name already; otherwise it is set aside, for it may be someone else's.
        #[arg(long)]
        keep_files: bool,
        #[command(flatten)]
        passwords: Passwords,
    },
    /// Remove a user; the files are set aside in the library's .removed.
    Remove {
        /// The name.
        name: UserName,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// List the users.
    List {
        /// Give them as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Set a user's password: a new one is made, unless one is given.
    Passwd {
        /// The name.
        name: UserName,
        #[command(flatten)]
        passwords: Passwords,
    },
}

#[derive(Serialize)]
struct Row {
    name: String,
    enabled: bool,
    groups: Vec<&'static str>,
    password: bool,
    network: Option<String>,
}

impl User {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        match self.command {
            Command::Add {
                name,
                groups,
                keep_files,
                passwords,
            } => add(directory, &name, &groups, keep_files, &passwords).await,
            Command::Remove { name, yes } => remove(directory, &name, yes).await,
            Command::List { json } => list(&Deployment::open(directory)?, json),
            Command::Passwd { name, passwords } => passwd(directory, &name, &passwords).await,
        }
    }
}

async fn add(
    directory: &Path,
    name: &UserName,
    groups: &[Group],
    keep_files: bool,
    passwords: &Passwords,
) -> anyhow::Result<()> {
    Deployment::open(directory)?.require_free(name)?;
    let password = passwords.read_one(name)?;
    let mut recipient = passwords.open()?;
    let engine = engine("dtaas user add").await?;
    let (mut deployment, _lock) = Deployment::locked(directory, "dtaas user add")?;
    if !keep_files
        && deployment.has_files(name)
        && let Some(aside) = deployment.set_files_aside(name, OffsetDateTime::now_utc())?
    {
        let aside = deployment.library_root().join(aside);
        ui::say(format!(
            "Files of an earlier {name} were set aside in {}.",
            aside.display()
        ));
    }
    deployment.add_user(name, &password, groups)?;
    // Handed out before anything else can fail: the user exists from here on.
    recipient.hand_out(&[(name.clone(), password)])?;
    match converge(&deployment, engine.as_ref(), name).await? {
        true => ui::say(format!(
            "{name}'s workspace is at {}",
            deployment.workspace_page(name)
        )),
        false => ui::say(format!(
            "{name} is added; `dtaas up` starts the workspace with the platform."
        )),
    }
    Ok(())
}

async fn remove(directory: &Path, name: &UserName, yes: bool) -> anyhow::Result<()> {
    Deployment::open(directory)?.require_user(name)?;
    prompt::confirm(
        &format!(
            "Remove {name} and the workspace with what was installed in it? (The files are set aside.)"
        ),
        yes,
    )?;
    let engine = engine("dtaas user remove").await?;
    let (mut deployment, _lock) = Deployment::locked(directory, "dtaas user remove")?;
    deployment.close_door(name)?;
    converge(&deployment, engine.as_ref(), name).await?;
    let aside = deployment.forget_user(name, OffsetDateTime::now_utc())?;
    let files = match aside {
        Some(path) => format!(
            "; the files are in {}",
            deployment.library_root().join(path).display()
        ),
        None => String::new(),
    };
    ui::say(format!("{name} is removed{files}."));
    Ok(())
}

async fn passwd(directory: &Path, name: &UserName, passwords: &Passwords) -> anyhow::Result<()> {
    Deployment::open(directory)?.require_user(name)?;
    let password = passwords.read_one(name)?;
    let mut recipient = passwords.open()?;
    let engine = engine("dtaas user passwd").await?;
    let (deployment, _lock) = Deployment::locked(directory, "dtaas user passwd")?;
    deployment.set_password(name, &password)?;
    recipient.hand_out(&[(name.clone(), password)])?;
    converge(&deployment, engine.as_ref(), name).await?;
    ui::say(format!("{name}'s password is set."));
    Ok(())
}

fn list(deployment: &Deployment, json: bool) -> anyhow::Result<()> {
    let entries = deployment.entries()?.good;
    let rows: Vec<Row> = deployment
        .spec
        .users
        .iter()
        .map(|(name, user)| Row {
            name: name.to_string(),
            enabled: user.enabled,
            groups: user.groups.iter().map(|group| group.as_str()).collect(),
            password: entries.contains_key(name),
            network: deployment
                .spec
                .subnet(user.slot)
                .map(|subnet| subnet.to_string()),
        })
        .collect();
    if json {
        return ui::json(&rows);
    }
    let rows: Vec<[String; 4]> = rows
        .into_iter()
        .map(|row| {
            let door = match (row.enabled, row.password) {
                (false, _) => "disabled",
                (true, false) => "no password",
                (true, true) => "open",
            };
            [
                row.name,
                door.to_owned(),
                row.groups.join(","),
                row.network.unwrap_or_default(),
            ]
        })
        .collect();
    ui::data(table(["USER", "DOOR", "GROUPS", "NETWORK"], &rows));
    Ok(())
}

/// The engine, where there is one. One that is there and does not answer is an error, before anything is changed.
async fn engine(command: &str) -> anyhow::Result<Option<Engine>> {
    if !Engine::is_there() {
        return Ok(None);
    }
    run::require_root(command)?;
    Engine::connect(None).await.map(Some)
}

/// Brings the machine to what it should have of one user: the rendered files at once, then what docker has. Answers whether the
/// platform is up.
async fn converge(
    deployment: &Deployment,
    engine: Option<&Engine>,
    name: &UserName,
) -> anyhow::Result<bool> {
    let is_up = match engine {
        Some(engine) => deployment.is_up(engine).await?,
        None => false,
    };
    deployment.render_user(name, is_up)?;
    run::say_own_notes(deployment, &Report::new(false));
    let Some(engine) = engine else {
        return Ok(false);
    };
    if !is_up && deployment.spec.users.contains_key(name) {
        return Ok(false);
    }
    let rest = || {
        Failure::new(format!(
            "the files are changed, and {name}'s workspace is not what it should be"
        ))
        .hint("mend that; `dtaas up`, or the same command again after a removal, does the rest")
    };
    let difference = deployment
        .user_difference(engine, name)
        .await
        .with_context(rest)?;
    let outcome = run::carry_out(engine, &difference)
        .await
        .with_context(rest)?;
    match outcome.interrupted {
        true => outcome.result()?,
        false => outcome.result().with_context(rest)?,
    }
    Ok(is_up)
}
