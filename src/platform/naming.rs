//! What things are called on a machine: containers, networks, interfaces, chains, ports.

use sha2::{Digest, Sha256};

use super::desired::{Component, Container, hex};
use crate::spec::names::{DeploymentName, UserName};

/// The port that every workspace listens on (ml-workspace's).
pub const WORKSPACE_PORT: u16 = 8080;

/// A container's name: `dtaas-foo.com-gateway`, `dtaas-foo.com-workspace-alice`.
pub fn container(
    deployment: &DeploymentName,
    component: Component,
    user: Option<&UserName>,
) -> String {
    match user {
        Some(user) => format!("dtaas-{deployment}-{}-{user}", component.as_str()),
        None => format!("dtaas-{deployment}-{}", component.as_str()),
    }
}

/// The container's name of an operator's own service: `dtaas-foo.com-service-postgres`.
pub fn custom(deployment: &DeploymentName, service: &str) -> String {
    format!("dtaas-{deployment}-service-{service}")
}

/// What an operator calls the part that a container is: the component, or the name of a service of their own.
pub fn part<'a>(deployment: &DeploymentName, container: &'a Container) -> &'a str {
    match container.component {
        Component::Custom => container
            .name
            .strip_prefix(custom(deployment, "").as_str())
            .unwrap_or(container.name.as_str()),
        component => component.as_str(),
    }
}

/// A workspace network's name: `dtaas-foo.com-net-alice`.
pub fn network(deployment: &DeploymentName, user: &UserName) -> String {
    format!("dtaas-{deployment}-net-{user}")
}

/// What the names of all of a deployment's bridges begin with: `dt3f2a07-`.
pub fn bridge_prefix(deployment: &DeploymentName) -> String {
    format!("dt{}-", short(deployment.as_str()))
}

/// The bridge of the workspace in a slot of the pool: `dt3f2a07-00002b`, Linux's 15 characters. The largest pool has fewer slots
/// than these digits, so no two users ever meet.
pub fn bridge(deployment: &DeploymentName, slot: u32) -> String {
    format!("{}{slot:06x}", bridge_prefix(deployment))
}

/// The firewall chain: `DTAAS-3F2A07`.
pub fn chain(deployment: &DeploymentName) -> String {
    format!("DTAAS-{}", short(deployment.as_str()).to_uppercase())
}

/// RabbitMQ's node: `rabbit-3f2a07@localhost`, another one for each deployment of a machine.
pub fn node(deployment: &DeploymentName) -> String {
    format!("rabbit-{}@localhost", short(deployment.as_str()))
}

/// Six digits: enough to tell the few deployments of one machine apart.
fn short(deployment: &str) -> String {
    hex(&Sha256::digest(deployment)[..3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_where_they_go() {
        let deployment: DeploymentName = "foo.com".parse().unwrap();
        let last_of_the_largest_pool = (1 << (29 - 8)) - 1;
        assert_eq!(
            bridge(&deployment, last_of_the_largest_pool),
            "dtf29b6d-1fffff"
        );
        assert_eq!(bridge_prefix(&deployment), "dtf29b6d-");
        assert_eq!(chain(&deployment), "DTAAS-F29B6D");
        assert_eq!(
            container(
                &deployment,
                Component::Workspace,
                Some(&"alice".parse().unwrap())
            ),
            "dtaas-foo.com-workspace-alice"
        );
    }
}
