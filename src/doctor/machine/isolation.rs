//! Whether workspaces are kept apart, tried for real: from inside the network of each to the next one's desktop, and to what listens on
//! the machine.

use std::net::{Ipv4Addr, SocketAddrV4};

use futures_util::FutureExt;
use futures_util::StreamExt;

use super::{Check, Seen, Subject};
use crate::doctor::{Finding, Fix, Severity};
use crate::machine::inside::{self, Answer};
use crate::machine::listening::{Listening, listening};
use crate::machine::observed::{Owner, Run};
use crate::platform::desired::{Attachment, Container, Network};
use crate::platform::naming::WORKSPACE_PORT;

pub const CHECK: Check = Check {
    name: "isolation",
    looks_at: "tried from inside workspaces: others' desktops, ports of the machine, the cloud's metadata, and that the gateway can be reached",
    run: |subject| check(subject).boxed_local(),
};

/// Where clouds tell a machine its secrets; every workspace could ask (docs.aws.amazon.com, EC2 instance metadata).
const METADATA: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);
/// From so many workspaces everything is tried; among hundreds these stand for the rest.
const TRIED: usize = 16;
/// How many workspaces are tried at a time.
const SIDE_BY_SIDE: usize = 4;

/// A workspace that runs.
struct Place<'a> {
    name: &'a str,
    pid: i64,
    network: &'a Network,
    address: Ipv4Addr,
}

/// Something that is tried, and what an answer would mean.
enum Target<'a> {
    Neighbour(&'a str),
    Machine(&'a Listening),
    Metadata,
    Gateway,
}

async fn check(subject: &Subject) -> Vec<Finding> {
    let (Some(seen), Some(firewall)) = (&subject.seen, &subject.desired.firewall) else {
        return Vec::new();
    };
    let places = places(subject, seen).await;
    let listening = listening();
    let others: Vec<&Listening> = listening
        .iter()
        .filter(|one| !firewall.ports.contains(&one.port))
        .collect();
    let open = firewall.ports.first().copied();
    let tried = places.iter().enumerate().take(TRIED).map(|(nth, place)| {
        let next = (places.len() > 1).then(|| &places[(nth + 1) % places.len()]);
        let others = &others;
        async move {
            let mut targets = vec![(METADATA, Target::Metadata)];
            if let Some(next) = next {
                let address = SocketAddrV4::new(next.address, WORKSPACE_PORT);
                targets.push((address, Target::Neighbour(next.name)));
            }
            let host = place.network.gateway;
            targets.extend(
                others
                    .iter()
                    .filter(|one| one.is_at(host))
                    .map(|one| (SocketAddrV4::new(host, one.port), Target::Machine(one))),
            );
            let at = firewall.address.unwrap_or(host);
            // A platform that listens on loopback alone is nothing to workspaces.
            if let Some(port) = open.filter(|_| !at.is_loopback()) {
                targets.push((SocketAddrV4::new(at, port), Target::Gateway));
            }
            let addresses = targets.iter().map(|(address, _)| *address).collect();
            match inside::reach(place.pid, addresses).await {
                Ok(answers) => targets
                    .iter()
                    .zip(answers)
                    .filter_map(|((address, target), answer)| {
                        verdict(place.name, *address, target, answer, seen.is_up)
                    })
                    .collect(),
                Err(error) => vec![Finding::of(CHECK.name, &error)],
            }
        }
    });
    let found: Vec<Vec<Finding>> = futures_util::stream::iter(tried)
        .buffered(SIDE_BY_SIDE)
        .collect()
        .await;
    found.into_iter().flatten().collect()
}

fn verdict(
    from: &str,
    address: SocketAddrV4,
    target: &Target<'_>,
    answer: Answer,
    is_up: bool,
) -> Option<Finding> {
    let evidence = match answer {
        Answer::Open => format!("from inside {from}, {address} took a connection"),
        Answer::Refused => format!("from inside {from}, {address} answered (refused)"),
        Answer::Nothing => format!("from inside {from}, {address} did not answer"),
    };
    let reached = answer != Answer::Nothing;
    let closed = "`dtaas up` puts the rules of the packet filter right; if it stays, see what else changes them (iptables-save)";
    let message = match target {
        Target::Neighbour(other) if reached => format!("{from} reaches {other}, another user's"),
        Target::Machine(listening) if reached => format!(
            "{from} reaches port {} of the machine{}",
            listening.port,
            match listening.program() {
                Some(program) => format!(", {program}"),
                None => String::new(),
            }
        ),
        Target::Metadata if reached => {
            format!(
                "{from} reaches the cloud's metadata service, which gives away the machine's own credentials"
            )
        }
        Target::Gateway if answer == Answer::Nothing && is_up => {
            let finding = Finding::new(
                CHECK.name,
                Severity::Error,
                format!(
                    "{from} does not reach the platform's own gateway: its network is gone, or its packets are dropped"
                ),
                format!(
                    "restart it, which keeps what is in it: `dtaas restart` or docker restart {from}"
                ),
            );
            return Some(finding.seen(evidence).fixed_by(Fix::Restart {
                container: from.to_owned(),
            }));
        }
        Target::Neighbour(_) | Target::Machine(_) | Target::Metadata | Target::Gateway => {
            return None;
        }
    };
    let finding = Finding::new(CHECK.name, Severity::Error, message, closed);
    Some(finding.seen(evidence).fixed_by(Fix::Up))
}

/// The workspaces that run.
async fn places<'a>(subject: &'a Subject, seen: &Seen) -> Vec<Place<'a>> {
    let owner = Owner::of(&subject.desired);
    let mut places = Vec::new();
    for container in &subject.desired.containers {
        let Some((network, address)) = attached(subject, container) else {
            continue;
        };
        let runs = seen
            .observed
            .containers
            .get(&container.name)
            .is_some_and(|state| state.owner == owner && state.run == Run::Running);
        if !runs {
            continue;
        }
        if let Ok(Some(pid)) = seen.engine.process_of(&container.name).await {
            places.push(Place {
                name: &container.name,
                pid,
                network,
                address,
            });
        }
    }
    places
}

fn attached<'a>(subject: &'a Subject, container: &Container) -> Option<(&'a Network, Ipv4Addr)> {
    container.user.as_ref()?;
    match &container.network {
        Attachment::Host => None,
        Attachment::Bridge { network, address } => {
            let mut networks = subject.desired.networks.iter();
            let network = networks.find(|one| one.name == *network)?;
            Some((network, *address))
        }
    }
}
