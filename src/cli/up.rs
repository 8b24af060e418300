//! `dtaas up`: makes it so.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::interrupt::Interrupt;
use super::patience::{self, Patience};
use super::report::Report;
use super::run;
use crate::deployment::converge;
use crate::deployment::{Deployment, Missing};
use crate::machine::diff::{DiffOptions, Recreate};
use crate::machine::docker::{Engine, TO_PULL};
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
    #[command(flatten)]
    patience: Patience,
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
                for user in users {
                    if !deployment.library_root().join(user.as_str()).is_dir() {
                        deployment.require_user(user)?;
                    }
                }
                Ok(Recreate::Users(users.iter().cloned().collect()))
            }
        }
    }
}

impl Up {
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
        self.recreate.checked(&Deployment::with_profile(
            directory,
            self.profile.as_deref(),
        )?)?;
        run::require_root("dtaas up")?;
        let interrupt = Interrupt::listen()?;
        let engine = interrupt.or(Engine::connect(None)).await?;
        let engine = engine.pulling_within(Duration::from_secs(self.pull_timeout));
        let profile = self.profile.as_deref();
        let (deployment, _lock) = self
            .patience
            .locked(directory, "dtaas up", profile, &interrupt)
            .await?;
        let options = DiffOptions {
            recreate: self.recreate.checked(&deployment)?,
            ..DiffOptions::default()
        };
        deployment.require_roots_own()?;
        let machine = patience::machine(&deployment, "dtaas up", &interrupt, report).await?;
        let desired = deployment.desired(Missing::Keep)?;
        let difference = interrupt
            .or(converge::difference(&engine, desired, &options))
            .await?;
        if difference.plan.refused.is_empty() && deployment.keep_profile()? {
            report.note(&format!(
                "{}: profile is now {}",
                load::FILE,
                deployment.spec.profile
            ));
        }
        let outcome =
            run::carry_out(&engine, &difference, &interrupt, report, Some(machine)).await?;
        run::say_held(&difference.plan, report);
        run::say_notes(&deployment, &difference.plan, report)?;
        outcome.result_of(&run::typed(directory, "up"))?;
        match (outcome.done, difference.plan.held.as_slice()) {
            (0, []) => ui::say("Nothing to do: everything is as it should be, and answers."),
            (0, [_, ..]) => ui::say("Nothing else to do: everything else is as it should be."),
            (1.., _) => {}
        }
        ui::say(format!("The platform is at {}", deployment.page()));
        Ok(Some(deployment.page()))
    }
}
