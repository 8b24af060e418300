//! `dtaas heal`: one look after this machine's workspaces.

use std::net::Ipv4Addr;
use std::path::Path;

use clap::Args;

use super::run;
use crate::deployment::sites::Site;
use crate::deployment::{Deployment, runs};
use crate::error::Failure;
use crate::machine::docker::Engine;
use crate::machine::heal::{self, Done, Healed, Options};
use crate::machine::lock::Lock;
use crate::machine::observed::Owner;
use crate::platform::desired::{Desired, gateway_of_workspaces};
use crate::spec::names::DeploymentName;
use crate::spec::quantity::Span;
use crate::spec::read::default;
use crate::ui;

/// Look once whether each workspace of this machine has its network, and restart those that have lost it: what is installed in them
/// stays. With healing.enabled in dtaas.yaml, systemd does so by itself.
#[derive(Debug, Args)]
pub struct Heal {
    /// What systemd's unit knows, on a machine that has no dtaas.yaml.
    #[arg(long, hide = true)]
    deployment: Option<DeploymentName>,
    #[arg(long, hide = true, requires = "deployment")]
    at_most_every: Option<u64>,
    #[arg(long, hide = true)]
    restart_every: Option<u64>,
    #[arg(long, hide = true)]
    gateway_port: Option<u16>,
    #[arg(long, hide = true)]
    gateway_address: Option<Ipv4Addr>,
}

impl Heal {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        // As the spec has it, wherever links lead: the containers' labels tell it by that.
        let root = std::path::absolute(directory)?;
        let options = match self.deployment {
            Some(name) => Options {
                owner: Owner::of(&Desired::nothing(name, root.clone())),
                gateway: self.gateway_port.map(|port| (port, self.gateway_address)),
                at_most_every: seconds(self.at_most_every.unwrap_or_else(usual)),
                restart_every: self.restart_every.map(seconds),
            },
            None => of_spec(directory)?,
        };
        run::require_root("dtaas heal")?;
        let engine = Engine::connect(None).await?;
        let hold = || Lock::take(&root, "dtaas heal").ok();
        let healed = heal::heal(&engine, &options, hold).await?;
        let tried = |one: &Healed| !matches!(one.done, Done::NotYet(_) | Done::Changed);
        // What waits is told by every look, and not kept.
        if healed.iter().any(tried) {
            runs::begin(&root);
        }
        let mut failed = Vec::new();
        for Healed {
            container,
            why,
            done,
        } in healed
        {
            match done {
                Done::Restarted => ui::say(format!("{container} was restarted: {why}")),
                Done::Attached => ui::say(format!("{container} was attached again: {why}")),
                Done::NotYet(age) => ui::say(format!(
                    "{container} is not restarted, though {why}: it was started {age} s ago already"
                )),
                Done::Changed => ui::say(format!(
                    "{container} was changed meanwhile, and is left alone"
                )),
                Done::Failed(error) => failed.push(format!(
                    "{container} was not restarted, though {why}: {error}"
                )),
            }
        }
        match failed.is_empty() {
            true => Ok(()),
            false => Err(Failure::new(failed.join("; "))
                .hint("`dtaas doctor` says more")
                .into()),
        }
    }
}

/// What the deployment in a directory says, or what is usual where it has none of it.
fn of_spec(directory: &Path) -> anyhow::Result<Options> {
    let deployment = Deployment::open(directory)?;
    let Some(site) = deployment.users_site().filter(|site| Site::is_local(site)) else {
        return Err(
            Failure::usage("the workspaces are on another machine than this one")
                .hint("with healing.enabled in dtaas.yaml that machine looks after them by itself")
                .into(),
        );
    };
    let desired = deployment.desired_to_look(site)?;
    let healing = desired.healing.as_ref();
    Ok(Options {
        owner: Owner::of(&desired),
        gateway: gateway_of_workspaces(desired.firewall.as_ref()),
        at_most_every: seconds(healing.map_or_else(usual, |healing| healing.at_most_every)),
        restart_every: healing
            .and_then(|healing| healing.restart_every)
            .map(seconds),
    })
}

/// How often a workspace is restarted at most, where nothing is said.
fn usual() -> u64 {
    default::HEALING_AT_MOST
        .parse()
        .map_or(u64::MAX, |Span(seconds)| seconds)
}

fn seconds(span: u64) -> i64 {
    i64::try_from(span).unwrap_or(i64::MAX)
}
