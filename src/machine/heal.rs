//! The documented fault that a workspace loses its network after some days: looked for from inside and outside, and cured by a restart,
//! which keeps what is installed in it.
//!
//! What a container is and where it lies is read from labels and networks, so that the machine heals by itself, whoever made it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpStream;

use crate::error::Failure;
use crate::machine::docker::{Engine, Found};
use crate::machine::inside::{self, Answer};
use crate::machine::observed::{ContainerState, NetworkState, Owner, Run};
use crate::platform::desired::{Component, label};
use crate::platform::naming::WORKSPACE_PORT;
use crate::secrets::Secret;

/// How long a connection to a workspace may take; both are on this machine.
const PATIENCE: Duration = Duration::from_secs(3);
/// What was found is looked at once more after this, for a moment's silence is no fault.
const AGAIN: Duration = Duration::from_secs(5);
/// A container that was started this lately is still finding its feet, in seconds.
const YOUNG: i64 = 30;

/// What is healed, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whose workspaces.
    pub owner: Owner,
    /// Where the gateway listens for workspaces: its port, and its address where that is not all of the machine's; `None` where it is
    /// nowhere that they reach.
    pub gateway: Option<(u16, Option<Ipv4Addr>)>,
    /// A workspace is restarted no sooner than so many seconds after its last start.
    pub at_most_every: i64,
    /// Workspaces are restarted so many seconds after their last start, whether they have their network or not.
    pub restart_every: Option<i64>,
}

/// A workspace that was restarted, or would have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    /// Its container.
    pub container: String,
    /// Why.
    pub why: String,
    /// What became of it: that it was restarted, or why not.
    pub done: Result<(), String>,
}

/// A workspace that runs.
struct Place {
    name: String,
    state: ContainerState,
    network: Option<(String, NetworkState)>,
}

/// Looks at all workspaces of a deployment on this machine, and restarts those that have lost their network. At most one is restarted
/// for its age alone.
///
/// # Errors
/// When the engine does not answer; or when all of several workspaces have lost their network at once: then it is the machine that is at
/// fault, and no restart of theirs would help.
pub async fn heal(engine: &Engine, options: &Options) -> Result<Vec<Healed>> {
    let places = places(engine, options).await?;
    let now = OffsetDateTime::now_utc();
    let grown: Vec<&Place> = places
        .iter()
        .filter(|place| age(&place.state, now) >= YOUNG)
        .collect();
    let mut lost = Vec::new();
    for place in &grown {
        if let Some(why) = wrong(engine, place, options).await {
            lost.push((*place, why));
        }
    }
    if !lost.is_empty() {
        tokio::time::sleep(AGAIN).await;
        let mut still = Vec::new();
        for (place, _) in lost {
            if let Some(why) = wrong(engine, place, options).await {
                still.push((place, why));
            }
        }
        lost = still;
    }
    if lost.len() > 1 && lost.len() == grown.len() {
        return Err(Failure::new(format!(
            "none of the {} workspaces has its network: that is the machine's fault, and they are left as they are",
            lost.len()
        ))
        .hint("`dtaas doctor` looks for the cause; systemctl restart docker often cures it")
        .into());
    }
    let mut healed = Vec::new();
    for (place, why) in lost {
        let age = age(&place.state, now);
        let done = match age < options.at_most_every {
            true => Err(format!("it was started {age} s ago already")),
            false => restart(engine, place).await,
        };
        healed.push(Healed {
            container: place.name.clone(),
            why,
            done,
        });
    }
    if healed.is_empty()
        && let Some(every) = options.restart_every
        && let Some(oldest) = grown.iter().max_by_key(|place| age(&place.state, now))
        && age(&oldest.state, now) >= every
    {
        healed.push(Healed {
            container: oldest.name.clone(),
            why: format!("it has run for {} h", age(&oldest.state, now) / 3600),
            done: restart(engine, oldest).await,
        });
    }
    Ok(healed)
}

/// Seconds since a container was started.
fn age(state: &ContainerState, now: OffsetDateTime) -> i64 {
    let since = state.since.as_deref();
    let since = since.and_then(|since| OffsetDateTime::parse(since, &Rfc3339).ok());
    since.map_or(0, |since| (now - since).whole_seconds())
}

async fn places(engine: &Engine, options: &Options) -> Result<Vec<Place>> {
    let mut labels = vec![format!(
        "{}={}",
        label::DEPLOYMENT,
        options.owner.deployment.as_deref().unwrap_or_default()
    )];
    if let Some(instance) = &options.owner.instance {
        labels.push(format!("{}={instance}", label::INSTANCE));
    }
    let filters = HashMap::from([("label".to_owned(), labels.clone())]);
    let found = engine.containers(filters).await?;
    let networks = engine.networks(&labels).await?;
    let is_workspace = |one: &Found| {
        one.runs
            && one.owner == options.owner
            && one.component.as_deref() == Some(Component::Workspace.as_str())
    };
    let mut places = Vec::new();
    for found in found.into_iter().filter(is_workspace) {
        let Some(state) = engine.container(&found.id, &Secret::new("")).await? else {
            continue;
        };
        if state.run != Run::Running {
            continue;
        }
        let network = networks
            .iter()
            .find(|(_, network)| network.user.is_some() && network.user == state.user)
            .map(|(name, network)| (name.clone(), network.clone()));
        places.push(Place {
            name: found.name,
            state,
            network,
        });
    }
    Ok(places)
}

/// The machine's address in a workspace's network, and the workspace's: the first two.
fn addresses(network: &NetworkState) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let first = u32::from(network.subnets.first()?.network());
    Some((Ipv4Addr::from(first + 1), Ipv4Addr::from(first + 2)))
}

/// What is wrong with a workspace's network; `None` where nothing is.
async fn wrong(engine: &Engine, place: &Place, options: &Options) -> Option<String> {
    let (name, network) = place.network.as_ref()?;
    let (host, own) = addresses(network)?;
    if !place.state.networks.contains(name) {
        return Some("it is detached from its network".to_owned());
    }
    let outside = TcpStream::connect((own, WORKSPACE_PORT));
    let outside = tokio::time::timeout(PATIENCE, outside).await;
    let reached = match outside {
        Ok(Ok(_)) => true,
        // It got there: what does not listen is another fault.
        Ok(Err(error)) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        Err(_) => false,
    };
    if !reached {
        return Some(format!(
            "the machine does not reach it at {own}:{WORKSPACE_PORT}"
        ));
    }
    let (port, address) = options.gateway?;
    let gateway = SocketAddrV4::new(address.unwrap_or(host), port);
    let process = engine.process_of(&place.name).await.ok()??;
    let answers = inside::reach(process, vec![gateway]).await.ok()?;
    (answers == [Answer::Nothing]).then(|| format!("it does not reach the gateway at {gateway}"))
}

/// Restarts it, with its network attached again where it is not.
async fn restart(engine: &Engine, place: &Place) -> Result<(), String> {
    let attached = async {
        if let Some((name, network)) = &place.network
            && !place.state.networks.contains(name)
            && let Some((_, address)) = addresses(network)
        {
            engine.attach_at(&place.name, name, address).await?;
        }
        engine.restart_container(&place.name).await
    };
    attached.await.map_err(|error| format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_lies_at_the_second_address_of_its_network() {
        let network = NetworkState {
            subnets: vec!["10.213.0.8/29".parse().unwrap()],
            ..NetworkState::default()
        };
        let (host, own) = addresses(&network).unwrap();
        assert_eq!(
            (host.to_string().as_str(), own.to_string().as_str()),
            ("10.213.0.9", "10.213.0.10")
        );
    }

    #[test]
    fn how_long_a_container_has_run() {
        let now = time::macros::datetime!(2026-01-31 12:00 UTC);
        let since = |since: &str| ContainerState {
            since: Some(since.to_owned()),
            ..ContainerState::default()
        };
        assert_eq!(age(&since("2026-01-31T11:00:00.5Z"), now), 3599);
        assert_eq!(age(&since("never"), now), 0);
    }
}
