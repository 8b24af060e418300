//! The machines of a deployment, worked on side by side: each is reached, looked at and brought to what it should have, this one by
//! the engine here, the others by the same program there. What fails on one of them holds no other up.

pub mod doors;
mod hand;
mod reach;
#[cfg(test)]
mod tests;
mod virtual_machines;

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::future::join_all;
use tokio::sync::watch;

use crate::deployment::Deployment;
use crate::deployment::sites::Site;
use crate::error::{Exit, Failure, failure_of};
use crate::machine::apply::Outcome;
use crate::machine::diff::DiffOptions;
use crate::machine::docker::Engine;
use crate::machine::event::Event;
use crate::machine::observed::ContainerState;
use crate::machine::plan::Plan;
use crate::platform::desired::Desired;

pub use hand::Hand;
pub use reach::{Docker, How, reach};
pub use virtual_machines::{end_virtual, left};

/// Who is told what happens. `machine` is `None` where there is but this one.
pub trait Tell: Sync {
    /// Something happened.
    fn event(&self, machine: Option<&str>, event: Event);
    /// Something that the operator should know.
    fn note(&self, machine: Option<&str>, text: &str);
}

/// What is asked of a machine.
pub struct Wish {
    /// What it should have.
    pub desired: Desired,
    /// What was asked for besides.
    pub options: DiffOptions,
    /// Which command locks the machine, for what is done afterwards; `None` only looks.
    pub holder: Option<&'static str>,
    /// Whether each container is asked if it answers.
    pub answers: bool,
}

/// What was seen of a machine.
pub struct Seen {
    /// What is to be done there.
    pub plan: Plan,
    /// Containers that are there, by name.
    pub containers: BTreeMap<String, ContainerState>,
    /// Whether the platform is up there: whether its gateway is there.
    pub is_up: bool,
    /// Whether each container that should be there answers, in their order; empty where it was not asked for.
    pub answers: Vec<bool>,
}

/// A machine, or why it cannot be worked on any further.
pub struct Member<'a> {
    /// Which.
    pub site: &'a Site,
    /// How it is worked on.
    pub hand: anyhow::Result<Hand>,
    /// How it is called in what is told: not at all where it is the only one, and here.
    pub called: Option<&'a str>,
}

impl<'a> Member<'a> {
    fn new(site: &'a Site, hand: anyhow::Result<Hand>, alone: bool) -> Self {
        Self {
            site,
            hand,
            called: (!alone).then_some(site.name.as_str()),
        }
    }

    /// This machine.
    pub fn here(site: &'a Site, engine: Engine) -> Self {
        Self::new(site, Ok(Hand::local(engine)), true)
    }

    /// Takes the machine's error away, when there is one. Those of other machines name them already.
    fn lost(self) -> Option<(Option<&'a str>, anyhow::Error)> {
        let called = self.called.filter(|_| self.site.is_local());
        self.hand.err().map(|error| (called, error))
    }
}

/// What is known of a machine after it was looked at, in the order of the members; `None` where it cannot be worked on.
pub type Looks = Vec<Option<Seen>>;

/// Looks at all machines. One that cannot be looked at is lost from then on.
pub async fn look(
    members: &mut [Member<'_>],
    wish: impl Fn(&Site) -> anyhow::Result<Wish>,
    tell: &dyn Tell,
    stop: watch::Receiver<bool>,
) -> Looks {
    join_all(members.iter_mut().map(|member| {
        let wish = wish(member.site);
        let stop = stop.clone();
        async move {
            let Ok(hand) = &mut member.hand else {
                return None;
            };
            let seen = match wish {
                Ok(wish) => {
                    let note = |text: &str| tell.note(member.called, text);
                    hand.look(wish, &note, stop).await
                }
                Err(error) => Err(error),
            };
            seen.map_err(|error| member.hand = Err(error)).ok()
        }
    }))
    .await
}

/// Does what was found to be due, on all machines side by side; answers what came of it, in the order of the members.
pub async fn apply(
    members: &mut [Member<'_>],
    looks: &Looks,
    tell: &dyn Tell,
    stop: watch::Receiver<bool>,
) -> Vec<Option<Outcome>> {
    join_all(members.iter_mut().zip(looks).map(|(member, look)| {
        let stop = stop.clone();
        async move {
            let (Ok(hand), Some(seen)) = (&mut member.hand, look) else {
                return None;
            };
            if let Some(refusal) = seen.plan.refusal() {
                member.hand = Err(refusal.into());
                return None;
            }
            let called = member.called;
            let event = |event: Event| tell.event(called, event);
            let note = |text: &str| tell.note(called, text);
            hand.apply(&event, &note, stop)
                .await
                .map_err(|error| member.hand = Err(error))
                .ok()
        }
    }))
    .await
}

/// All that went wrong, on any machine, as one error. `again` is what does the rest, such as "dtaas up".
///
/// # Errors
/// The only error there is, with the machine's name before it; or a list of them. Interrupted is the whole run when one of them is.
/// `outcomes` is empty where nothing was done.
pub fn result(
    members: Vec<Member<'_>>,
    outcomes: Vec<Option<Outcome>>,
    again: &str,
) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    let mut outcomes = outcomes.into_iter();
    for member in members {
        let called = member.called;
        let outcome = outcomes.next().flatten();
        if let Some(Err(error)) = outcome.map(|outcome| outcome.result_of(again)) {
            wrong.push((called, error));
        }
        wrong.extend(member.lost());
    }
    together(wrong)
}

/// Several machines' errors as one.
pub fn together(mut wrong: Vec<(Option<&str>, anyhow::Error)>) -> anyhow::Result<()> {
    let exit =
        |error: &anyhow::Error| failure_of(error).map_or(Exit::Failed, |failure| failure.code());
    let hint = |error: &anyhow::Error| {
        failure_of(error)
            .and_then(|failure| failure.remedy())
            .or_else(|| crate::error::remedy_of_cause(error))
            .map(str::to_owned)
    };
    match wrong.len() {
        0 => Ok(()),
        1 => match wrong.remove(0) {
            (None, error) => Err(error),
            (Some(name), error) => {
                let failure = Failure::new(format!("{name}: {error:#}")).exit(exit(&error));
                Err(match hint(&error) {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                }
                .into())
            }
        },
        many => {
            let interrupted = wrong
                .iter()
                .any(|(_, error)| exit(error) == Exit::Interrupted);
            let lines: Vec<String> = wrong
                .iter()
                .map(|(name, error)| {
                    let name = name.map(|name| format!("{name}: ")).unwrap_or_default();
                    match hint(error) {
                        Some(hint) => format!("- {name}{error:#} ({hint})"),
                        None => format!("- {name}{error:#}"),
                    }
                })
                .collect();
            Err(
                Failure::new(format!("{many} machines failed:\n{}", lines.join("\n")))
                    .hint("mend that, then run this again: what is done stays done")
                    .exit(match interrupted {
                        true => Exit::Interrupted,
                        false => Exit::Failed,
                    })
                    .into(),
            )
        }
    }
}

/// Whether there is but this machine.
pub fn is_alone(deployment: &Deployment) -> bool {
    matches!(deployment.sites.as_slice(), [site] if site.is_local())
}

/// Removes what is ours of the deployment's directory on other machines; a library elsewhere than in it stays.
pub async fn purge(
    members: &mut [Member<'_>],
    library: &Path,
    tell: &dyn Tell,
    stop: watch::Receiver<bool>,
) {
    join_all(members.iter_mut().map(|member| {
        let stop = stop.clone();
        async move {
            let Ok(hand) = &mut member.hand else {
                return;
            };
            let note = |text: &str| tell.note(member.called, text);
            if let Err(error) = hand.purge(&member.site.root, library, &note, stop).await {
                member.hand = Err(error);
            }
        }
    }))
    .await;
}
