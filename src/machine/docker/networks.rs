//! Networks.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use anyhow::Result;
use bollard::models::{
    EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkConnectRequest,
    NetworkCreateRequest,
};
use bollard::query_parameters::ListNetworksOptions;

use super::{Engine, if_there, owner};
use crate::machine::hash;
use crate::machine::observed::NetworkState;
use crate::platform::desired::{Attachment, Container, Desired, Network, label};

impl Engine {
    /// Networks by name: those that carry all the labels given (`name=value`), or all there are.
    pub async fn networks(&self, labels: &[String]) -> Result<HashMap<String, NetworkState>> {
        let filters =
            (!labels.is_empty()).then(|| HashMap::from([("label".to_owned(), labels.to_vec())]));
        let options = ListNetworksOptions { filters };
        let found = self
            .ask("listing networks", self.docker.list_networks(Some(options)))
            .await?;
        Ok(found
            .into_iter()
            .map(|network| {
                let name = network.name.unwrap_or_default();
                let state = state(network.id, network.labels, network.ipam);
                (name, state)
            })
            .collect())
    }

    /// One network.
    pub async fn network(&self, name: &str) -> Result<Option<NetworkState>> {
        let found = self
            .ask(
                &format!("looking at network {name}"),
                if_there(self.docker.inspect_network(name, None)),
            )
            .await?;
        // The engine finds networks by the beginning of their id as well.
        Ok(found
            .filter(|network| network.name.as_deref() == Some(name))
            .map(|network| state(network.id, network.labels, network.ipam)))
    }

    /// Makes a network: a bridge with the interface, subnet and address given, IPv6 off, containers on it kept apart.
    pub async fn create_network(&self, desired: &Desired, network: &Network) -> Result<()> {
        let labels = HashMap::from([
            (label::DEPLOYMENT.to_owned(), desired.deployment.to_string()),
            (label::INSTANCE.to_owned(), desired.instance()),
            (label::COMPONENT.to_owned(), "workspace".to_owned()),
            (label::USER.to_owned(), network.user.to_string()),
            (
                label::HASH.to_owned(),
                hash::network(&desired.hash_key, network),
            ),
        ]);
        let request = NetworkCreateRequest {
            name: network.name.clone(),
            driver: Some("bridge".to_owned()),
            enable_ipv6: Some(false),
            ipam: Some(Ipam {
                config: Some(vec![IpamConfig {
                    subnet: Some(network.subnet.to_string()),
                    gateway: Some(network.gateway.to_string()),
                    ..Default::default()
                }]),
                ..Default::default()
            }),
            options: Some(HashMap::from([
                (
                    "com.docker.network.bridge.name".to_owned(),
                    network.bridge.clone(),
                ),
                (
                    "com.docker.network.bridge.enable_icc".to_owned(),
                    "false".to_owned(),
                ),
            ])),
            labels: Some(labels),
            ..Default::default()
        };
        self.act(
            &format!("creating network {}", network.name),
            self.docker.create_network(request),
        )
        .await?;
        Ok(())
    }

    /// Attaches a container to its own network again, at its address.
    pub async fn attach(&self, container: &Container) -> Result<()> {
        let Attachment::Bridge { network, address } = &container.network else {
            return Ok(());
        };
        self.attach_at(&container.name, network, *address).await
    }

    /// Attaches a container to a network, at this address.
    pub async fn attach_at(&self, name: &str, network: &str, address: Ipv4Addr) -> Result<()> {
        let request = NetworkConnectRequest {
            container: name.to_owned(),
            endpoint_config: Some(EndpointSettings {
                ipam_config: Some(EndpointIpamConfig {
                    ipv4_address: Some(address.to_string()),
                    ..Default::default()
                }),
                ..Default::default()
            }),
        };
        self.act(
            &format!("attaching {name} to {network}"),
            self.docker.connect_network(network, request),
        )
        .await
    }

    /// Removes a network; one that is gone already is as good.
    pub async fn remove_network(&self, name: &str) -> Result<()> {
        self.act(
            &format!("removing network {name}"),
            if_there(self.docker.remove_network(name)),
        )
        .await?;
        Ok(())
    }
}

fn state(
    id: Option<String>,
    labels: Option<HashMap<String, String>>,
    ipam: Option<Ipam>,
) -> NetworkState {
    let mut labels = labels.unwrap_or_default();
    NetworkState {
        id: id.unwrap_or_default(),
        owner: owner(&mut labels),
        user: labels.remove(label::USER),
        hash: labels.remove(label::HASH),
        subnets: ipam
            .and_then(|ipam| ipam.config)
            .into_iter()
            .flatten()
            .filter_map(|config| config.subnet?.parse().ok())
            .collect(),
    }
}
