//! The services that digital twins use to talk to their physical twins, and each user's way to them.

pub mod custom;
pub mod data;
pub mod grafana;
pub mod influxdb;
pub mod mosquitto;
pub mod rabbitmq;
pub mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

use super::accounts::{Account, Endpoint};
use super::desired::{Component, Desired, Directory, File, Limits};
use super::{Certificate, Input, plain, secret};
use crate::render::RenderError;
use crate::secrets::Secret;
use crate::spec::names::UserName;
use crate::spec::services::ServiceLimits;

/// All that there are.
pub const ALL: [Component; 4] = [
    Component::RabbitMq,
    Component::Mosquitto,
    Component::InfluxDb,
    Component::Grafana,
];

/// What workspaces call their own machine, by their hosts file. ".internal" is nobody's on the internet (ICANN, 2024-07-29).
pub const HERE: &str = "host.dtaas.internal";

/// What the services need besides the spec.
#[derive(Debug, Clone, Default)]
pub struct Services {
    /// What workspaces call the machine of each service that runs anywhere.
    pub hosts: BTreeMap<Component, String>,
    /// The operator's own services, by name.
    pub custom: BTreeMap<String, custom::Place>,
    /// What each user's passwords at the services are derived from.
    pub accounts: BTreeMap<UserName, Secret>,
    /// The token that InfluxDB made for each user, as far as it is known.
    pub tokens: BTreeMap<UserName, Secret>,
    /// What the machine of each service that runs anywhere is called by the other machines.
    pub addresses: BTreeMap<Component, String>,
    /// The public key by which Grafana knows the gateway's word, PEM; empty without Grafana.
    pub gateway_key: String,
    /// The private one, on the machine of the gateway.
    pub vis_key: Option<Secret>,
    /// The certificate of the authority for the services, PEM.
    pub authority: String,
    /// The certificate of the services on this machine, and the name in it that they are reached by from here.
    pub certificate: Option<(Certificate, String)>,
}

impl Services {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.custom.is_empty()
    }

    /// A user's password at a service, which goes by its name; `None` before there is a secret to derive it from.
    fn password(&self, user: &UserName, service: &str) -> Option<Secret> {
        Some(self.accounts.get(user)?.derived(service))
    }
}

/// Adds what the services on this machine are made of, for all users.
pub fn add(input: &Input<'_>, desired: &mut Desired) -> Result<(), RenderError> {
    if input.placed.contains(&Component::RabbitMq) {
        rabbitmq::add(input, desired)?;
    }
    if input.placed.contains(&Component::Mosquitto) {
        mosquitto::add(input, desired)?;
    }
    if input.placed.contains(&Component::InfluxDb) {
        influxdb::add(input, desired);
    }
    if input.placed.contains(&Component::Grafana) {
        grafana::add(input, desired);
    }
    custom::add(input, desired);
    Ok(())
}

/// Adds what some users have at the services on this machine, and nothing else.
pub fn add_users(input: &Input<'_>, names: &BTreeSet<UserName>, desired: &mut Desired) {
    if input.placed.contains(&Component::RabbitMq) {
        desired.accounts.extend(rabbitmq::accounts(input));
    }
    if input.placed.contains(&Component::InfluxDb) {
        desired.accounts.extend(influxdb::accounts(input));
    }
    if input.placed.contains(&Component::Grafana) {
        desired.accounts.extend(grafana::accounts(input));
    }
    desired.accounts.extend(custom::accounts(input));
    for accounts in &mut desired.accounts {
        accounts.users.retain(|name, _| names.contains(name));
    }
    if input.placed.contains(&Component::Mosquitto) {
        mosquitto::add_users(input, desired);
    }
}

/// Ports of the services on the same machine as the workspaces, which may reach them there.
pub fn ports(input: &Input<'_>) -> Vec<u16> {
    let mut ports = Vec::new();
    if input.placed.contains(&Component::RabbitMq) {
        let settings = &input.spec.rabbitmq;
        ports.extend([settings.port, settings.management_port]);
        ports.extend(settings.plain_port);
    }
    if input.placed.contains(&Component::Mosquitto) {
        ports.push(input.spec.mosquitto.port);
        ports.extend(input.spec.mosquitto.plain_port);
    }
    if input.placed.contains(&Component::InfluxDb) {
        ports.push(input.spec.influxdb.port);
    }
    if input.placed.contains(&Component::Grafana) {
        ports.push(input.spec.grafana.port);
    }
    ports.extend(custom::here(input).flat_map(|(_, custom)| custom.ports.iter().copied()));
    ports
}

/// Every user's account at a service.
fn users_accounts(input: &Input<'_>, service: &str) -> BTreeMap<UserName, Account> {
    let users = input.spec.users.iter();
    users
        .filter_map(|(name, user)| {
            let account = Account {
                password: input.services.password(name, service)?,
                open: user.enabled,
                token: None,
            };
            Some((name.clone(), account))
        })
        .collect()
}

/// A directory that only the user of a service's container enters.
fn closed(path: &str, owner: (u32, u32)) -> Directory {
    Directory {
        mode: 0o700,
        owner: Some(owner),
        enforce: true,
        ..Directory::plain(path)
    }
}

/// A file that only the user of a service's container reads.
fn own(owner: (u32, u32), file: File) -> File {
    File {
        mode: 0o400,
        owner: Some(owner),
        ..file
    }
}

/// The certificate, its key and the authority, in a service's directory. They are read anew when they change, and make nobody start again.
fn certificate(input: &Input<'_>, directory: &str, owner: (u32, u32)) -> Vec<File> {
    let Some((certificate, _)) = &input.services.certificate else {
        return Vec::new();
    };
    let path = |name: &str| format!("{directory}/{name}");
    let files = [
        plain(path("cert.pem"), 0o400, certificate.chain.clone()),
        secret(path("key.pem"), certificate.key.expose().to_owned()),
        plain(path("ca.pem"), 0o400, input.services.authority.clone()),
    ];
    files.map(|file| own(owner, file)).into()
}

/// A service's interface, as it is reached on its own machine.
fn endpoint(input: &Input<'_>, port: u16, administrator: &str, password: &Secret) -> Endpoint {
    let certificate = input.services.certificate.as_ref();
    Endpoint {
        address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port),
        host: certificate.map_or_else(String::new, |(_, host)| host.clone()),
        authority: input.services.authority.clone(),
        administrator: administrator.to_owned(),
        password: password.clone(),
    }
}

fn limits(limits: ServiceLimits) -> Limits {
    Limits {
        cpus: limits.cpus,
        memory: limits.memory,
        pids: None,
    }
}
