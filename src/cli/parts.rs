//! Parts of the platform, by the names that operators use: a component, a service of their own, a user, or a container.

use std::collections::{BTreeMap, BTreeSet};

use super::interrupt::Interrupt;
use super::run::Told;
use crate::deployment::Deployment;
use crate::error::Failure;
use crate::fleet::{self, How, Member};
use crate::platform::desired::{Container, Desired};
use crate::platform::naming;
use crate::spec::document::nearest;

/// What each machine should have, by its name; nothing is made.
pub fn desired(deployment: &Deployment) -> anyhow::Result<BTreeMap<String, Desired>> {
    let sites = deployment.sites.iter();
    sites
        .map(|site| Ok((site.name.clone(), deployment.desired_to_look(site)?)))
        .collect()
}

/// The containers that are meant by these names, by machine; all there are where no name is given.
///
/// # Errors
/// A usage failure that names what is not known, and what is.
pub fn meant<'a>(
    deployment: &Deployment,
    desired: &'a BTreeMap<String, Desired>,
    names: &[String],
) -> anyhow::Result<BTreeMap<&'a str, Vec<&'a Container>>> {
    let all = || {
        let sites = desired.iter();
        sites.flat_map(|(site, desired)| {
            desired
                .containers
                .iter()
                .map(move |one| (site.as_str(), one))
        })
    };
    let is = |container: &Container, name: &str| {
        container.name == name
            || naming::part(&deployment.spec.name, container) == name
            || container
                .user
                .as_ref()
                .is_some_and(|user| user.as_str() == name)
    };
    for name in names {
        if !all().any(|(_, container)| is(container, name)) {
            return Err(unknown(deployment, name, all().map(|(_, one)| one)).into());
        }
    }
    let mut meant: BTreeMap<&str, Vec<&Container>> = BTreeMap::new();
    for (site, container) in all() {
        if names.is_empty() || names.iter().any(|name| is(container, name)) {
            meant.entry(site).or_default().push(container);
        }
    }
    Ok(meant)
}

/// The machines that these containers are on.
pub async fn reach<'a>(
    deployment: &'a Deployment,
    meant: &BTreeMap<&str, Vec<&Container>>,
    how: How,
    told: &Told<'_>,
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<Member<'a>>> {
    let sites = deployment.sites.iter();
    let sites = sites.filter(|site| meant.contains_key(site.name.as_str()));
    fleet::reach(deployment, sites, how, told, interrupt.wanted()).await
}

fn unknown<'a>(
    deployment: &Deployment,
    name: &str,
    all: impl Iterator<Item = &'a Container>,
) -> Failure {
    let known: BTreeSet<String> = all
        .flat_map(|one| {
            let part = naming::part(&deployment.spec.name, one).to_owned();
            [Some(part), one.user.as_ref().map(ToString::to_string)]
        })
        .flatten()
        .collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Failure::usage(format!("there is no part and no user named {name}")).hint(nearest(name, &known))
}

/// How a container is called in what is told: its part, and whose it is.
pub fn called(deployment: &Deployment, container: &Container) -> String {
    match &container.user {
        Some(user) => user.to_string(),
        None => naming::part(&deployment.spec.name, container).to_owned(),
    }
}
