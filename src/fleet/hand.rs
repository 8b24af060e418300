//! How one machine is worked on: by the engine here, or by the agent there. Both look first, and then do what they saw is due.

use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;

use super::{Seen, Wish};
use crate::deployment::converge::{self, Difference};
use crate::doctor::machine::Examined;
use crate::doctor::mend::Mended;
use crate::doctor::{self, Fix};
use crate::error::Failure;
use crate::machine::apply::Outcome;
use crate::machine::docker::Engine;
use crate::machine::doors::{self, Door};
use crate::machine::event::Event;
use crate::machine::journal::{self, Line, Wanted};
use crate::machine::lock::Lock;
use crate::machine::observed::Owner;
use crate::machine::usage::{self, Question, Usage};
use crate::machine::{observe, wait};
use crate::platform::desired::Desired;
use crate::remote::Agent;
use crate::remote::protocol::{Ended, Hold, Look, Reply, Request};

/// How long another run on the same deployment is waited for on another machine: what lost its connection ends within that.
const OTHERS: Duration = Duration::from_secs(60);

/// How one machine is worked on.
pub enum Hand {
    /// It is this one.
    Local(Box<Local>),
    /// It is another.
    Remote(Box<Remote>),
}

/// Another machine.
pub struct Remote {
    agent: Agent,
    pulling_within: Duration,
}

/// This machine.
pub struct Local {
    engine: Engine,
    lock: Option<Lock>,
    due: Option<Difference>,
}

impl Hand {
    /// This machine's.
    pub fn local(engine: Engine) -> Self {
        Hand::Local(Box::new(Local {
            engine,
            lock: None,
            due: None,
        }))
    }

    /// Another one's, by its agent; an image's pull may stand still for so long there.
    pub fn remote(agent: Agent, pulling_within: Duration) -> Self {
        Hand::Remote(Box::new(Remote {
            agent,
            pulling_within,
        }))
    }

    /// Looks at the machine, and keeps in mind what is due there.
    pub async fn look(
        &mut self,
        wish: Wish,
        note: &(dyn Fn(&str) + Sync),
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Seen> {
        match self {
            Hand::Local(local) => local.look(wish, note).await,
            Hand::Remote(remote) => {
                let look = Look {
                    desired: wish.desired,
                    options: wish.options,
                    lock: wish.holder.map(|command| Hold {
                        command: command.to_owned(),
                        wait: Some(OTHERS.as_secs()),
                    }),
                    answers: wish.answers,
                    pull_timeout: Some(remote.pulling_within.as_secs()),
                };
                let request = Request::Look(Box::new(look));
                let pick = |reply| match reply {
                    Reply::Difference(found) => Ok(Seen {
                        plan: found.plan,
                        containers: found.containers,
                        is_up: found.is_up,
                        answers: found.answers,
                    }),
                    other => Err(Box::new(other)),
                };
                remote.ask(request, &|_| {}, note, stop, pick).await
            }
        }
    }

    /// Why each of these doors is closed from there, in their order; `None` where it is open.
    pub async fn closed(
        &mut self,
        doors: &[Door],
        note: &(dyn Fn(&str) + Sync),
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Vec<Option<String>>> {
        match self {
            Hand::Local(_) => Ok(doors::closed(doors).await),
            Hand::Remote(remote) => {
                let request = Request::Doors {
                    doors: doors.to_vec(),
                };
                let pick = |reply| match reply {
                    Reply::Doors(closed) => Ok(closed),
                    other => Err(Box::new(other)),
                };
                remote.ask(request, &|_| {}, note, stop, pick).await
            }
        }
    }

    /// Finds what is not as it should be there.
    pub async fn examine(
        &mut self,
        desired: Desired,
        note: &(dyn Fn(&str) + Sync),
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Examined> {
        match self {
            Hand::Local(_) => Ok(doctor::machine::examine(desired).await),
            Hand::Remote(remote) => {
                let request = Request::Examine(Box::new(desired));
                let pick = |reply| match reply {
                    Reply::Examined(examined) => Ok(examined),
                    other => Err(Box::new(other)),
                };
                remote.ask(request, &|_| {}, note, stop, pick).await
            }
        }
    }

    /// Puts right there what was found.
    pub async fn mend(
        &mut self,
        fixes: Vec<Fix>,
        note: &(dyn Fn(&str) + Sync),
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Vec<Mended>> {
        match self {
            Hand::Local(_) => Ok(doctor::mend::mend(fixes, stop).await),
            Hand::Remote(remote) => {
                let pick = |reply| match reply {
                    Reply::Mended(mended) => Ok(mended),
                    other => Err(Box::new(other)),
                };
                let request = Request::Mend(fixes);
                remote.ask(request, &|_| {}, note, stop, pick).await
            }
        }
    }

    /// What containers use there, and users' files take.
    pub async fn usage(
        &mut self,
        question: Question,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Usage> {
        match self {
            Hand::Local(local) => usage::observe(&local.engine, question).await,
            Hand::Remote(remote) => {
                let pick = |reply| match reply {
                    Reply::Usage(usage) => Ok(usage),
                    other => Err(Box::new(other)),
                };
                let request = Request::Usage(question);
                remote.ask(request, &|_| {}, &|_| {}, stop, pick).await
            }
        }
    }

    /// Reads what containers wrote there, telling the lines.
    pub async fn read_logs(
        &mut self,
        wanted: Wanted,
        tell: &(dyn Fn(Vec<Line>) + Sync),
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        match self {
            Hand::Local(local) => {
                let tell = |lines| {
                    tell(lines);
                    std::future::ready(()).boxed_local()
                };
                journal::read(&local.engine, &wanted, &tell, stop).await
            }
            Hand::Remote(remote) => {
                let event = |event: Event| {
                    if let Event::Lines { lines } = event {
                        tell(lines);
                    }
                };
                let pick = |reply| match reply {
                    Reply::Told => Ok(()),
                    other => Err(Box::new(other)),
                };
                let request = Request::Logs(wanted);
                remote.ask(request, &event, &|_| {}, stop, pick).await
            }
        }
    }

    /// Runs a program in a container of another machine, to its end. On this one it has a terminal: see
    /// [`Engine::run_before`](crate::machine::docker::Engine::run_before).
    pub async fn run_in(
        &mut self,
        container: &str,
        owner: Owner,
        argv: Vec<String>,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Ended> {
        match self {
            Hand::Local(_) => Err(Failure::new("this machine has no agent").into()),
            Hand::Remote(remote) => {
                let request = Request::RunIn {
                    container: container.to_owned(),
                    owner,
                    argv,
                };
                let pick = |reply| match reply {
                    Reply::Ended(ended) => Ok(ended),
                    other => Err(Box::new(other)),
                };
                remote.ask(request, &|_| {}, &|_| {}, stop, pick).await
            }
        }
    }

    /// Removes what is ours below the deployment's root on another machine. This one's is purged with the deployment itself.
    pub async fn purge(
        &mut self,
        root: &Path,
        library: &Path,
        note: &(dyn Fn(&str) + Sync),
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        match self {
            Hand::Local(_) => Ok(()),
            Hand::Remote(remote) => {
                let request = Request::Purge {
                    root: root.to_owned(),
                    library: Some(root.join(library)),
                    command: "dtaas down".to_owned(),
                };
                let pick = |reply| match reply {
                    Reply::Purged => Ok(()),
                    other => Err(Box::new(other)),
                };
                remote.ask(request, &|_| {}, note, stop, pick).await
            }
        }
    }

    /// Does what was found to be due.
    pub async fn apply(
        &mut self,
        event: &(dyn Fn(Event) + Sync),
        note: &(dyn Fn(&str) + Sync),
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Outcome> {
        match self {
            Hand::Local(local) => local.apply(event, stop).await,
            Hand::Remote(remote) => {
                let pick = |reply| match reply {
                    Reply::Outcome(outcome) => Ok(outcome),
                    other => Err(Box::new(other)),
                };
                remote.ask(Request::Apply, event, note, stop, pick).await
            }
        }
    }
}

impl Remote {
    /// Asks the agent; `pick` takes out of the reply what was asked for, or gives it back.
    async fn ask<T>(
        &mut self,
        request: Request,
        event: &(dyn Fn(Event) + Sync),
        note: &(dyn Fn(&str) + Sync),
        stop: watch::Receiver<bool>,
        pick: impl FnOnce(Reply) -> Result<T, Box<Reply>>,
    ) -> anyhow::Result<T> {
        let note = &|text: String| note(&text);
        let reply = self.agent.ask(request, event, note, stop).await?;
        pick(reply).map_err(|other| out_of_turn(&self.agent, &other))
    }
}

/// What an agent says that nobody asked it for.
pub(super) fn out_of_turn(agent: &Agent, reply: &Reply) -> anyhow::Error {
    // Its first word says what it is; the rest may be long.
    let text = format!("{reply:?}");
    let word: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
    Failure::new(format!(
        "{}: the agent answered something else than it was asked ({word})",
        agent.machine()
    ))
    .hint("run the same again")
    .into()
}

impl Local {
    async fn look(&mut self, wish: Wish, note: &(dyn Fn(&str) + Sync)) -> anyhow::Result<Seen> {
        if let Some(holder) = &wish.holder {
            let holder = format!("{holder} of {}", wish.desired.deployment);
            self.lock = Some(Lock::machine(&holder, &|text| note(text)).await?);
        }
        let found = converge::difference(&self.engine, wish.desired, &wish.options).await?;
        let answers = match wish.answers {
            true => wait::answers_now(found.desired.containers.iter()).await,
            false => Vec::new(),
        };
        let seen = Seen {
            plan: found.plan.clone(),
            containers: found.observed.containers.clone(),
            is_up: observe::is_up(&self.engine, &found.desired).await?,
            answers,
        };
        self.due = Some(found);
        Ok(seen)
    }

    /// The machine's lock is let go of when nothing is changed any more, only waited for.
    async fn apply(
        &mut self,
        event: &(dyn Fn(Event) + Sync),
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Outcome> {
        let due = self
            .due
            .take()
            .ok_or_else(|| Failure::new("this machine was not looked at"))?;
        let lock = std::sync::Mutex::new(self.lock.take());
        let events = |happened: Event| {
            if let Event::Waiting { .. } = happened {
                lock.lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .take();
            }
            event(happened);
        };
        converge::apply(&self.engine, &due, stop, &events).await
    }
}
