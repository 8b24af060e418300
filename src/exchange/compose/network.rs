//! Networks (<https://github.com/compose-spec/compose-spec/blob/main/06-networks.md>): `name`, `driver`, `driver_opts`, `enable_ipv6`
//! and `ipam`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::platform::desired;
use crate::spec::names::DeploymentName;

/// A network.
#[derive(Debug, Serialize)]
pub struct Network {
    name: String,
    driver: &'static str,
    driver_opts: BTreeMap<&'static str, String>,
    enable_ipv6: bool,
    ipam: Ipam,
}

#[derive(Debug, Serialize)]
struct Ipam {
    config: [Range; 1],
}

#[derive(Debug, Serialize)]
struct Range {
    subnet: String,
    gateway: String,
}

/// What a network is called in the project.
pub fn key(deployment: &DeploymentName, name: &str) -> String {
    let prefix = format!("dtaas-{deployment}-");
    name.strip_prefix(&prefix).unwrap_or(name).to_owned()
}

/// The same network: its bridge, its addresses, and nobody on it reaches another.
pub fn of(network: &desired::Network) -> Network {
    Network {
        name: network.name.clone(),
        driver: "bridge",
        driver_opts: BTreeMap::from([
            ("com.docker.network.bridge.name", network.bridge.clone()),
            ("com.docker.network.bridge.enable_icc", "false".to_owned()),
        ]),
        enable_ipv6: false,
        ipam: Ipam {
            config: [Range {
                subnet: network.subnet.to_string(),
                gateway: network.gateway.to_string(),
            }],
        },
    }
}
