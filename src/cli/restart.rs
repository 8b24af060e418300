//! `dtaas restart`: parts of the platform started anew, with what is in them kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::future::join_all;

use super::interrupt::Interrupt;
use super::parts;
use super::patience::Patience;
use super::reaching::Reaching;
use super::report::Report;
use super::run::{self, Told};
use crate::deployment::Deployment;
use crate::deployment::sites::Site;
use crate::doctor::Fix;
use crate::error::{Exit, Failure};
use crate::fleet::{self, How, Wish};
use crate::machine::diff::{DiffOptions, Scope};
use crate::machine::observed::Owner;
use crate::platform::desired::{Container, Desired};
use crate::ui;
use crate::ui::prompt;

/// How long a part may take to answer again; a workspace with a desktop is the slowest.
const PATIENCE: Duration = Duration::from_secs(300);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Restart parts of the platform: what is installed in them stays, what runs in them ends. Waits until each answers.
#[derive(Debug, Args)]
pub struct Restart {
    /// Which: components such as gateway or library, services, or users, whose workspaces are meant.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    reaching: Reaching,
}

impl Restart {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let open = Deployment::open(directory)?;
        let engine = run::engine_of_here(&open, "dtaas restart", None).await?;
        self.confirm(&open)?;
        let interrupt = Interrupt::listen()?;
        let (deployment, _lock) = self
            .patience
            .locked(directory, "dtaas restart", None, &interrupt)
            .await?;
        let desired = parts::desired(&deployment)?;
        let meant = parts::meant(&deployment, &desired, &self.names)?;
        let report = Report::new(false);
        let told = Told::by(&report);
        let how = How {
            engine,
            ..self.reaching.how()
        };
        let mut members = parts::reach(&deployment, &meant, how, &told, &interrupt).await?;
        let restarting = members.iter_mut().map(|member| {
            let containers = &meant[member.site.name.as_str()];
            let owner = Owner::of(&desired[&member.site.name]);
            let stop = interrupt.wanted();
            async move {
                let Ok(hand) = &mut member.hand else {
                    return;
                };
                let fixes = containers
                    .iter()
                    .filter(|one| one.running)
                    .map(|one| Fix::Restart {
                        container: one.name.clone(),
                        owner: owner.clone(),
                    })
                    .collect();
                match hand.mend(fixes, &|note| ui::say(note), stop).await {
                    Ok(mended) => {
                        let failed: Vec<String> = mended
                            .into_iter()
                            .filter_map(|one| Some(one.failure?.message))
                            .collect();
                        if !failed.is_empty() {
                            member.hand = Err(Failure::new(failed.join("; "))
                                .hint("`dtaas doctor` says more")
                                .into());
                        }
                    }
                    Err(error) => member.hand = Err(error),
                }
            }
        });
        join_all(restarting).await;
        let silent = wait(&mut members, &desired, &meant, &told, &interrupt).await?;
        fleet::result(members, Vec::new(), &run::typed(directory, "restart"))?;
        match silent.as_slice() {
            [] => Ok(()),
            silent => Err(Failure::new(format!(
                "{} did not answer within {} s",
                silent.join(", "),
                PATIENCE.as_secs()
            ))
            .hint("`dtaas logs` and `dtaas doctor` say more")
            .into()),
        }
    }

    /// What runs in a workspace is someone's.
    fn confirm(&self, deployment: &Deployment) -> anyhow::Result<()> {
        let desired = parts::desired(deployment)?;
        let meant = parts::meant(deployment, &desired, &self.names)?;
        let users: Vec<String> = meant
            .values()
            .flatten()
            .filter_map(|one| one.user.as_ref().map(ToString::to_string))
            .collect();
        match users.as_slice() {
            [] => Ok(()),
            users => prompt::confirm(
                &format!(
                    "Restart the workspaces of {}? (What runs in them ends.)",
                    users.join(", ")
                ),
                self.yes,
            ),
        }
    }
}

/// Waits until all answer; gives those that do not, by how they are called.
async fn wait(
    members: &mut [fleet::Member<'_>],
    desired: &BTreeMap<String, Desired>,
    meant: &BTreeMap<&str, Vec<&Container>>,
    told: &Told<'_>,
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<String>> {
    let begun = Instant::now();
    let mut answered: Vec<&str> = Vec::new();
    loop {
        let wish = |site: &Site| {
            Ok(Wish {
                desired: Desired {
                    containers: meant[site.name.as_str()]
                        .iter()
                        .map(|one| (*one).clone())
                        .collect(),
                    ..Desired::nothing(
                        desired[&site.name].deployment.clone(),
                        desired[&site.name].root.clone(),
                    )
                },
                // Whether they answer is all that is asked.
                options: DiffOptions {
                    scope: Scope::Users(BTreeSet::new()),
                    leave_rules: true,
                    ..DiffOptions::default()
                },
                holder: None,
                answers: true,
            })
        };
        let looks = tokio::select! {
            looks = fleet::look(members, wish, told, interrupt.wanted()) => looks,
            () = interrupt.comes() => {
                return Err(Failure::new("interrupted: they were restarted, and are not waited for")
                    .exit(Exit::Interrupted)
                    .into());
            }
        };
        let mut silent = Vec::new();
        for (member, look) in members.iter().zip(&looks) {
            let Some(look) = look else { continue };
            let containers = meant[member.site.name.as_str()].iter();
            for (container, answers) in containers.zip(&look.answers) {
                let name = container.name.as_str();
                if *answers && !answered.contains(&name) && container.running {
                    answered.push(name);
                    let seconds = begun.elapsed().as_secs_f64();
                    ui::say(ui::of(
                        member.called,
                        &format!("{name} answers {seconds:.1} s"),
                    ));
                } else if !*answers && container.running {
                    silent.push(ui::of(member.called, name));
                }
            }
        }
        if silent.is_empty() || begun.elapsed() > PATIENCE {
            return Ok(silent);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
