//! `dtaas user set`: groups, limits and image of users.

use clap::Args;

use super::{Entries, Names, Reached, Turn, converge, require_fits};
use crate::cli::run;
use crate::deployment::Deployment;
use crate::deployment::users::parse_group;
use crate::deployment::users::settings::Settings;
use crate::spec::model::Group;
use crate::ui;

/// Change users' groups, limits and image; limits count at once, without a restart.
///
/// What takes a new container, such as another image, is left until `dtaas up --recreate NAME` asks for it.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    names: Names,
    /// The groups, all of them, separated by commas: publishers and admins; none for no group.
    #[arg(long, value_delimiter = ',', value_parser = group_or_none)]
    groups: Option<Vec<Membership>>,
    #[command(flatten)]
    own: Own,
}

/// What a user may have otherwise than the others.
#[derive(Debug, Args)]
#[group(multiple = true)]
pub(super) struct Own {
    /// The workspace's image; default for that of dtaas.yaml.
    #[arg(long, value_name = "REFERENCE")]
    image: Option<String>,
    /// Processors, such as 2 or 0.5; none for no limit, default for what dtaas.yaml says.
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<String>,
    /// Memory, such as 8g; none or default as for --cpus.
    #[arg(long, value_name = "AMOUNT")]
    memory: Option<String>,
    /// Processes and threads; none or default as for --cpus.
    #[arg(long, value_name = "NUMBER")]
    pids: Option<String>,
    /// Size of /dev/shm, such as 1g; default for what dtaas.yaml says.
    #[arg(long, value_name = "AMOUNT")]
    shm: Option<String>,
}

impl Own {
    /// The same as settings.
    pub(super) fn settings(&self) -> Settings {
        let limits = [
            ("cpus", &self.cpus),
            ("memory", &self.memory),
            ("pids", &self.pids),
            ("shm", &self.shm),
        ];
        let given = limits
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.clone()?)));
        Settings {
            image: self.image.clone(),
            limits: given.collect(),
            ..Settings::default()
        }
    }
}

/// A group, or none.
type Membership = Option<Group>;

fn group_or_none(text: &str) -> Result<Membership, String> {
    match text {
        "none" => Ok(None),
        group => parse_group(group).map(Some),
    }
}

impl Set {
    /// Runs the command.
    pub async fn run(self, turn: Turn<'_>) -> anyhow::Result<()> {
        let settings = Settings {
            groups: self
                .groups
                .as_ref()
                .map(|groups| groups.iter().flatten().copied().collect()),
            ..self.own.settings()
        };
        let open = Deployment::open(turn.directory)?;
        for name in &self.names.known(&open)? {
            open.edit_user(name, &settings)?;
        }
        let engine = run::engine_if_there(&open, "dtaas user set").await?;
        require_fits(engine.as_ref(), &settings)?;
        let (mut deployment, _lock, interrupt) = turn.locked("dtaas user set").await?;
        let names = self.names.known(&deployment)?;
        let mut edited = Vec::new();
        for name in &names {
            edited.push(deployment.edit_user(name, &settings)?);
        }
        let differs: Vec<bool> = edited.iter().map(|edited| edited.differs).collect();
        for edited in edited {
            deployment.write_edited(edited)?;
        }
        let reached = converge(&deployment, engine, &names, Entries::Kept, &interrupt).await?;
        for (name, differs) in names.iter().zip(differs) {
            ui::say(match (differs, reached) {
                (false, _) => format!("{name} has these settings already."),
                (true, Reached::Up) => format!("{name}'s settings are changed."),
                (true, Reached::Files) => {
                    format!(
                        "{name}'s settings are changed; `dtaas up` brings them to the workspace."
                    )
                }
            });
        }
        Ok(())
    }
}
