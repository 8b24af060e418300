//! What a user finds in the workspace of the services: addresses and credentials, and how they are used.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;

use super::super::desired::{Component, Desired, Directory, File, Mount};
use super::super::{Input, plain, read_only, secret};
use super::{HERE, custom, grafana, influxdb};
use crate::render::RenderError;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// Where each user's files lie, relative to the root; a folder each.
pub const FILES: &str = "secrets/users";

/// Where they are in the workspace.
const INSIDE: &str = "/run/dtaas";

/// Has them read by new login shells.
const PROFILE: &str = "# Made by dtaas: the services' addresses and your credentials, for new terminals.\n\
    if [ -r /run/dtaas/services.env ]; then set -a; . /run/dtaas/services.env; set +a; fi\n";

/// A user's files, by name.
const NAMES: [&str; 4] = ["services.env", "README.md", "ca.pem", "profile.sh"];

#[derive(Serialize)]
struct Context<'a> {
    user: &'a str,
    /// Whether there is one where users have accounts.
    brokers: bool,
    rabbitmq: Option<Broker<'a>>,
    mosquitto: Option<Broker<'a>>,
    influxdb: Option<InfluxDb<'a>>,
    grafana: Option<Grafana>,
    custom: Vec<Own<'a>>,
}

#[derive(Serialize)]
struct InfluxDb<'a> {
    host: &'a str,
    port: u16,
    organisation: &'static str,
    /// Nothing before InfluxDB has made it.
    token: Option<&'a str>,
}

#[derive(Serialize)]
struct Grafana {
    page: String,
    password: String,
}

/// A service of the operator's own.
#[derive(Serialize)]
struct Own<'a> {
    name: &'a str,
    /// What the names of its variables begin with.
    prefix: String,
    host: &'a str,
    port: u16,
    /// Of the user's account there, where users have any.
    password: Option<String>,
}

#[derive(Serialize)]
struct Broker<'a> {
    host: &'a str,
    port: u16,
    management_port: Option<u16>,
    password: String,
}

/// Adds a user's files: only the user of the workspace reads them.
pub fn add(input: &Input<'_>, name: &UserName, desired: &mut Desired) -> Result<(), RenderError> {
    if input.services.is_empty() {
        return Ok(());
    }
    let broker = |component: Component, port, management_port| {
        let password = input.services.password(name, component.as_str())?;
        Some(Broker {
            host: input.services.hosts.get(&component)?,
            port,
            management_port,
            password: password.expose().to_owned(),
        })
    };
    let (rabbitmq, mosquitto) = (&input.spec.rabbitmq, &input.spec.mosquitto);
    let context = Context {
        user: name.as_str(),
        brokers: !input.services.authority.is_empty(),
        rabbitmq: broker(
            Component::RabbitMq,
            rabbitmq.port,
            Some(rabbitmq.management_port),
        ),
        mosquitto: broker(Component::Mosquitto, mosquitto.port, None),
        influxdb: (input.services.hosts.get(&Component::InfluxDb)).map(|host| InfluxDb {
            host,
            port: input.spec.influxdb.port,
            organisation: influxdb::ORGANISATION,
            token: input.services.tokens.get(name).map(Secret::expose),
        }),
        grafana: login(input, name),
        custom: own(input, name),
    };
    let render = |template| input.templates.render(template, &context);
    let [variables, readme, authority, profile] = paths(name);
    let owner = (input.spec.workspace.user.uid, input.spec.workspace.user.gid);
    let files = [
        secret(variables, render("services/services.env")?),
        plain(readme, 0o400, render("services/README.md")?),
        plain(authority, 0o400, input.services.authority.clone()),
        plain(profile, 0o400, PROFILE.to_owned()),
    ];
    desired.directories.push(Directory {
        mode: 0o500,
        owner: Some(owner),
        enforce: true,
        user: Some(name.clone()),
        ..Directory::plain(folder(name))
    });
    desired.files.extend(files.map(|file| File {
        mode: 0o444,
        owner: Some(owner),
        user: Some(name.clone()),
        ..file
    }));
    Ok(())
}

fn login(input: &Input<'_>, name: &UserName) -> Option<Grafana> {
    let component = Component::Grafana;
    let host = input.services.hosts.get(&component)?;
    let password = input.services.password(name, component.as_str())?;
    let port = input.spec.grafana.port;
    Some(Grafana {
        page: format!("https://{host}:{port}{}", grafana::path(input)),
        password: password.expose().to_owned(),
    })
}

/// Those that listen.
fn own<'a>(input: &'a Input<'_>, user: &UserName) -> Vec<Own<'a>> {
    let places = input.services.custom.iter();
    places
        .filter_map(|(name, place)| {
            let custom = input.spec.custom.get(name)?;
            let password = match custom.accounts {
                Some(_) => input.services.password(user, &custom::purpose(name)),
                None => None,
            };
            Some(Own {
                name,
                prefix: name.to_uppercase().replace('-', "_"),
                host: &place.host,
                port: *custom.ports.first()?,
                password: password.map(|password| password.expose().to_owned()),
            })
        })
        .collect()
}

/// The files that a user has who has any.
pub fn paths(name: &UserName) -> [String; 4] {
    NAMES.map(|file| format!("{}/{file}", folder(name)))
}

fn folder(name: &UserName) -> String {
    format!("{FILES}/{name}")
}

/// How they come into the workspace. They are a folder's, so that what changes is seen there; what login shells read never does.
pub fn mounts(input: &Input<'_>, name: &UserName) -> Vec<Mount> {
    if input.services.is_empty() {
        return Vec::new();
    }
    let [.., profile] = paths(name);
    vec![
        read_only(input, &folder(name), INSIDE),
        read_only(input, &profile, "/etc/profile.d/dtaas.sh"),
    ]
}

/// What a workspace's hosts file has: its own machine, where a service is there.
pub fn hosts(input: &Input<'_>, machine: Ipv4Addr) -> BTreeMap<String, Ipv4Addr> {
    let custom = input.services.custom.values().map(|place| &place.host);
    let mut hosts = input.services.hosts.values().chain(custom);
    let here = hosts.any(|host| host == HERE);
    here.then(|| (HERE.to_owned(), machine))
        .into_iter()
        .collect()
}
