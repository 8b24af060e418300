//! Whether workspaces are kept apart, tried for real: from inside the network of each to the next one's desktop, and to what listens on
//! the machine.

use std::net::{Ipv4Addr, SocketAddrV4};

use futures_util::FutureExt;
use futures_util::StreamExt;

use super::{Check, Seen, Subject};
use crate::doctor::{Finding, Fix, Severity};
use crate::machine::inside::{Answer, reach};
use crate::machine::listening::{Listening, listening};
use crate::machine::observed::{Owner, Run};
use crate::platform::desired::{Attachment, Container, Firewall, Network, gateway_of_workspaces};
use crate::platform::naming::WORKSPACE_PORT;

pub const CHECK: Check = Check {
    name: "isolation",
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

/// What came of a try.
struct Tried<'a> {
    from: &'a Place<'a>,
    address: SocketAddrV4,
    target: Target<'a>,
    answer: Answer,
}

async fn check(subject: &Subject) -> Vec<Finding> {
    let (Some(seen), Some(firewall)) = (&subject.seen, &subject.desired.firewall) else {
        return Vec::new();
    };
    let places = places(subject, seen).await;
    let listening = listening();
    // Where the gateway listens for workspaces its ports are open, and nothing else is.
    let is_closed = |one: &&Listening| {
        let elsewhere = |address| !one.is_at(address);
        !firewall.ports.contains(&one.port) || firewall.address.is_some_and(elsewhere)
    };
    let closed: Vec<&Listening> = listening.iter().filter(is_closed).collect();
    let trying = places.iter().enumerate().map(|(nth, place)| {
        let next = (places.len() > 1).then(|| &places[(nth + 1) % places.len()]);
        let targets = targets(place, next, &closed, firewall);
        async move {
            let addresses = targets.iter().map(|(address, _)| *address).collect();
            let answers = reach(place.pid, addresses).await?;
            let tried = targets.into_iter().zip(answers);
            anyhow::Ok(
                tried
                    .map(|((address, target), answer)| Tried {
                        from: place,
                        address,
                        target,
                        answer,
                    })
                    .collect::<Vec<_>>(),
            )
        }
    });
    let tried: Vec<anyhow::Result<Vec<Tried<'_>>>> = futures_util::stream::iter(trying)
        .buffered(SIDE_BY_SIDE)
        .collect()
        .await;
    let mut found = Vec::new();
    let mut all = Vec::new();
    for tried in tried {
        match tried {
            Ok(tried) => all.extend(tried),
            // It ended just now, or there is something odd: either is told.
            Err(error) => found.push(Finding::of(CHECK.name, &error)),
        }
    }
    found.extend(all.iter().filter_map(reached));
    found.extend(without_gateway(&all, seen.is_up));
    found
}

/// What is tried from a workspace.
fn targets<'a>(
    place: &Place<'_>,
    next: Option<&Place<'a>>,
    closed: &[&'a Listening],
    firewall: &Firewall,
) -> Vec<(SocketAddrV4, Target<'a>)> {
    let host = place.network.gateway;
    let mut targets = vec![(METADATA, Target::Metadata)];
    if let Some(next) = next {
        let address = SocketAddrV4::new(next.address, WORKSPACE_PORT);
        targets.push((address, Target::Neighbour(next.name)));
    }
    for one in closed {
        let address = one.address.unwrap_or(host);
        // Each has a loopback of its own.
        if !address.is_loopback() {
            targets.push((SocketAddrV4::new(address, one.port), Target::Machine(one)));
        }
    }
    if let Some((port, address)) = gateway_of_workspaces(Some(firewall)) {
        targets.push((
            SocketAddrV4::new(address.unwrap_or(host), port),
            Target::Gateway,
        ));
    }
    targets
}

/// What is reached and must not be.
fn reached(tried: &Tried<'_>) -> Option<Finding> {
    let (from, address) = (tried.from.name, tried.address);
    let evidence = match tried.answer {
        Answer::Open => format!("from inside {from}, {address} took a connection"),
        Answer::Refused => format!("from inside {from}, {address} answered (refused)"),
        Answer::Nothing => return None,
    };
    let message = match &tried.target {
        Target::Neighbour(other) => format!("{from} reaches {other}, another user's"),
        Target::Machine(listening) => {
            let program = listening.program().map(|program| format!(", {program}"));
            format!(
                "{from} reaches port {} of the machine{}",
                listening.port,
                program.unwrap_or_default()
            )
        }
        Target::Metadata => format!(
            "{from} reaches the cloud's metadata service, which gives away the machine's own credentials"
        ),
        Target::Gateway => return None,
    };
    let remedy = "`dtaas up` puts the rules of the packet filter right; if it stays, see what else changes them (iptables-save)";
    let finding = Finding::new(CHECK.name, Severity::Error, message, remedy);
    Some(finding.seen(evidence).fixed_by(Fix::Up))
}

/// Workspaces that do not reach the gateway. Where several and all of them do not, it is not theirs.
fn without_gateway(all: &[Tried<'_>], is_up: bool) -> Vec<Finding> {
    let asked = all
        .iter()
        .filter(|one| matches!(one.target, Target::Gateway));
    let (lost, well): (Vec<_>, Vec<_>) = asked.partition(|one| one.answer == Answer::Nothing);
    if !is_up {
        return Vec::new();
    }
    if let ([first, _, ..], true) = (lost.as_slice(), well.is_empty()) {
        return vec![
            Finding::new(
                CHECK.name,
                Severity::Error,
                format!("none of {} workspaces reaches the gateway: the machine drops what they send to it", lost.len()),
                "let the workspaces' networks through the machine's own firewall (network.pool in dtaas.yaml, to the gateway's ports); if it is not that: systemctl restart docker",
            )
            .seen(format!("from inside {}, {} did not answer", first.from.name, first.address)),
        ];
    }
    lost.iter()
        .map(|one| {
            let (from, address) = (one.from.name, one.address);
            let user = &one.from.network.user;
            Finding::new(
                CHECK.name,
                Severity::Error,
                format!("{from} does not reach the platform's own gateway: its network is gone, or its packets are dropped"),
                format!("a restart cures it and keeps what is installed: `dtaas restart {user}`; `dtaas heal` looks for such"),
            )
            .seen(format!("from inside {from}, {address} did not answer"))
        })
        .collect()
}

/// The workspaces that run.
async fn places<'a>(subject: &'a Subject, seen: &Seen) -> Vec<Place<'a>> {
    let owner = Owner::of(&subject.desired);
    let mut places = Vec::new();
    for container in &subject.desired.containers {
        if places.len() == TRIED {
            break;
        }
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
