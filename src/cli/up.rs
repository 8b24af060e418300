//! `dtaas up`: makes it so.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::interrupt::Interrupt;
use super::patience::Patience;
use super::reaching::Reaching;
use super::report::Report;
use super::run::{self, Told};
use crate::deployment::sites::Site;
use crate::deployment::{Deployment, Missing};
use crate::fleet::{self, Docker, How, Wish};
use crate::machine::diff::{DiffOptions, Recreate};
use crate::machine::docker::TO_PULL;
use crate::machine::plan::Plan;
use crate::spec::load;
use crate::spec::names::UserName;
use crate::ui;

/// Bring the platform up, or to what the spec says now, and wait until every part of it answers.
///
/// With --json each line of standard output is an object with its kind as `event`: plan; step-started, step-progress, step-done,
/// step-failed, step-skipped, step-dropped; waiting, ready, not-ready; note, error; and as the last line outcome, with the exit code.
#[derive(Debug, Args)]
pub struct Up {
    /// Use another profile than dtaas.yaml names, and keep it there: a built-in one, or a file such as ./mine.yaml in the deployment.
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Tell what happens as JSON, one object a line.
    #[arg(long)]
    json: bool,
    /// How many seconds an image's pull may stand still before it counts as failed.
    #[arg(long, value_name = "SECONDS", default_value_t = TO_PULL.as_secs(), value_parser = clap::value_parser!(u64).range(1..))]
    pull_timeout: u64,
    /// On other machines that have no docker, install it from the distribution's packages (Debian and Ubuntu).
    #[arg(long)]
    install_docker: bool,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    reaching: Reaching,
    #[command(flatten)]
    recreate: RecreateArgs,
}

/// Whose workspaces may be made anew.
#[derive(Debug, Args)]
pub struct RecreateArgs {
    /// Make workspaces anew where that is due, which loses what was installed in them: of these users, or of all. Those of
    /// users who are gone are removed.
    #[arg(long, value_name = "USERS", value_delimiter = ',', num_args = 0.., require_equals = false)]
    recreate: Option<Vec<UserName>>,
}

impl RecreateArgs {
    /// The same for the engine; every user named must exist, or have left files behind: then there may be a workspace as well,
    /// which `up` keeps until it is told to let go of it.
    pub fn checked(&self, deployment: &Deployment) -> anyhow::Result<Recreate> {
        match &self.recreate {
            None => Ok(Recreate::No),
            Some(users) if users.is_empty() => Ok(Recreate::All),
            Some(users) => {
                // Which folders another machine has is not known here.
                let here = deployment.users_site().is_none_or(Site::is_local);
                for user in users {
                    if here && !deployment.library_root().join(user.as_str()).is_dir() {
                        deployment.require_user(user)?;
                    }
                }
                Ok(Recreate::Users(users.iter().cloned().collect()))
            }
        }
    }
}

impl Up {
    /// Without anything asked for besides.
    pub fn plainly(patience: Patience, reaching: Reaching) -> Self {
        Self {
            profile: None,
            json: false,
            pull_timeout: TO_PULL.as_secs(),
            install_docker: false,
            patience,
            reaching,
            recreate: RecreateArgs { recreate: None },
        }
    }

    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let report = Report::new(self.json);
        let done = self.make_so(directory, &report).await;
        report.end(&done);
        done.map(|_| ())
    }

    /// Answers with the platform's address.
    async fn make_so(&self, directory: &Path, report: &Report) -> anyhow::Result<Option<String>> {
        // What is wrong with the spec is said first; it is read again when nobody else can change it.
        let profile = self.profile.as_deref();
        let open = Deployment::with_profile(directory, profile)?;
        self.recreate.checked(&open)?;
        if open.sites.iter().any(Site::is_local) {
            run::require_root("dtaas up")?;
        }
        let interrupt = Interrupt::listen()?;
        let patience = Duration::from_secs(self.pull_timeout);
        let engine = run::engine_of_here(&open, "dtaas up", Some(&interrupt)).await?;
        let (deployment, _lock) = self
            .patience
            .locked(directory, "dtaas up", profile, &interrupt)
            .await?;
        let options = DiffOptions {
            recreate: self.recreate.checked(&deployment)?,
            ..DiffOptions::default()
        };
        if deployment.users_site().is_some_and(Site::is_local) {
            deployment.require_roots_own()?;
        }
        if deployment.fetch_website().await? {
            report.note("the website was fetched, and is the one that website.sha256 names");
        }
        let told = Told::by(report);
        let how = How {
            engine: engine.map(|engine| engine.pulling_within(patience)),
            make: true,
            docker: match self.install_docker {
                true => Docker::Installed,
                false => Docker::Needed,
            },
            pulling_within: patience,
            ..self.reaching.how()
        };
        let mut members = fleet::reach(
            &deployment,
            &deployment.sites,
            how,
            &told,
            interrupt.wanted(),
        )
        .await?;
        let looks = interrupt
            .or(async {
                let wish = |site: &Site| {
                    Ok(Wish {
                        desired: deployment.desired_on(site, Missing::Keep)?,
                        options: options.clone(),
                        holder: Some("dtaas up"),
                        answers: false,
                    })
                };
                Ok(fleet::look(&mut members, wish, &told, interrupt.wanted()).await)
            })
            .await?;
        let plans: Vec<(Option<&str>, &Plan)> = members
            .iter()
            .zip(&looks)
            .filter_map(|(member, seen)| Some((member.called, &seen.as_ref()?.plan)))
            .collect();
        let clear =
            plans.len() == members.len() && plans.iter().all(|(_, plan)| plan.refused.is_empty());
        if clear && deployment.keep_profile()? {
            report.note(&format!(
                "{}: profile is now {}",
                load::FILE,
                deployment.spec.profile
            ));
        }
        if deployment.users_site().is_some_and(|site| !site.is_local()) {
            // What the operator looks at; the machine itself gets its own.
            deployment.render()?;
        }
        let mut outcomes = run::carry_out(&mut members, &looks, &interrupt, &told).await;
        run::bring_tokens(&deployment, &mut members, &mut outcomes, &interrupt, &told).await?;
        if outcomes.iter().all(Option::is_none) {
            fleet::result(members, outcomes, &run::typed(directory, "up"))?;
            return Ok(None);
        }
        for (machine, plan) in &plans {
            run::say_held(*machine, plan, report);
        }
        run::say_notes(&deployment, plans.iter().copied(), report)?;
        let done: usize = outcomes.iter().flatten().map(|outcome| outcome.done).sum();
        fleet::result(members, outcomes, &run::typed(directory, "up"))?;
        deployment.forget_websites()?;
        match (done, plans.iter().all(|(_, plan)| plan.held.is_empty())) {
            (0, true) => ui::say("Nothing to do: everything is as it should be, and answers."),
            (0, false) => ui::say("Nothing else to do: everything else is as it should be."),
            (1.., _) => {}
        }
        ui::say(format!("The platform is at {}", deployment.page()));
        Ok(Some(deployment.page()))
    }
}
