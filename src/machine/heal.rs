//! The documented fault that a workspace loses its network after some days: looked for from inside and outside, and cured by a restart,
//! which keeps what is installed in it.
//!
//! What a container is and where it lies is read from labels and networks, so that the machine heals by itself, whoever made it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::Result;
use futures_util::StreamExt;
use time::OffsetDateTime;
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
/// How many are probed side by side.
const SIDE_BY_SIDE: usize = 32;
/// How many are restarted in one look at most.
const AT_ONCE: usize = 2;

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
    /// What was done.
    pub done: Done,
}

/// What was done about a workspace that has lost its network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It was restarted.
    Restarted,
    /// It was attached again, and what runs in it goes on.
    Attached,
    /// Nothing: it was started so many seconds ago already.
    NotYet(i64),
    /// Nothing: it was stopped, restarted or made anew meanwhile.
    Changed,
    /// It could not be done.
    Failed(String),
}

/// A workspace that runs.
struct Place {
    name: String,
    state: ContainerState,
    network: Option<(String, NetworkState)>,
}

/// How a workspace's network stands.
enum Stands {
    Well,
    /// From outside nothing reaches it, or it is detached.
    Lost(String),
    /// It does not reach the gateway, which may be the gateway's or the machine's fault.
    Alone(String),
    /// It cannot be told.
    Unknown,
}

/// Looks at all workspaces of a deployment on this machine, and restarts those that have lost their network, a few at a time. At most one is
/// restarted for its age alone. `hold` takes the deployment's lock before anything is changed; where it does not get it, nothing is.
///
/// # Errors
/// When the engine does not answer; or when many workspaces have lost their network at once: then it is the machine that is at fault, and no
/// restart of theirs would help.
pub async fn heal<L>(
    engine: &Engine,
    options: &Options,
    hold: impl FnOnce() -> Option<L>,
) -> Result<Vec<Healed>> {
    let now = OffsetDateTime::now_utc();
    let mut grown = places(engine, options).await?;
    grown.retain(|place| place.state.age(now) >= YOUNG);
    let all = grown.len();
    let mut lost = lost(engine, grown.iter(), options).await;
    if !lost.is_empty() {
        tokio::time::sleep(AGAIN).await;
        // All of them again: whether others are well says whose fault it is.
        let still = self::lost(engine, grown.iter(), options).await;
        lost.retain(|(place, _)| still.iter().any(|(other, _)| other.name == place.name));
    }
    if lost.len() > 1 && lost.len() * 4 > all {
        return Err(Failure::new(format!(
            "{} of {all} workspaces have lost their network: that is the machine's fault, and they are left as they are",
            lost.len()
        ))
        .hint("`dtaas doctor` looks for the cause; systemctl restart docker often cures it")
        .into());
    }
    let aged = || {
        let every = options.restart_every?;
        let oldest = grown.iter().max_by_key(|place| place.state.age(now))?;
        (oldest.state.age(now) >= every).then(|| {
            (
                oldest,
                format!("it has run for {} h", oldest.state.age(now) / 3600),
            )
        })
    };
    let due: Vec<(&Place, String)> = match lost.is_empty() {
        true => aged().into_iter().collect(),
        false => lost.into_iter().take(AT_ONCE).collect(),
    };
    if due.is_empty() {
        return Ok(Vec::new());
    }
    // Whoever else changes the platform just now may have stopped them.
    let Some(_held) = hold() else {
        return Ok(Vec::new());
    };
    let mut healed = Vec::new();
    for (place, why) in due {
        let age = place.state.age(now);
        let done = match age < options.at_most_every {
            true => Done::NotYet(age),
            false => match cure(engine, place, options).await {
                Ok(done) => done,
                Err(error) => Done::Failed(format!("{error:#}")),
            },
        };
        healed.push(Healed {
            container: place.name.clone(),
            why,
            done,
        });
    }
    Ok(healed)
}

/// Those that have lost their network. That one does not reach the gateway counts only where another does.
async fn lost<'a>(
    engine: &Engine,
    places: impl Iterator<Item = &'a Place>,
    options: &Options,
) -> Vec<(&'a Place, String)> {
    let looks = places.map(|place| async move { (place, stands(engine, place, options).await) });
    let looked: Vec<(&Place, Stands)> = futures_util::stream::iter(looks)
        .buffered(SIDE_BY_SIDE)
        .collect()
        .await;
    let others_do = looked
        .iter()
        .any(|(_, stands)| matches!(stands, Stands::Well));
    looked
        .into_iter()
        .filter_map(|(place, stands)| match stands {
            Stands::Lost(why) => Some((place, why)),
            Stands::Alone(why) if others_do => Some((place, why)),
            Stands::Alone(_) | Stands::Well | Stands::Unknown => None,
        })
        .collect()
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

async fn stands(engine: &Engine, place: &Place, options: &Options) -> Stands {
    let Some((name, network)) = &place.network else {
        return Stands::Unknown;
    };
    let Some((host, own)) = addresses(network) else {
        return Stands::Unknown;
    };
    if !place.state.networks.contains(name) {
        return Stands::Lost("it is detached from its network".to_owned());
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
        return Stands::Lost(format!(
            "the machine does not reach it at {own}:{WORKSPACE_PORT}"
        ));
    }
    let Some((port, address)) = options.gateway else {
        return Stands::Well;
    };
    let gateway = SocketAddrV4::new(address.unwrap_or(host), port);
    let asked = async {
        let process = engine.process_of(&place.state.id).await.ok()??;
        inside::reach(process, vec![gateway]).await.ok()
    };
    match asked.await.as_deref() {
        Some([Answer::Nothing]) => {
            Stands::Alone(format!("it does not reach the gateway at {gateway}"))
        }
        Some(_) => Stands::Well,
        None => Stands::Unknown,
    }
}

/// Attaches it again where it is detached, and restarts it where that is not enough, unless it is another by now, or was stopped.
async fn cure(engine: &Engine, place: &Place, options: &Options) -> Result<Done> {
    let same =
        |state: &ContainerState| state.run == Run::Running && state.since == place.state.since;
    let id = &place.state.id;
    match engine.container(id, &Secret::new("")).await? {
        Some(state) if same(&state) => {}
        Some(_) | None => return Ok(Done::Changed),
    }
    if let Some((name, network)) = &place.network
        && !place.state.networks.contains(name)
        && let Some((_, address)) = addresses(network)
    {
        engine.attach_at(id, name, address).await?;
        let attached = Place {
            state: ContainerState {
                networks: [name.clone()].into(),
                ..place.state.clone()
            },
            name: place.name.clone(),
            network: place.network.clone(),
        };
        if matches!(stands(engine, &attached, options).await, Stands::Well) {
            return Ok(Done::Attached);
        }
    }
    engine.restart_container(id).await?;
    Ok(Done::Restarted)
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
}
