//! `dtaas user`: users come, go, and change their password.

use std::path::Path;

use clap::{Args, Subcommand};
use serde::Serialize;
use time::OffsetDateTime;

use super::passwords::Passwords;
use super::run;
use crate::deployment::converge;
use crate::deployment::users::{generate_password, parse_group};
use crate::deployment::{Deployment, Missing};
use crate::error::Failure;
use crate::machine::apply::Outcome;
use crate::machine::diff::{DiffOptions, Scope};
use crate::machine::docker::Engine;
use crate::machine::lock::Lock;
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
        /// Groups: publishers may write the common assets, admins may see the platform's status.
        #[arg(long, value_delimiter = ',', value_parser = parse_group)]
        groups: Vec<Group>,
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
        let deployment = Deployment::open(directory)?;
        match self.command {
            Command::Add {
                name,
                groups,
                passwords,
            } => add(deployment, &name, &groups, &passwords).await,
            Command::Remove { name, yes } => remove(deployment, &name, yes).await,
            Command::List { json } => list(&deployment, json),
            Command::Passwd { name, passwords } => passwd(&deployment, &name, &passwords).await,
        }
    }
}

async fn add(
    deployment: Deployment,
    name: &UserName,
    groups: &[Group],
    passwords: &Passwords,
) -> anyhow::Result<()> {
    let given = passwords
        .read(std::slice::from_ref(name))?
        .into_iter()
        .flatten()
        .next();
    let _lock = Lock::take(deployment.root(), "dtaas user add")?;
    // What another run did meanwhile counts.
    let mut deployment = Deployment::open(deployment.root())?;
    let password = given.unwrap_or_else(generate_password);
    deployment.add_user(name, &password, groups)?;
    // Handed out before docker has its say: the user exists from here on, whatever happens next.
    passwords.hand_out(&[(name.clone(), password)])?;
    match converge(&deployment, name).await? {
        Some(outcome) => {
            outcome.result()?;
            ui::say(format!(
                "{name}'s workspace is at {}",
                deployment.workspace_page(name)
            ));
        }
        None => ui::say(format!(
            "{name} is added; `dtaas up` starts the workspace with the platform."
        )),
    }
    Ok(())
}

async fn remove(deployment: Deployment, name: &UserName, yes: bool) -> anyhow::Result<()> {
    deployment.require_user(name)?;
    prompt::confirm(
        &format!(
            "Remove {name} and the workspace with what was installed in it? (The files are set aside.)"
        ),
        yes,
    )?;
    let _lock = Lock::take(deployment.root(), "dtaas user remove")?;
    let mut deployment = Deployment::open(deployment.root())?;
    let aside = deployment.remove_user(name, OffsetDateTime::now_utc())?;
    if let Some(outcome) = converge(&deployment, name).await? {
        outcome.result()?;
    }
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

async fn passwd(
    deployment: &Deployment,
    name: &UserName,
    passwords: &Passwords,
) -> anyhow::Result<()> {
    deployment.require_user(name)?;
    let given = passwords
        .read(std::slice::from_ref(name))?
        .into_iter()
        .flatten()
        .next();
    let _lock = Lock::take(deployment.root(), "dtaas user passwd")?;
    let password = given.unwrap_or_else(generate_password);
    deployment.set_password(name, &password)?;
    passwords.hand_out(&[(name.clone(), password)])?;
    if let Some(outcome) = converge(deployment, name).await? {
        outcome.result()?;
    }
    ui::say(format!("{name}'s password is set."));
    Ok(())
}

fn list(deployment: &Deployment, json: bool) -> anyhow::Result<()> {
    let entries = deployment.entries()?;
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

/// Brings the machine to what it should have of one user. Where the platform is not up, only the files; `None` then.
async fn converge(deployment: &Deployment, name: &UserName) -> anyhow::Result<Option<Outcome>> {
    let engine = match Engine::connect(None).await {
        Ok(engine) => engine,
        Err(error) => {
            deployment.render()?;
            ui::say(format!(
                "Only files were changed: {error}. Run `dtaas up` once it answers."
            ));
            return Ok(None);
        }
    };
    let options = DiffOptions {
        scope: Scope::User(name.clone()),
        ..DiffOptions::default()
    };
    let desired = deployment.desired_of(name, Missing::Keep)?;
    let difference = converge::difference(&engine, desired, &options).await?;
    let is_up = engine
        .container(
            &deployment.gateway_container(),
            &difference.desired.hash_key,
        )
        .await?
        .is_some();
    if !is_up && deployment.spec.users.contains_key(name) {
        deployment.render()?;
        return Ok(None);
    }
    if !difference.plan.refused.is_empty() {
        return Err(Failure::new(run::text(&difference.plan)).into());
    }
    run::carry_out(&engine, &difference).await.map(Some)
}
