//! The default-route fix of virtual machines.
//!
//! VirtualBox gives a guest's first interface, its NAT, a default route by DHCP (`default via 10.0.2.2 dev enp0s3`). Beside the
//! bridged network's it often wins: answers to users then leave by the NAT, and the machine cannot be reached by its name. DHCP
//! brings the route back at every renewal and reboot. v0.2 deletes it every minute by root's crontab.
//!
//! **What is done.** The route is not deleted but put *behind* the others: the same route, with a metric so large that it is used
//! only while there is no other ([`seen::BEHIND`]). When the bridge is down, the machine still gets out by the NAT, for packages and
//! images and for whoever looks after it. The metric also says what the route was before, so it can be put back without any record.
//! The new place is taken before the old one is given up: at every moment there is a default route. Routes to the subnets
//! themselves are not touched, so `vagrant ssh`, which comes from 10.0.2.2 through a forwarded port, works on.
//!
//! **When.** Only when another default route can take over: of an interface that is up and has a global address
//! ([`decide::decide`]). What is not certain is not done.
//!
//! **How it stays.** A small service, `dtaas route watch`, hears of every change (`ip monitor`, rtnetlink(7)) and puts the route
//! behind again within the second. It could be had by each machine's own means instead: `use-routes: false` or a metric of
//! netplan and systemd-networkd, a hook of dhclient or ifupdown, a profile of NetworkManager. Those are four ways with files that
//! belong to Vagrant or cloud-init, which write them again; each takes a reconfiguration of the interface that the operator's own
//! connection may go through; and `use-routes: false` leaves no way out when the bridge is down. Following the kernel works the same
//! on all of them. Where systemd does not run, cron does the same every minute, as in v0.2.

pub mod decide;
pub mod interface;
pub mod keep;
pub mod moves;
pub mod seen;
mod table;
pub mod watch;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::machine::files::is_root;
use decide::{Verdict, decide};
use interface::Interface;
use keep::{Keeper, Kept};
use seen::Shown;
use table::Table;

/// What the operator said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The NAT's interface, where it is not to be found by looking.
    pub interface: Option<Interface>,
}

/// What [`apply`] came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How the routes stood before.
    pub verdict: Verdict,
    /// The same as a sentence.
    pub why: String,
    /// What the operator can do about it, where it takes them.
    pub hint: Option<String>,
    /// Whether anything was changed.
    pub changed: bool,
    /// What keeps it so.
    pub kept: Keeper,
    /// What the operator should know besides.
    pub notes: Vec<String>,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The default routes, the one in use first.
    pub routes: Vec<Shown>,
    /// How they stand to each other.
    pub verdict: Verdict,
    /// The same as a sentence.
    pub why: String,
    /// What the operator can do about it, where it takes them.
    pub hint: Option<String>,
    /// What keeps the fix.
    pub kept: Kept,
    /// Whether the fix is installed and does what it is for.
    pub works: bool,
    /// What the operator should know besides.
    pub notes: Vec<String>,
}

/// Puts the NAT's default route behind the others, where it is in the way, and has it kept there. What happens is said line by
/// line. Doing it again changes nothing; without an interface, the one that was named before is meant.
///
/// # Errors
/// For anyone but root; without `ip`; when the kernel refuses. That there is nothing to do, or that it cannot be told which route
/// is the NAT's, is no error: the report says it.
pub async fn apply(options: &Options, say: &mut (dyn FnMut(&str) + Send)) -> Result<Report> {
    require_root("dtaas route apply")?;
    let table = Table::open()?;
    let found = keep::observe().await;
    let interface = options
        .interface
        .clone()
        .or_else(|| found.interface.clone());
    let interface = interface.as_ref();
    let before = decide(&table.look().await?, interface);
    let did = table
        .settle(|seen| moves::back(seen, &decide(seen, interface)))
        .await?;
    for line in &did {
        say(line);
    }
    let mut report = Report {
        verdict: before.verdict,
        why: before.why,
        hint: before.hint,
        changed: !did.is_empty(),
        kept: found.by,
        notes: notes(),
    };
    let fixed = match before.verdict {
        Verdict::Conflict | Verdict::Behind => true,
        // What is there already is brought up to date.
        Verdict::Outweighed | Verdict::OnlyNat | Verdict::NoConflict | Verdict::NoDefault => {
            report.changed || found.by != Keeper::Nothing
        }
        Verdict::NoInterface | Verdict::Unclear => false,
    };
    if fixed {
        let (kept, changed) = keep::install(interface).await.map_err(|error| {
            error.context(
                Failure::new("the routes are in order now, but that would not last")
                    .hint("mend what is named, then run `dtaas route apply` again"),
            )
        })?;
        report.kept = kept;
        report.changed |= changed;
        match kept {
            Keeper::Systemd if changed => say(&format!(
                "{} keeps it so, across DHCP renewals and reboots",
                keep::UNIT
            )),
            Keeper::Cron if changed => {
                say("cron keeps it so: it looks every minute, for systemd does not run here");
            }
            Keeper::Systemd | Keeper::Cron => {}
            Keeper::Nothing => report.notes.push(format!(
                "this lasts until the next DHCP renewal or reboot, for there is neither systemd nor cron here: have `{}` started with the machine",
                keep::by_hand(interface)
            )),
        }
    }
    Ok(report)
}

/// Looks, and changes nothing. Anyone may.
///
/// # Errors
/// Without `ip`.
pub async fn status() -> Result<Status> {
    let seen = Table::open()?.look().await?;
    let kept = keep::observe().await;
    let decision = decide(&seen, kept.interface.as_ref());
    let installed = match kept.by {
        Keeper::Systemd | Keeper::Cron => kept.trouble.is_none(),
        Keeper::Nothing => false,
    };
    Ok(Status {
        routes: seen.shown(),
        works: installed && decision.verdict != Verdict::Conflict,
        verdict: decision.verdict,
        why: decision.why,
        hint: decision.hint,
        kept,
        notes: notes(),
    })
}

/// Takes the fix away and puts the routes back where they were. Answers whether there was anything to do.
///
/// # Errors
/// For anyone but root; without `ip`; when the kernel or systemd refuses.
pub async fn remove(say: &mut (dyn FnMut(&str) + Send)) -> Result<bool> {
    require_root("dtaas route remove")?;
    let table = Table::open()?;
    // First, or else it would put them behind again.
    let uninstalled = keep::uninstall().await?;
    if uninstalled {
        say("The fix is not kept any more");
    }
    let did = table.settle(moves::forth).await?;
    for line in &did {
        say(line);
    }
    if uninstalled && did.is_empty() {
        say(
            "No route was behind the others: one that is missing comes back with the next DHCP renewal or reboot",
        );
    }
    Ok(uninstalled || !did.is_empty())
}

fn notes() -> Vec<String> {
    let line = keep::line_of_v02().map(|line| {
        format!(
            "root's crontab still has v0.2's line, which takes the route away instead of leaving it as a way out: delete `{line}` (crontab -e)"
        )
    });
    line.into_iter().collect()
}

fn require_root(command: &str) -> Result<()> {
    match is_root() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "{command} changes this machine's routes, which takes root"
        ))
        .hint(format!("sudo {command}"))
        .into()),
    }
}
