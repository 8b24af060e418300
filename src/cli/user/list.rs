//! `dtaas user list`.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use crate::deployment::Deployment;
use crate::ui;
use crate::ui::table::table;

/// List the users.
#[derive(Debug, Args)]
pub struct List {
    /// Give them as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    name: String,
    enabled: bool,
    groups: Vec<&'static str>,
    password: bool,
    network: Option<String>,
    image: String,
    limits: Limits,
}

/// Limits as they count; `None` is without.
#[derive(Serialize)]
struct Limits {
    cpus: Option<String>,
    memory: Option<String>,
    pids: Option<i64>,
    shm: String,
}

impl List {
    /// Runs the command.
    pub fn run(self, directory: &Path) -> anyhow::Result<()> {
        let deployment = Deployment::open(directory)?;
        let rows = rows(&deployment)?;
        if self.json {
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
}

fn rows(deployment: &Deployment) -> anyhow::Result<Vec<Row>> {
    let entries = deployment.entries()?.good;
    let spec = &deployment.spec;
    let row = |(name, user): (&_, &crate::spec::model::User)| {
        let limits = spec.workspace.limits.with(user.limits);
        let image = user.image.as_ref().unwrap_or(&spec.workspace.image);
        Row {
            name: String::from(Clone::clone(name)),
            enabled: user.enabled,
            groups: user.groups.iter().map(|group| group.as_str()).collect(),
            password: entries.contains_key(name),
            network: spec.subnet(user.slot).map(|subnet| subnet.to_string()),
            image: format!("{}{image}", spec.image_prefix),
            limits: Limits {
                cpus: limits.cpus.map(|cpus| cpus.to_string()),
                memory: limits.memory.map(|memory| memory.to_string()),
                pids: limits.pids,
                shm: limits.shm.to_string(),
            },
        }
    };
    Ok(spec.users.iter().map(row).collect())
}
