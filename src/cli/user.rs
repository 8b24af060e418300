//! `dtaas user`: users come, go, are shut out and let in again, and change their password.

mod add;
mod list;
mod passwd;
mod remove;
mod set;
mod toggle;

use std::collections::BTreeSet;
use std::path::Path;

use clap::{Args, Subcommand};

use super::interrupt::Interrupt;
use super::patience::Patience;
use super::report::Report;
use super::run::{self, Told};
use crate::deployment::Deployment;
use crate::deployment::sites::Site;
use crate::deployment::users::settings::Settings;
use crate::error::{Exit, Failure, failure_of};
use crate::fleet::{self, How, Member, Wish};
use crate::machine::apply::Outcome;
use crate::machine::diff::limits;
use crate::machine::docker::Engine;
use crate::machine::lock::Lock;
use crate::machine::plan::Plan;
use crate::platform::desired::Limits;
use crate::spec::names::UserName;

/// Add, remove, list, disable and change users, and set passwords; nobody else is disturbed.
#[derive(Debug, Args)]
pub struct User {
    #[command(flatten)]
    patience: Patience,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(Box<add::Add>),
    Remove(remove::Remove),
    List(list::List),
    Passwd(passwd::Passwd),
    /// Shut users out: the door closes at once, and the workspace is stopped and kept.
    Disable(Names),
    /// Let users in again who were disabled; the workspace is as it was.
    Enable(Names),
    Set(set::Set),
}

impl User {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let turn = Turn {
            directory,
            patience: self.patience,
        };
        match self.command {
            Command::Add(command) => command.run(turn).await,
            Command::Remove(command) => command.run(turn).await,
            Command::List(command) => command.run(directory),
            Command::Passwd(command) => command.run(turn).await,
            Command::Disable(names) => toggle::run(names, turn, false).await,
            Command::Enable(names) => toggle::run(names, turn, true).await,
            Command::Set(command) => command.run(turn).await,
        }
    }
}

/// When it is a command's turn to change a deployment.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) directory: &'a Path,
    pub(super) patience: Patience,
}

impl Turn<'_> {
    /// The deployment, locked. From here on an interruption is heeded where nothing is half done; before, it ends the process.
    pub(super) async fn locked(
        self,
        command: &str,
    ) -> anyhow::Result<(Deployment, Lock, Interrupt)> {
        let interrupt = Interrupt::listen()?;
        let (deployment, lock) = self
            .patience
            .locked(self.directory, command, None, &interrupt)
            .await?;
        Ok((deployment, lock, interrupt))
    }
}

/// Users who exist.
#[derive(Debug, Args)]
pub(super) struct Names {
    /// The names.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<UserName>,
}

impl Names {
    /// All of them, each once; every one must exist.
    pub(super) fn known(&self, deployment: &Deployment) -> anyhow::Result<BTreeSet<UserName>> {
        for name in &self.names {
            deployment.require_user(name)?;
        }
        Ok(self.names.iter().cloned().collect())
    }
}

/// How far a change of users reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// The platform is up, and the workspaces are as they should be.
    Up,
    /// The platform is down: only files changed.
    Files,
}

/// Fails where a limit is greater than what the machine has: with it, nothing could be brought up any more.
fn require_fits(engine: Option<&Engine>, settings: &Settings) -> anyhow::Result<()> {
    let Some(engine) = engine else {
        return Ok(());
    };
    let given = |wanted: &str| {
        let mut limits = settings.limits.iter();
        limits.find(|(key, _)| *key == wanted).map(|(_, text)| text)
    };
    let limits = Limits {
        cpus: given("cpus").and_then(|text| text.parse().ok()),
        memory: given("memory").and_then(|text| text.parse().ok()),
        pids: None,
    };
    match limits::beyond(&limits, engine.facts()).first() {
        None => Ok(()),
        Some((key, value, has)) => Err(Failure::usage(format!(
            "--{key} is {value}, and this machine has {has}"
        ))
        .hint("give what the machine has, or less, or none for no limit; nothing was changed")
        .into()),
    }
}

/// Whether users' htpasswd entries on another machine are replaced, or brought only where they are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entries {
    /// These were made just now.
    Made,
    /// These were replaced just now.
    Replaced,
    /// Who has one there has it still.
    Kept,
}

/// A change that went into the files, and not all the way from there; and what does the rest.
fn unfinished(error: anyhow::Error, names: &BTreeSet<UserName>, entries: Entries) -> anyhow::Error {
    let what = match (entries, names.first()) {
        (Entries::Replaced, _) => {
            "the password is set here, and the gateway's machine may still have the old one"
                .to_owned()
        }
        (_, Some(name)) if names.len() == 1 => {
            format!(
                "the files are changed, and {name}'s workspace or accounts are not what they should be"
            )
        }
        (_, _) => {
            "the files are changed, and not all workspaces and accounts are what they should be"
                .to_owned()
        }
    };
    let hint = match entries {
        Entries::Made => "mend that; `dtaas up` does the rest",
        Entries::Replaced => "mend that, then run the same command again",
        Entries::Kept => {
            "mend that; `dtaas up`, or the same command again after a removal, does the rest"
        }
    };
    let exit = failure_of(&error).map_or(Exit::Failed, Failure::code);
    error.context(Failure::new(what).hint(hint).exit(exit))
}

/// Brings the machine to what it should have of some users, all in the spec or none: the rendered files at once, then what docker has,
/// side by side.
pub(super) async fn converge(
    deployment: &Deployment,
    engine: Option<Engine>,
    names: &BTreeSet<UserName>,
    entries: Entries,
    interrupt: &Interrupt,
) -> anyhow::Result<Reached> {
    let stay = names
        .iter()
        .any(|name| deployment.spec.users.contains_key(name));
    let rest = |error: anyhow::Error| unfinished(error, names, entries);
    let report = Report::new(false);
    let told = Told::by(&report);
    let Some(site) = deployment.users_site() else {
        return Ok(Reached::Files);
    };
    let (mut members, is_up) = match (site.is_local(), engine) {
        (true, engine) => {
            let is_up = render(deployment, engine.as_ref(), names)
                .await
                .map_err(rest)?;
            run::say_own_notes(deployment, &report);
            let Some(engine) = engine else {
                return Ok(Reached::Files);
            };
            (vec![Member::here(site, engine)], is_up)
        }
        (false, _) => {
            deployment.render_users(names, false)?;
            run::say_own_notes(deployment, &report);
            there(deployment, site, names, entries, &told, interrupt)
                .await
                .map_err(rest)?
        }
    };
    if !is_up && stay {
        return Ok(Reached::Files);
    }
    let wish = |site: &Site| {
        let (desired, options) = deployment.users_wish(site, names)?;
        Ok(Wish {
            desired,
            options,
            holder: None,
            answers: false,
        })
    };
    let looks = fleet::look(&mut members, wish, &told, interrupt.wanted()).await;
    if let Some(Some(seen)) = looks.first() {
        run::say_held(None, &seen.plan, &report);
        run::say_how_to_recreate(&seen.plan, &report);
        say_notes(None, &seen.plan, &report);
    }
    let mut outcomes = run::carry_out(&mut members, &looks, interrupt, &told).await;
    // The password of the website is none of theirs.
    let at_services_too = entries != Entries::Replaced;
    let stopped = *interrupt.wanted().borrow();
    if at_services_too && !stopped {
        let (others, theirs) = at_services(deployment, names, &report, &told, interrupt)
            .await
            .map_err(rest)?;
        members.extend(others);
        outcomes.extend(theirs);
    }
    run::bring_tokens(deployment, &mut members, &mut outcomes, interrupt, &told)
        .await
        .map_err(rest)?;
    let interrupted = outcomes.iter().flatten().any(|outcome| outcome.interrupted);
    match interrupted {
        true if stay => fleet::result(members, outcomes, "`dtaas up`")?,
        true => fleet::result(members, outcomes, "the same command")?,
        false => fleet::result(members, outcomes, "the same command").map_err(rest)?,
    }
    if stopped && at_services_too && deployment.service_sites().next().is_some() {
        let error = Failure::new("interrupted before the services were told")
            .exit(Exit::Interrupted)
            .into();
        return Err(rest(error));
    }
    Ok(match is_up {
        true => Reached::Up,
        false => Reached::Files,
    })
}

/// Does what is due of some users at services on other machines than that of the workspaces.
async fn at_services<'a>(
    deployment: &'a Deployment,
    names: &BTreeSet<UserName>,
    report: &Report,
    told: &Told<'_>,
    interrupt: &Interrupt,
) -> anyhow::Result<(Vec<Member<'a>>, Vec<Option<Outcome>>)> {
    let sites: Vec<&Site> = deployment.service_sites().collect();
    if sites.is_empty() {
        return Ok(Default::default());
    }
    let how = How::default();
    let mut members = fleet::reach(deployment, sites, how, told, interrupt.wanted()).await?;
    let wish = |site: &Site| {
        let (desired, options) = deployment.users_wish(site, names)?;
        Ok(Wish {
            desired,
            options,
            holder: None,
            answers: false,
        })
    };
    let looks = fleet::look(&mut members, wish, told, interrupt.wanted()).await;
    for (member, seen) in members.iter().zip(&looks) {
        if let Some(seen) = seen {
            say_notes(member.called, &seen.plan, report);
        }
    }
    let outcomes = run::carry_out(&mut members, &looks, interrupt, told).await;
    Ok((members, outcomes))
}

fn say_notes(machine: Option<&str>, plan: &Plan, report: &Report) {
    for note in &plan.notes {
        report.note_of(machine, &format!("Note: {note}."));
    }
}

/// Writes what is rendered of some users here; answers whether the platform is up.
async fn render(
    deployment: &Deployment,
    engine: Option<&Engine>,
    names: &BTreeSet<UserName>,
) -> anyhow::Result<bool> {
    let closes = names.iter().any(|name| {
        let user = deployment.spec.users.get(name);
        user.is_none_or(|user| !user.enabled)
    });
    // A door that closes does so before docker is asked anything.
    let closed = closes && engine.is_some();
    if closed {
        deployment.render_users(names, true)?;
    }
    let is_up = match engine {
        Some(engine) => deployment.is_up(engine).await?,
        None => false,
    };
    if !(closed && is_up) {
        deployment.render_users(names, is_up)?;
    }
    Ok(is_up)
}

/// The machine of the workspaces, which is another, with the entries that were set; and whether the platform is up there.
async fn there<'a>(
    deployment: &Deployment,
    site: &'a Site,
    names: &BTreeSet<UserName>,
    entries: Entries,
    told: &Told<'_>,
    interrupt: &Interrupt,
) -> anyhow::Result<(Vec<Member<'a>>, bool)> {
    let mut members =
        fleet::reach(deployment, [site], How::default(), told, interrupt.wanted()).await?;
    let names = match entries {
        Entries::Made | Entries::Replaced => names.clone(),
        Entries::Kept => BTreeSet::new(),
    };
    let wish = |site: &Site| {
        let (desired, options) = deployment.entries_wish(site, &names)?;
        Ok(Wish {
            desired,
            options,
            holder: None,
            answers: false,
        })
    };
    let looks = fleet::look(&mut members, wish, told, interrupt.wanted()).await;
    let is_up = looks.iter().flatten().any(|seen| seen.is_up);
    let outcomes = fleet::apply(&mut members, &looks, told, interrupt.wanted()).await;
    for outcome in outcomes.into_iter().flatten() {
        outcome.result()?;
    }
    match members.iter().all(|member| member.hand.is_ok()) {
        true => Ok((members, is_up)),
        false => Err(fleet::result(members, Vec::new(), "the same command")
            .err()
            .unwrap_or_else(|| Failure::new("the machine is lost").into())),
    }
}
