//! What can be asked of the agent.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::FutureExt;
use tokio::sync::watch;

use super::voice::Voice;
use super::{docker, facts};
use crate::doctor;
use crate::error::{Exit, Failure};
use crate::machine::apply::{self, Outcome};
use crate::machine::diff::{self, Scope};
use crate::machine::docker::Engine;
use crate::machine::event::Event;
use crate::machine::lock::Lock;
use crate::machine::observed::{Observed, Owner};
use crate::machine::plan::Plan;
use crate::machine::{doors, journal, observe, purge, usage, wait};
use crate::platform::desired::Desired;
use crate::remote::protocol::{Difference, Ended, Hold, Look, Reply, Request, Said};
use crate::route;

pub(super) struct Worker<'a> {
    voice: &'a Voice,
    /// What the last look found, to be applied.
    found: Option<Found>,
}

struct Found {
    desired: Desired,
    plan: Plan,
    /// None where there is none, and nothing wants one.
    engine: Option<Engine>,
    locks: Option<Locks>,
}

struct Locks {
    /// The deployment's, until the end.
    _deployment: Lock,
    /// The machine's, until nothing is changed any more.
    machine: Lock,
}

impl<'a> Worker<'a> {
    pub(super) fn new(voice: &'a Voice) -> Self {
        Self { voice, found: None }
    }

    pub(super) async fn answer(
        &mut self,
        request: Request,
        stop: watch::Receiver<bool>,
    ) -> Result<Reply> {
        match request {
            Request::Look(look) => {
                // The locks of an earlier look would be waited for without end.
                self.found = None;
                let (found, difference) = unless_stopped(stop, self.look(*look)).await?;
                self.found = Some(found);
                Ok(Reply::Difference(Box::new(difference)))
            }
            Request::Apply => match self.found.take() {
                Some(found) => self.apply(found, stop).await.map(Reply::Outcome),
                None => Err(Failure::new("nothing was looked for that could be done").into()),
            },
            Request::Purge {
                root,
                library,
                command,
            } => {
                self.found = None;
                // On a thread of its own: many files take longer than the other end waits for a word.
                tokio::task::spawn_blocking(move || purge(&root, library.as_deref(), &command))
                    .await
                    .context("removing the files broke off")??;
                Ok(Reply::Purged)
            }
            Request::Facts => Ok(Reply::Facts(unless_stopped(stop, facts::look()).await?)),
            Request::InstallDocker => {
                let version = docker::install(&|note| self.note(note)).await?;
                Ok(Reply::Docker { version })
            }
            Request::Doors { doors } => {
                let tried = async { Ok(doors::closed(&doors).await) };
                Ok(Reply::Doors(unless_stopped(stop, tried).await?))
            }
            Request::Route => {
                let voice = self.voice;
                let mut say = |text: &str| voice.say(Said::Note(text.to_owned()));
                let report = route::apply(&route::Options::default(), &mut say).await?;
                Ok(Reply::Route(Box::new(report)))
            }
            Request::Examine(desired) => {
                let examined = async { Ok(doctor::machine::examine(*desired).await) };
                Ok(Reply::Examined(unless_stopped(stop, examined).await?))
            }
            Request::Usage(question) => {
                let engine = Engine::connect(None).await?;
                let observed = usage::observe(&engine, question);
                Ok(Reply::Usage(unless_stopped(stop, observed).await?))
            }
            Request::Logs(wanted) => {
                let engine = Engine::connect(None).await?;
                let voice = self.voice;
                let tell = |lines| {
                    let said = Said::Event(Event::Lines { lines });
                    voice.say_when_taken(said).boxed_local()
                };
                journal::read(&engine, &wanted, &tell, stop).await?;
                Ok(Reply::Told)
            }
            Request::RunIn {
                container,
                owner,
                argv,
            } => {
                let engine = Engine::connect(None).await?;
                let ended = run_in(&engine, &container, &owner, &argv);
                Ok(Reply::Ended(unless_stopped(stop, ended).await?))
            }
            Request::Mend(fixes) => Ok(Reply::Mended(doctor::mend::mend(fixes, stop).await)),
        }
    }

    fn note(&self, note: &str) {
        self.voice.say(Said::Note(note.to_owned()));
    }

    async fn look(&self, look: Look) -> Result<(Found, Difference)> {
        let Look {
            desired,
            options,
            lock,
            answers,
            pull_timeout,
        } = look;
        let engine = engine(&desired, pull_timeout).await?;
        let locks = match &lock {
            Some(hold) => Some(self.lock(&desired, hold).await?),
            None => None,
        };
        let (plan, containers, is_up) = match &engine {
            Some(engine) => {
                let observed = observe::observe(engine, &desired, &options.scope).await?;
                let plan = diff::diff(&desired, &observed, &options);
                let is_up = observe::is_up(engine, &desired).await?;
                (plan, observed.containers, is_up)
            }
            None => (
                only_paths(&desired, &options.scope)?,
                BTreeMap::new(),
                false,
            ),
        };
        let answers = match answers {
            true => wait::answers_now(desired.containers.iter()).await,
            false => Vec::new(),
        };
        let difference = Difference {
            plan: plan.clone(),
            containers,
            is_up,
            answers,
        };
        let found = Found {
            desired,
            plan,
            engine,
            locks,
        };
        Ok((found, difference))
    }

    async fn lock(&self, desired: &Desired, hold: &Hold) -> Result<Locks> {
        make_root(&desired.root)?;
        let say = |text: &str| self.note(text);
        let free = Lock::wait(&desired.root, &hold.command, &say);
        let deployment = match hold.wait {
            None => free.await?,
            Some(seconds) => match tokio::time::timeout(Duration::from_secs(seconds), free).await {
                Ok(lock) => lock?,
                // Whoever still has it is named.
                Err(_) => Lock::take(&desired.root, &hold.command)?,
            },
        };
        let holder = format!("{} of {}", hold.command, desired.deployment);
        Ok(Locks {
            _deployment: deployment,
            machine: Lock::machine(&holder, &say).await?,
        })
    }

    async fn apply(&self, found: Found, stop: watch::Receiver<bool>) -> Result<Outcome> {
        let Found {
            desired,
            plan,
            engine,
            locks,
        } = found;
        let (_deployment, machine) = match locks {
            Some(locks) => (Some(locks._deployment), Some(locks.machine)),
            None => (None, None),
        };
        let machine = Mutex::new(machine);
        let events = |event: Event| {
            if let Event::Waiting { .. } = event {
                machine
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
            }
            self.voice.say(Said::Event(event));
        };
        match &engine {
            Some(engine) => {
                let options = apply::Options::new(stop);
                apply::apply(engine, &desired, &plan, &options, &events).await
            }
            None => Ok(Outcome {
                done: apply::paths(&desired, &plan)?,
                ..Outcome::default()
            }),
        }
    }
}

/// Runs a program to its end, and gives what it wrote.
async fn run_in(engine: &Engine, container: &str, owner: &Owner, argv: &[String]) -> Result<Ended> {
    engine.require_own(container, owner).await?;
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let code = engine
        .run_before(
            container,
            argv,
            tokio::io::empty(),
            &mut out,
            &mut errors,
            None,
        )
        .await?;
    Ok(Ended::of(code, &out, &errors))
}

fn purge(root: &Path, library: Option<&Path>, command: &str) -> Result<()> {
    absolute(root)?;
    match fs::symlink_metadata(root) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Ok(_) | Err(_) => {}
    }
    let library = library.unwrap_or(root);
    let lock = Lock::take(root, command)?;
    purge::purge(root, library, lock)
}

/// Does what changes nothing, unless told to come to an end first.
async fn unless_stopped<T>(
    mut stop: watch::Receiver<bool>,
    looking: impl Future<Output = Result<T>>,
) -> Result<T> {
    let stopped = async {
        if stop.wait_for(|stop| *stop).await.is_err() {
            // Nobody can say so any more.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = stopped => Err(Failure::new("interrupted; nothing was changed")
            .exit(Exit::Interrupted)
            .into()),
        found = looking => found,
    }
}

/// The engine. Where there is none, nothing runs, and who wants nothing of it can do without.
async fn engine(desired: &Desired, pull_timeout: Option<u64>) -> Result<Option<Engine>> {
    let is_wanted = !desired.containers.is_empty()
        || !desired.networks.is_empty()
        || !desired.images.is_empty()
        || desired.firewall.is_some();
    if !is_wanted && !Engine::is_there() {
        return Ok(None);
    }
    let engine = Engine::connect(None).await?;
    Ok(Some(match pull_timeout {
        Some(seconds) => engine.pulling_within(Duration::from_secs(seconds)),
        None => engine,
    }))
}

fn only_paths(desired: &Desired, scope: &Scope) -> Result<Plan> {
    let observed = Observed {
        paths: observe::paths(desired, scope)?,
        ..Observed::default()
    };
    Ok(diff::only_paths(desired, &observed))
}

fn absolute(root: &Path) -> Result<()> {
    match root.is_absolute() && root.parent().is_some() {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "{} cannot be where a deployment lies on a machine",
            root.display()
        ))
        .hint("give an absolute path, such as /opt/dtaas/foo.com")
        .into()),
    }
}

/// Makes the deployment's directory and those above it that are missing, open to be looked into whatever the umask is.
fn make_root(root: &Path) -> Result<()> {
    absolute(root)?;
    let missing: Vec<&Path> = root.ancestors().take_while(|one| !one.exists()).collect();
    for one in missing.into_iter().rev() {
        let made = match fs::create_dir(one) {
            Ok(()) => fs::set_permissions(one, fs::Permissions::from_mode(0o755)),
            // Somebody else was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && one.is_dir() => Ok(()),
            Err(error) => Err(error),
        };
        made.with_context(|| format!("cannot make the directory {}", one.display()))?;
    }
    Ok(())
}
