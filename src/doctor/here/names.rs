//! The domain's name: that it leads to the platform.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::deployment::Deployment;
use crate::deployment::sites::Site;
use crate::doctor::{Finding, Severity};
use crate::machine::ports;

pub(super) const NAME: &str = "dns";

/// How long name servers may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn check(deployment: &Deployment) -> Vec<Finding> {
    let mut names = vec![deployment.spec.domain.to_string()];
    for site in &deployment.sites {
        if !names.contains(&site.hostname) {
            names.push(site.hostname.clone());
        }
    }
    let mut found = Vec::new();
    for name in names {
        // An address is no name.
        if name.parse::<IpAddr>().is_err() {
            let own = name == deployment.spec.domain.as_str()
                && deployment.users_site().is_some_and(Site::is_local);
            found.extend(one(&name, own).await);
        }
    }
    found
}

/// Looks a name up; `own` is whether it should lead to this machine.
async fn one(name: &str, own: bool) -> Option<Finding> {
    let looked_up = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await;
    let addresses: Vec<IpAddr> = match looked_up {
        Ok(Ok(all)) => all.map(|address| address.ip()).collect(),
        Ok(Err(error)) => return Some(unknown(name, &error.to_string())),
        Err(_) => return Some(unknown(name, "the name servers did not answer")),
    };
    let here = |address: &Ipv4Addr| ports::is_here(*address);
    let v4: Vec<Ipv4Addr> = addresses
        .iter()
        .filter_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        })
        .collect();
    let shown = || {
        let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        format!("it leads to {}", all.join(", "))
    };
    if v4.is_empty() {
        return Some(
            Finding::new(
                NAME,
                Severity::Error,
                format!("{name} has no IPv4 address, and the platform speaks IPv4"),
                "add an A record for it at your name servers",
            )
            .seen(shown()),
        );
    }
    if own && name != "localhost" && v4.iter().all(Ipv4Addr::is_loopback) {
        return Some(
            Finding::new(
                NAME,
                Severity::Note,
                format!("where {name} leads elsewhere cannot be told here: this machine knows it by its own /etc/hosts"),
                format!("ask from another machine: getent ahostsv4 {name}"),
            )
            .seen(shown()),
        );
    }
    if own && !v4.iter().any(here) {
        return Some(
            Finding::new(
                NAME,
                Severity::Warning,
                format!("{name} does not lead to this machine"),
                "mend its A record; all is well if a router or proxy of yours passes on what comes there",
            )
            .seen(shown()),
        );
    }
    None
}

fn unknown(name: &str, because: &str) -> Finding {
    Finding::new(
        NAME,
        Severity::Error,
        format!("nobody knows {name}, so no browser finds the platform"),
        format!("add an A record for it at your name servers, or, for a trial, a line to /etc/hosts: <address> {name}"),
    )
    .seen(because)
}
