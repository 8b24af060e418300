//! Machines come within reach: this one by its engine, virtual ones after Vagrant has started them, the others by SSH at once.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::{Hand, Member, Tell, is_alone, virtual_machines};
use crate::deployment::Deployment;
use crate::deployment::sites::{Reach, Site};
use crate::error::{Exit, Failure};
use crate::machine::docker::{Engine, TO_PULL};
use crate::remote::{Agent, Options, Target};
use crate::spec::machine::Ssh;
use crate::ui::prompt;

/// How machines are reached, and what is done for that.
pub struct How {
    /// This machine's engine, where it was connected to already.
    pub engine: Option<Engine>,
    /// Whether virtual machines that do not run, or do not exist, are started and made.
    pub make: bool,
    /// Whether other machines without docker get it from their distribution's packages.
    pub install_docker: bool,
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
            install_docker: false,
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
    let how = &how;
    let hands = join_all(sites.iter().map(|site| async move {
        let called = (!alone).then_some(site.name.as_str());
        let note = |text: &str| tell.note(called, text);
        let target = match &site.reach {
            Reach::Local => {
                let engine = match &how.engine {
                    Some(engine) => engine.clone(),
                    None => Engine::connect(None).await?,
                };
                return Ok(Hand::local(engine));
            }
            Reach::Ssh { ssh, key } => by_ssh(site, ssh, key.clone()),
            Reach::Vagrant { .. } => virtual_machines::target(deployment, site).await?,
        };
        let options = Options {
            binary: how.binary.clone(),
            install_docker: how.install_docker,
            can_ask: prompt::can_ask(),
        };
        let agent = Agent::start(target, options, &note).await?;
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

fn by_ssh(site: &Site, ssh: &Ssh, key: Option<PathBuf>) -> Target {
    Target {
        name: site.name.clone(),
        host: ssh.address.clone().unwrap_or_default(),
        port: ssh.port,
        user: ssh.user.clone(),
        key,
        known_hosts: None,
        jump: ssh.jump.clone(),
        config: None,
        root: site.root.clone(),
    }
}
