//! `dtaas route`: the default-route fix of virtual machines.

use clap::{Args, Subcommand};

use crate::error::{Exit, Failure};
use crate::route::decide::Verdict;
use crate::route::interface::Interface;
use crate::route::keep::{Keeper, UNIT};
use crate::route::{self, Options, Status};
use crate::ui;
use crate::ui::printable::printable;
use crate::ui::table::table;

/// Put the default route of a virtual machine's NAT behind the bridged network's, so that the machine is reached by its name.
#[derive(Debug, Args)]
pub struct Route {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put it behind the others, where it is in the way, and keep it there across DHCP renewals and reboots.
    Apply(Which),
    /// Show the default routes, and whether the fix is installed and works.
    Status {
        /// Give it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take the fix away, and put the route back where it was.
    Remove,
    /// Stay, and put it behind the others whenever it comes back. This is what the service runs.
    #[command(hide = true)]
    Watch {
        #[command(flatten)]
        which: Which,
        /// Look once.
        #[arg(long)]
        once: bool,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// The NAT's interface, where it is not found by looking.
    #[arg(long, value_name = "NAME")]
    interface: Option<Interface>,
}

impl From<Which> for Options {
    fn from(which: Which) -> Self {
        Self {
            interface: which.interface,
        }
    }
}

impl Route {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Apply(which) => apply(&which.into()).await,
            Command::Status { json: true } => ui::json(&route::status().await?),
            Command::Status { json: false } => {
                ui::data(text(&route::status().await?));
                Ok(())
            }
            Command::Remove => {
                if !route::remove(&mut |line| ui::say(sentence(line))).await? {
                    ui::say("Nothing to do: the fix is not there.");
                }
                Ok(())
            }
            Command::Watch { which, once: true } => route::watch::once(&which.into()).await,
            Command::Watch { which, once: false } => route::watch::watch(&which.into()).await,
        }
    }
}

async fn apply(options: &Options) -> anyhow::Result<()> {
    let report = route::apply(options, &mut |line| ui::say(sentence(line))).await?;
    for note in &report.notes {
        ui::say(format!("Note: {}.", printable(note)));
    }
    let refused = match report.verdict {
        Verdict::Unclear => Failure::new(report.why),
        Verdict::NoInterface => Failure::new(report.why).exit(Exit::Usage),
        Verdict::Conflict
        | Verdict::Behind
        | Verdict::Outweighed
        | Verdict::OnlyNat
        | Verdict::NoConflict
        | Verdict::NoDefault => {
            if !report.changed {
                ui::say(format!("Nothing to do: {}.", report.why));
            }
            if let Some(hint) = report.hint {
                ui::say(format!("Note: {hint}."));
            }
            return Ok(());
        }
    };
    Err(match report.hint {
        Some(hint) => refused.hint(hint),
        None => refused,
    }
    .into())
}

fn sentence(line: &str) -> String {
    format!("{line}.")
}

fn text(status: &Status) -> String {
    let rows: Vec<[String; 5]> = status
        .routes
        .iter()
        .map(|route| {
            [
                printable(&route.device).into_owned(),
                route.gateway.map(|via| via.to_string()).unwrap_or_default(),
                route.metric.to_string(),
                printable(&route.protocol).into_owned(),
                match (route.in_use, route.behind) {
                    (true, true) => "in use, put behind",
                    (true, false) => "in use",
                    (false, true) => "put behind",
                    (false, false) => "",
                }
                .to_owned(),
            ]
        })
        .collect();
    let mut lines = Vec::new();
    if !rows.is_empty() {
        lines.push(table(["INTERFACE", "GATEWAY", "METRIC", "BY", ""], &rows));
        lines.push(String::new());
    }
    lines.push(format!("routes  {}", printable(&status.why)));
    if let Some(hint) = &status.hint {
        lines.push(format!("        {}", printable(hint)));
    }
    let kept = match status.kept.by {
        Keeper::Systemd => format!("kept by {UNIT}"),
        Keeper::Cron => "kept by cron, every minute".to_owned(),
        Keeper::Nothing => "not installed".to_owned(),
    };
    lines.push(match &status.kept.trouble {
        Some(trouble) => format!("fix     {kept}, but {trouble}: run `dtaas route apply` again"),
        None => format!("fix     {kept}"),
    });
    lines.extend(
        status
            .notes
            .iter()
            .map(|note| format!("note    {}", printable(note))),
    );
    lines.join("\n")
}
