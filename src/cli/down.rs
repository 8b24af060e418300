//! `dtaas down`: takes away what we made.

use std::path::Path;

use clap::Args;

use super::interrupt::Interrupt;
use super::patience::Patience;
use super::reaching::Reaching;
use super::report::Report;
use super::run::{self, Told};
use crate::deployment::Deployment;
use crate::deployment::sites::Site;
use crate::error::{Exit, Failure};
use crate::fleet::{self, Docker, How, Wish};
use crate::machine::diff::DiffOptions;
use crate::platform::desired::Desired;
use crate::ui;
use crate::ui::prompt;

/// Take the platform away: containers, networks, firewall rules, our image. Files and data stay, unless purged.
#[derive(Debug, Args)]
pub struct Down {
    /// Remove the deployment's directory as well: users' files, data, secrets, everything.
    #[arg(long)]
    purge: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// Tell what happens as JSON, one object a line; `dtaas up --help` says which.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    reaching: Reaching,
}

impl Down {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let report = Report::new(self.json);
        let done = self.take_away(directory, &report).await.map(|()| None);
        report.end(&done);
        done.map(|_| ())
    }

    async fn take_away(&self, directory: &Path, report: &Report) -> anyhow::Result<()> {
        let open = Deployment::open(directory)?;
        if open.sites.iter().any(Site::is_local) {
            run::require_root("dtaas down")?;
        }
        let question = self.question(&open)?;
        // A script that forgot --yes is told so whatever else is wrong; a person is not asked in vain.
        prompt::require_answer(&question, self.yes)?;
        // While there is a question, Ctrl-C is its answer.
        let early = match self.yes {
            true => Some(Interrupt::listen()?),
            false => None,
        };
        let engine = run::engine_of_here(&open, "dtaas down", early.as_ref()).await?;
        prompt::confirm(&question, self.yes)?;
        let interrupt = match early {
            Some(interrupt) => interrupt,
            None => Interrupt::listen()?,
        };
        let (deployment, lock) = self
            .patience
            .locked(directory, "dtaas down", None, &interrupt)
            .await?;
        if self.purge && deployment.sites.iter().any(Site::is_local) {
            deployment.check_purge()?;
        }
        let told = Told::by(report);
        let how = How {
            engine,
            docker: Docker::Spared,
            ..self.reaching.how()
        };
        let (virtual_ones, others): (Vec<&Site>, Vec<&Site>) =
            deployment.sites.iter().partition(|site| site.is_virtual());
        let mut members = fleet::reach(
            &deployment,
            others.iter().copied(),
            how,
            &told,
            interrupt.wanted(),
        )
        .await?;
        let looks = interrupt
            .or(async {
                let wish = |site: &Site| {
                    Ok(Wish {
                        desired: Desired::nothing(deployment.spec.name.clone(), site.root.clone()),
                        options: DiffOptions {
                            remove_workspaces: true,
                            ..DiffOptions::default()
                        },
                        holder: Some("dtaas down"),
                        answers: false,
                    })
                };
                Ok(fleet::look(&mut members, wish, &told, interrupt.wanted()).await)
            })
            .await?;
        let outcomes = run::carry_out(&mut members, &looks, &interrupt, &told).await;
        let mut done: usize = outcomes.iter().flatten().map(|outcome| outcome.done).sum();
        let whole = outcomes
            .iter()
            .all(|came| came.as_ref().is_some_and(|came| came.result().is_ok()));
        if whole && self.purge {
            let library = &deployment.spec.library.root;
            fleet::purge(&mut members, library, &told, interrupt.wanted()).await;
        }
        let others = fleet::result(members, outcomes, &run::typed(directory, self.typed()));
        if *interrupt.wanted().borrow() {
            others?;
            return Err(Failure::new("interrupted")
                .hint("run the same again: what is done stays done")
                .exit(Exit::Interrupted)
                .into());
        }
        // One that is out of reach keeps no other from its end.
        let ended = fleet::end_virtual(
            &deployment,
            &virtual_ones,
            self.purge,
            &told,
            interrupt.wanted(),
        )
        .await;
        let (ended, error) = match ended {
            Ok(ended) => (ended, None),
            Err(error) => (0, Some((None, error))),
        };
        done += ended;
        let other = others.err().map(|error| (None, error));
        fleet::together(other.into_iter().chain(error).collect())?;
        let root = deployment.root().to_owned();
        if self.purge {
            deployment.purge(lock)?;
            ui::say(format!("Nothing is left of {}.", deployment.spec.name));
            return Ok(());
        }
        let elsewhere = deployment.users_site().filter(|site| !site.is_local());
        match (done, elsewhere) {
            (0, None) => ui::say("Nothing to do: nothing of this deployment is on the machine."),
            (0, Some(_)) => {
                ui::say("Nothing to do: nothing of this deployment is on the machines.")
            }
            (1.., None) => ui::say(format!(
                "The platform is down; every file is still in {}.",
                root.display()
            )),
            (1.., Some(site)) => ui::say(format!(
                "The platform is down; every file is still in {} on {}.",
                site.root.display(),
                site.name
            )),
        }
        Ok(())
    }

    fn typed(&self) -> &'static str {
        match self.purge {
            true => "down --purge",
            false => "down",
        }
    }

    fn question(&self, deployment: &Deployment) -> anyhow::Result<String> {
        let workspaces = match deployment.spec.users.len() {
            1 => "the workspace of 1 user with what was installed in it".to_owned(),
            users => {
                format!("the workspaces of {users} users with what was installed in them")
            }
        };
        let virtual_ones = deployment.sites.iter().filter(|site| site.is_virtual());
        let mut machines: Vec<String> = virtual_ones.map(|site| site.name.clone()).collect();
        machines.extend(fleet::left(deployment)?);
        if !machines.is_empty() {
            let machines = machines.join(" and ");
            let name = &deployment.spec.name;
            let users_are_there = deployment.users_site().is_some_and(Site::is_virtual);
            return Ok(match (self.purge, users_are_there) {
                (false, true) => format!("Stop {name}, and halt {machines}?"),
                (false, false) => format!("Stop {name}, remove {workspaces}, and halt {machines}?"),
                (true, true) => format!(
                    "Stop {name}, remove {workspaces}, destroy {machines} with every user's files on them, and remove {}?",
                    deployment.root().display()
                ),
                (true, false) => format!(
                    "Stop {name}, remove {workspaces}, destroy {machines} with all data on them, and{}?",
                    Self::files(deployment)
                ),
            });
        }
        let files = match self.purge {
            true => format!(" and{}", Self::files(deployment)),
            false => String::new(),
        };
        Ok(format!(
            "Stop {}, remove {workspaces}{files}?",
            deployment.spec.name
        ))
    }

    /// What a purge removes, of machines that stay.
    fn files(deployment: &Deployment) -> String {
        let elsewhere: Vec<String> = deployment
            .sites
            .iter()
            .filter(|site| !site.is_local() && !site.is_virtual())
            .map(|site| format!(" and {} on {}", site.root.display(), site.name))
            .collect();
        format!(
            " remove {}{} with every user's files{}",
            deployment.root().display(),
            elsewhere.concat(),
            match deployment.library_root().starts_with(deployment.root()) {
                true => "",
                false => " but those in library.root",
            }
        )
    }
}
