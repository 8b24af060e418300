//! What things are called on a machine: containers, networks, interfaces, chains, ports.

use sha2::{Digest, Sha256};

use super::desired::{Component, hex};
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

/// A workspace network's name: `dtaas-foo.com-net-alice`.
pub fn network(deployment: &DeploymentName, user: &UserName) -> String {
    format!("dtaas-{deployment}-net-{user}")
}

/// What the names of all of a deployment's bridges begin with: `dt3f2a-`. Four digits are enough to tell the few
/// deployments of one machine apart, and leave room below Linux's 15 characters.
pub fn bridge_prefix(deployment: &DeploymentName) -> String {
    format!("dt{}-", short(deployment.as_str(), 2))
}

/// A workspace's bridge: `dt3f2a-9c01ab42`, 15 characters.
pub fn bridge(deployment: &DeploymentName, user: &UserName) -> String {
    format!("{}{}", bridge_prefix(deployment), short(user.as_str(), 4))
}

/// The firewall chain: `DTAAS-3F2A`.
pub fn chain(deployment: &DeploymentName) -> String {
    format!("DTAAS-{}", short(deployment.as_str(), 2).to_uppercase())
}

fn short(text: &str, bytes: usize) -> String {
    hex(&Sha256::digest(text)[..bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_where_they_go() {
        let deployment: DeploymentName = "foo.com".parse().unwrap();
        let user: UserName = "a.long-user_name.of.32.character".parse().unwrap();
        assert_eq!(bridge(&deployment, &user).len(), 15);
        assert!(bridge(&deployment, &user).starts_with(&bridge_prefix(&deployment)));
        assert!(chain(&deployment).len() <= 28);
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
