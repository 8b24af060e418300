//! The other deployments on this machine: which addresses are theirs, looked up in what they have on it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::machine::docker::Found;
use crate::machine::observed::Owner;
use crate::machine::ports::meet;
use crate::platform::gateway;

/// Another deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its name.
    pub name: String,
    /// Its directory, where that can be told.
    pub root: Option<PathBuf>,
    /// The range of its workspaces' networks, where that can be told.
    pub pool: Option<Ipv4Net>,
    /// Where its containers listen.
    pub listens: Vec<Listener>,
}

/// A container that listens, or that will when it runs again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The component: `gateway`, `auth`, …
    pub component: String,
    /// Where.
    pub address: SocketAddrV4,
    /// Whether it is up.
    pub runs: bool,
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the deployment {}", self.name)?;
        match &self.root {
            Some(root) => write!(f, " in {}", root.display()),
            None => Ok(()),
        }
    }
}

impl Neighbour {
    /// Its container that listens where only one can.
    pub fn at(&self, address: SocketAddrV4) -> Option<&Listener> {
        self.listens
            .iter()
            .find(|listener| meet(listener.address, address))
    }
}

/// The other deployments, out of all containers and out of the pools that the packet filter's chains keep. A namesake is none:
/// whatever it has is refused as such.
pub(super) fn of(own: &Owner, containers: &[Found], pools: &[(Owner, Ipv4Net)]) -> Vec<Neighbour> {
    let mut all: BTreeMap<&Owner, Neighbour> = BTreeMap::new();
    for container in containers {
        let Some(one) = entry(&mut all, own, &container.owner) else {
            continue;
        };
        one.listens
            .extend(container.listens.iter().map(|address| Listener {
                component: container.component.clone().unwrap_or_default(),
                address: *address,
                runs: container.runs,
            }));
        if one.root.is_none() {
            one.root = container.sources.iter().find_map(|source| root(source));
        }
    }
    for (owner, pool) in pools {
        if let Some(one) = entry(&mut all, own, owner) {
            one.pool = Some(*pool);
        }
    }
    all.into_values().collect()
}

/// Where an owner's findings are collected; `None` for what is nobody's, or ours.
fn entry<'a, 'b>(
    all: &'a mut BTreeMap<&'b Owner, Neighbour>,
    own: &Owner,
    owner: &'b Owner,
) -> Option<&'a mut Neighbour> {
    let name = owner.deployment.as_ref()?;
    if owner.deployment == own.deployment {
        return None;
    }
    Some(all.entry(owner).or_insert_with(|| Neighbour {
        name: name.clone(),
        ..Neighbour::default()
    }))
}

/// The root of a deployment, whose gateway mounts this.
fn root(source: &Path) -> Option<PathBuf> {
    let text = source.to_str()?;
    let root = text.strip_suffix(gateway::ROUTES)?.strip_suffix('/')?;
    Some(root.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str, instance: &str) -> Owner {
        Owner {
            deployment: Some(name.into()),
            instance: Some(instance.into()),
        }
    }

    fn gateway(owner: Owner) -> Found {
        Found {
            owner,
            component: Some("gateway".into()),
            listens: vec!["0.0.0.0:443".parse().unwrap()],
            sources: vec!["/srv/lab/config/gateway/dynamic".into()],
            ..Found::default()
        }
    }

    #[test]
    fn what_others_have_says_where_they_are_and_which_addresses_are_theirs() {
        let own = owner("foo.com", "1");
        let pool: Ipv4Net = "10.213.0.0/16".parse().unwrap();
        let containers = [
            gateway(own.clone()),
            gateway(owner("foo.com", "2")),
            gateway(owner("lab", "3")),
            gateway(Owner::default()),
        ];
        let pools = [(own.clone(), pool), (owner("lab", "3"), pool)];
        let found = of(&own, &containers, &pools);
        assert_eq!(
            found,
            [Neighbour {
                name: "lab".into(),
                root: Some("/srv/lab".into()),
                pool: Some(pool),
                listens: vec![Listener {
                    component: "gateway".into(),
                    address: "0.0.0.0:443".parse().unwrap(),
                    runs: false,
                }],
            }]
        );
        assert_eq!(found[0].to_string(), "the deployment lab in /srv/lab");
    }
}
