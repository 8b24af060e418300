//! `dtaas user enable` and `dtaas user disable`.

use super::{Entries, Names, Reached, Turn, converge};
use crate::cli::run;
use crate::deployment::Deployment;
use crate::deployment::users::settings::Settings;
use crate::ui;

/// Lets users in, or shuts them out: first the file in `users/`, so that a run that is cut off is ended by the next `up`, then the
/// door, then the workspace.
pub(super) async fn run(names: Names, turn: Turn<'_>, enabled: bool) -> anyhow::Result<()> {
    let command = match enabled {
        true => "dtaas user enable",
        false => "dtaas user disable",
    };
    let open = Deployment::open(turn.directory)?;
    names.known(&open)?;
    let engine = run::engine_if_there(&open, command).await?;
    let (mut deployment, _lock, interrupt) = turn.locked(command).await?;
    let names = names.known(&deployment)?;
    let settings = Settings {
        enabled: Some(enabled),
        ..Settings::default()
    };
    let mut already = Vec::new();
    let mut edited = Vec::new();
    for name in &names {
        match deployment.require_user(name)?.enabled == enabled {
            true => already.push(name),
            false => edited.push(deployment.edit_user(name, &settings)?),
        }
    }
    for edited in edited {
        deployment.write_edited(edited)?;
    }
    let reached = converge(&deployment, engine, &names, Entries::Kept, &interrupt).await?;
    for name in &names {
        ui::say(match (already.contains(&name), enabled, reached) {
            (true, true, _) => format!("{name} is enabled already."),
            (true, false, _) => format!("{name} is disabled already."),
            (false, true, Reached::Up) => format!(
                "{name} is enabled; the workspace is at {}",
                deployment.workspace_page(name)
            ),
            (false, true, Reached::Files) => {
                format!("{name} is enabled; `dtaas up` starts the workspace with the platform.")
            }
            (false, false, _) => format!(
                "{name} is disabled: nobody enters, and the files and the workspace are kept."
            ),
        });
    }
    Ok(())
}
