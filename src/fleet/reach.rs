//! Machines come within reach: this one by its engine, virtual ones after Vagrant has started them, the others by SSH at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::hand::out_of_turn;
use super::{Hand, Member, Tell, is_alone, virtual_machines};
use crate::deployment::Deployment;
use crate::deployment::sites::{Reach, Site};
use crate::error::{Exit, Failure};
use crate::machine::docker::{Engine, TO_PULL};
use crate::remote::agent::Options;
use crate::remote::asks::{Answer, Asks, Unknown};
use crate::remote::protocol::{DockerState, Reply, Request};
use crate::remote::{Agent, Target};
use crate::secrets::Secret;
use crate::spec::machine::Ssh;
use crate::ui::prompt;

/// What becomes of another machine that has no docker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Docker {
    /// It is an error.
    Needed,
    /// It gets it from its distribution's packages.
    Installed,
    /// It does not matter.
    Spared,
}

/// How machines are reached, and what is done for that.
pub struct How {
    /// This machine's engine, where it was connected to already.
    pub engine: Option<Engine>,
    /// Whether virtual machines that do not run, or do not exist, are started and made.
    pub make: bool,
    /// What becomes of other machines without docker.
    pub docker: Docker,
    /// How long an image's pull may stand still.
    pub pulling_within: Duration,
    /// The program for machines of another processor architecture.
    pub binary: Option<PathBuf>,
}

impl Default for How {
    fn default() -> Self {
        Self {
            engine: None,
            make: false,
            docker: Docker::Needed,
            pulling_within: TO_PULL,
            binary: None,
        }
    }
}

/// Reaches machines side by side. One that cannot be reached is there with the reason.
///
/// # Errors
/// Only when it is interrupted, or virtual machines cannot be told of to Vagrant at all.
pub async fn reach<'a>(
    deployment: &Deployment,
    sites: impl IntoIterator<Item = &'a Site>,
    how: How,
    tell: &dyn Tell,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<Vec<Member<'a>>> {
    let sites: Vec<&Site> = sites.into_iter().collect();
    let alone = is_alone(deployment);
    virtual_machines::begin(deployment, &sites, how.make, tell, stop.clone()).await?;
    // One after another: Vagrant holds a machine while it speaks of it.
    let mut targets = Vec::new();
    for site in &sites {
        targets.push(match &site.reach {
            Reach::Local => None,
            Reach::Ssh { ssh, key } => Some(Ok(by_ssh(site, ssh, key.clone()))),
            Reach::Vagrant { .. } => Some(virtual_machines::target(deployment, site).await),
        });
    }
    let how = &how;
    let hands = join_all(sites.iter().zip(targets).map(|(site, target)| async move {
        let called = (!alone).then_some(site.name.as_str());
        let note = |text: &str| tell.note(called, text);
        let Some(target) = target else {
            let engine = match &how.engine {
                Some(engine) => engine.clone(),
                None => Engine::connect(None).await?,
            };
            return Ok(Hand::local(engine));
        };
        let target = target?;
        let mut agent = start(&target, how, site.is_virtual(), &note).await?;
        if site.is_virtual() && how.make {
            route(&mut agent, &note).await?;
        }
        Ok(Hand::remote(agent, how.pulling_within))
    }));
    let hands: Vec<anyhow::Result<Hand>> = tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => {
            return Err(Failure::new("interrupted; nothing was changed")
                .exit(Exit::Interrupted)
                .into());
        }
        hands = hands => hands,
    };
    Ok(sites
        .into_iter()
        .zip(hands)
        .map(|(site, hand)| Member::new(site, hand, alone))
        .collect())
}

/// Starts the agent, and sees to it that docker is there, as far as that is wanted.
async fn start(
    target: &Target,
    how: &How,
    is_ours: bool,
    note: &(dyn Fn(&str) + Sync),
) -> anyhow::Result<Agent> {
    let options = Options {
        binary: how.binary.clone(),
        asks: match is_ours {
            true => Arc::new(Maker),
            false => Arc::new(Operator),
        },
    };
    let mut agent = Agent::start(target, &options).await?;
    if agent.uploaded() {
        note("dtaas was brought there");
    }
    let (_nobody, never) = watch::channel(false);
    let note = &|text: String| note(&text);
    let docker = match agent
        .ask(Request::Facts, &|_| {}, note, never.clone())
        .await?
    {
        Reply::Facts(facts) => facts.docker,
        other => return Err(out_of_turn(&agent, &other)),
    };
    match (docker, how.docker) {
        (DockerState::Answers { .. }, _) | (_, Docker::Spared) => Ok(agent),
        (DockerState::Absent | DockerState::Unfit(_), Docker::Installed) => {
            agent
                .ask(Request::InstallDocker, &|_| {}, note, never)
                .await?;
            Ok(agent)
        }
        (DockerState::Absent, Docker::Needed) => Err(Failure::new(format!(
            "{}: there is no docker on that machine",
            target.name
        ))
        .hint("`dtaas up --install-docker` installs it from the distribution's packages (Debian, Ubuntu)")
        .into()),
        (DockerState::Unfit(failure), Docker::Needed) => {
            let error = Failure::new(format!("{}: {}", target.name, failure.message));
            Err(match failure.hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
            .into())
        }
    }
}

/// Has the default route of a virtual machine's NAT give way to the bridged one. Where that cannot be, it is said and holds nothing up.
async fn route(agent: &mut Agent, note: &(dyn Fn(&str) + Sync)) -> anyhow::Result<()> {
    let (_nobody, never) = watch::channel(false);
    let say = |text: String| note(&text);
    match agent.ask(Request::Route, &|_| {}, &say, never).await {
        Ok(Reply::Route(report)) => {
            if report.changed {
                note(&format!("Note: {}.", report.why));
            }
            Ok(())
        }
        Ok(other) => Err(out_of_turn(agent, &other)),
        // The machine is reached all the same, by Vagrant's own way to it.
        Err(error) => {
            note(&format!(
                "Note: the default route stays as it is: {error:#}."
            ));
            Ok(())
        }
    }
}

/// Takes the key of a machine that Vagrant has just made on this one: nobody can have seen it before, and the way to it is this machine's
/// own. From then on it must be the same.
struct Maker;

impl Asks for Maker {
    fn unknown_key(&self, _: &Unknown) -> Answer {
        Answer::Accept
    }

    fn passphrase(&self, key: &Path, again: bool) -> Option<Secret> {
        Operator.passphrase(key, again)
    }
}

/// Whoever runs this, if somebody sits there. Several machines are reached at a time, and one question is asked at a time.
struct Operator;

static ASKING: Mutex<()> = Mutex::new(());

impl Asks for Operator {
    fn unknown_key(&self, unknown: &Unknown) -> Answer {
        if !prompt::can_ask() {
            return Answer::Nobody;
        }
        let _one = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
        let question = format!(
            "{}: the key of {} is not known: {} {}. Trust it from now on?",
            unknown.machine, unknown.host, unknown.kind, unknown.fingerprint
        );
        match prompt::ask_whether(&question) {
            Ok(true) => Answer::Accept,
            Ok(false) | Err(_) => Answer::Refuse,
        }
    }

    fn passphrase(&self, key: &Path, again: bool) -> Option<Secret> {
        if !prompt::can_ask() {
            return None;
        }
        let _one = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = if again { "That was not it. " } else { "" };
        let question = format!("{wrong}Passphrase of {}", key.display());
        prompt::ask_password(&question).ok().map(Secret::new)
    }
}

fn by_ssh(site: &Site, ssh: &Ssh, key: Option<PathBuf>) -> Target {
    Target {
        name: site.name.clone(),
        host: ssh.address.clone().unwrap_or_default(),
        port: ssh.port,
        user: ssh.user.clone(),
        key,
        known_hosts: ssh.known_hosts.clone(),
        jump: ssh.jump.clone(),
        config: None,
        root: site.root.clone(),
    }
}
