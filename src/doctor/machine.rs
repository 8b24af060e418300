//! The checks of one machine, made on it.

mod clock;
mod components;
mod drift;
mod engine;
mod images;
mod isolation;
mod kernel;
mod obstacles;
mod packet_filter;
mod ports;
mod size;
mod space;

use std::path::PathBuf;

use futures_util::future::{LocalBoxFuture, join_all};
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use crate::machine::diff::{self, DiffOptions};
use crate::machine::docker::Engine;
use crate::machine::observed::Observed;
use crate::machine::plan::Plan;
use crate::machine::{observe, wait};
use crate::platform::desired::Desired;

/// One check.
pub struct Check {
    /// Its name in findings.
    pub name: &'static str,
    run: for<'a> fn(&'a Subject) -> LocalBoxFuture<'a, Vec<Finding>>,
}

/// All of them, in the order in which they are told.
pub const CHECKS: &[Check] = &[
    engine::CHECK,
    obstacles::CHECK,
    ports::CHECK,
    space::CHECK,
    size::CHECK,
    kernel::CHECK,
    clock::CHECK,
    packet_filter::CHECK,
    images::CHECK,
    components::CHECK,
    drift::CHECK,
    isolation::CHECK,
];

/// What the checks look at.
pub struct Subject {
    /// What the machine should have.
    pub desired: Desired,
    /// The engine, and what was seen through it; `None` where there is none that answers.
    pub seen: Option<Seen>,
    /// Below which directory the kernel shows itself: `/`.
    pub root: PathBuf,
}

/// What the engine showed.
pub struct Seen {
    /// The engine.
    pub engine: Engine,
    /// What there is.
    pub observed: Observed,
    /// What `up` would do.
    pub plan: Plan,
    /// Whether the platform is up: whether its gateway is there, or, where none belongs here, any container of ours.
    pub is_up: bool,
    /// Whether each desired container answers, in their order.
    pub answers: Vec<bool>,
}

/// What was found on a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// The checks that were made, by name.
    pub checks: Vec<String>,
    /// The machine's clock when it was looked at, in seconds since 1970 (UTC).
    pub clock: i64,
}

/// Examines this machine. Writes nothing.
pub async fn examine(desired: Desired) -> Examined {
    let mut findings = Vec::new();
    let seen = match look(&desired).await {
        Ok(seen) => seen,
        Err(finding) => {
            findings.push(*finding);
            None
        }
    };
    let subject = Subject {
        desired,
        seen,
        root: PathBuf::from("/"),
    };
    for found in join_all(CHECKS.iter().map(|check| (check.run)(&subject))).await {
        findings.extend(found);
    }
    Examined {
        findings,
        checks: CHECKS.iter().map(|check| check.name.to_owned()).collect(),
        clock: time::OffsetDateTime::now_utc().unix_timestamp(),
    }
}

/// What the engine shows; `None` where there is none, and nothing wants one.
async fn look(desired: &Desired) -> Result<Option<Seen>, Box<Finding>> {
    if desired.containers.is_empty() && !Engine::is_there() {
        return Ok(None);
    }
    let engine = Engine::connect(None)
        .await
        .map_err(|error| Box::new(engine::not_there(&error)))?;
    let options = DiffOptions::default();
    let observed = observe::observe(&engine, desired, &options.scope)
        .await
        .map_err(|error| Box::new(Finding::of(engine::CHECK.name, &error)))?;
    let plan = diff::diff(desired, &observed, &options);
    let is_up = observed
        .containers
        .values()
        .any(|one| one.owner == crate::machine::observed::Owner::of(desired));
    let answers = wait::answers_now(desired.containers.iter()).await;
    Ok(Some(Seen {
        engine,
        observed,
        plan,
        is_up,
        answers,
    }))
}

/// A check that only looks at what was seen already.
macro_rules! at_once {
    ($check:path) => {
        |subject| ::futures_util::FutureExt::boxed_local(::std::future::ready($check(subject)))
    };
}
use at_once;

impl Subject {
    /// A file of the kernel's, such as `proc/sys/net/ipv4/ip_forward`, without blanks at its ends.
    fn kernel(&self, path: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.root.join(path)).ok()?;
        Some(text.trim().to_owned())
    }

    /// Whether systemd runs this machine (sd_booted(3)).
    fn has_systemd(&self) -> bool {
        self.root.join("run/systemd/system").is_dir()
    }

    /// How many workspaces run here.
    fn workspaces(&self) -> u64 {
        let all = self.desired.containers.iter();
        let count = all.filter(|one| one.user.is_some() && one.running).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}
