//! The operator's own services: a container each, in host network mode, with data and secrets in the deployment; and a page at the gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

use serde::Serialize;

use super::super::accounts::{Accounts, Way};
use super::super::desired::{
    Attachment, Capabilities, Component, Container, Desired, Directory, File, Image, Mount, Probe,
    Question, Scheme, digest,
};
use super::super::gateway::{ROUTES, rule};
use super::super::{Input, naming, plain, read_only, secret};
use super::{limits, users_accounts};
use crate::render::RenderError;
use crate::secrets::Secret;
use crate::spec::custom::{AccountsOf, CERTIFICATE, Custom, Health, SECRETS};
use crate::spec::model::AuthMode;

/// Secrets of the operator's services, relative to the root; a folder each.
const FILES: &str = "config/services";
/// Their data, likewise.
pub(super) const DATA: &str = "data/services";

/// Where a service of the operator's own is.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// What workspaces call its machine.
    pub host: String,
    /// What the gateway calls it.
    pub from_gateway: String,
    /// Whether it is on this machine.
    pub here: bool,
    /// Its secrets, by name.
    pub secrets: BTreeMap<String, Secret>,
}

/// Those on this machine.
pub(super) fn here<'a>(input: &'a Input<'_>) -> impl Iterator<Item = (&'a str, &'a Custom)> {
    let services = input.spec.custom.iter();
    services
        .filter(|(name, _)| {
            input
                .services
                .custom
                .get(*name)
                .is_some_and(|place| place.here)
        })
        .map(|(name, custom)| (name.as_str(), custom))
}

/// Adds the containers on this machine, and what they need.
pub(super) fn add(input: &Input<'_>, desired: &mut Desired) {
    desired.owned.push(FILES.into());
    let closed = |path: &str| Directory {
        mode: 0o700,
        enforce: true,
        ..Directory::plain(path)
    };
    let mut first = true;
    for (name, custom) in here(input) {
        if std::mem::take(&mut first) {
            desired.directories.extend([closed(FILES), closed(DATA)]);
        }
        let image = input.image(&custom.image);
        let image = Image::Pull { reference: image };
        if !desired.images.contains(&image) {
            desired.images.push(image);
        }
        let owner = custom.user.map(|user| (user.uid, user.gid));
        for folder in custom.volumes.keys() {
            // The image's own user takes it over, or what lies in it, where none is said; what is above is closed.
            desired.directories.push(Directory {
                owner,
                ..Directory::plain(format!("{DATA}/{name}/{folder}"))
            });
        }
        desired.files.extend(secret_files(input, name));
        desired.files.extend(certificate_files(input, name, custom));
        desired.containers.push(container(input, name, custom));
    }
    desired.accounts.extend(accounts(input));
}

/// What the passwords of users' accounts at a service are derived for.
pub(super) fn purpose(name: &str) -> String {
    format!("service {name}")
}

/// Users' accounts at the services on this machine that keep any.
pub(super) fn accounts(input: &Input<'_>) -> Vec<Accounts> {
    here(input)
        .filter_map(|(name, custom)| {
            let AccountsOf::PostgreSql = custom.accounts?;
            let administrator = custom.environment.get("POSTGRES_USER");
            Some(Accounts {
                container: naming::custom(&input.spec.name, name),
                ready: custom.health.as_ref().map(probe)?,
                way: Way::PostgreSql {
                    administrator: administrator.map_or("postgres", String::as_str).to_owned(),
                },
                users: users_accounts(input, &purpose(name)),
            })
        })
        .collect()
}

/// Its certificate, where it has one: told to read it anew, it does so while it runs.
fn certificate_files(input: &Input<'_>, name: &str, custom: &Custom) -> Vec<File> {
    let (Some(group), Some((certificate, _))) =
        (custom.certificate_group, &input.services.certificate)
    else {
        return Vec::new();
    };
    let path = |file: &str| format!("{}/{file}", certificate_folder(name));
    let mut files = vec![
        plain(path("cert.pem"), 0o444, certificate.chain.clone()),
        plain(path("ca.pem"), 0o444, input.services.authority.clone()),
        File {
            mode: 0o640,
            owner: Some((0, group)),
            ..secret(path("key.pem"), certificate.key.expose().to_owned())
        },
    ];
    if custom.accounts == Some(AccountsOf::PostgreSql) {
        let contents = digest(files.iter().map(|file| file.content.expose()));
        files.push(File {
            reloads: Some(naming::custom(&input.spec.name, name)),
            ..plain(format!("{FILES}/{name}/read"), 0o400, contents + "\n")
        });
    }
    files
}

fn certificate_folder(name: &str) -> String {
    format!("{FILES}/{name}/certificate")
}

/// Whoever the service runs as reads them in its container; on the machine the folder above is closed.
fn secret_files(input: &Input<'_>, name: &str) -> Vec<File> {
    let place = input.services.custom.get(name);
    let secrets = place.into_iter().flat_map(|place| &place.secrets);
    secrets
        .map(|(file, value)| File {
            mode: 0o444,
            ..secret(secret_path(name, file), value.expose().to_owned())
        })
        .collect()
}

fn secret_path(name: &str, file: &str) -> String {
    format!("{FILES}/{name}/{file}")
}

fn container(input: &Input<'_>, name: &str, custom: &Custom) -> Container {
    let files = secret_files(input, name);
    let volumes = custom.volumes.iter().map(|(folder, target)| Mount {
        source: input.root.join(format!("{DATA}/{name}/{folder}")),
        target: target.clone(),
        read_only: false,
    });
    let secrets = custom.secrets.iter().map(|file| {
        read_only(
            input,
            &secret_path(name, file),
            &format!("{SECRETS}/{file}"),
        )
    });
    let certificate = (custom.certificate_group)
        .map(|_| read_only(input, &certificate_folder(name), CERTIFICATE));
    let ports: BTreeSet<u16> = custom.ports.iter().copied().collect();
    Container {
        name: naming::custom(&input.spec.name, name),
        component: Component::Custom,
        user: None,
        image: input.image(&custom.image),
        command: custom.command.clone(),
        environment: custom
            .environment
            .iter()
            .map(|(key, value)| (key.clone(), Secret::new(value)))
            .collect(),
        mounts: volumes.chain(secrets).chain(certificate).collect(),
        network: Attachment::Host,
        hosts: BTreeMap::new(),
        listens: ports
            .into_iter()
            .map(|port| SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))
            .collect(),
        run_as: custom.user.map(String::from),
        read_only: false,
        // Images begin as root, give their data to somebody, and go on as that one.
        capabilities: Capabilities::DefaultsWithout(["NET_RAW", "MKNOD"].map(str::to_owned).into()),
        shm: None,
        limits: limits(custom.limits),
        config_digest: (!files.is_empty())
            .then(|| digest(files.iter().map(|file| file.content.expose()))),
        precious: false,
        running: true,
        ready: custom.health.as_ref().map(probe),
    }
}

fn probe(health: &Health) -> Probe {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, health.port);
    let question = Question {
        scheme: match health.path {
            Some(_) => Scheme::Http,
            None => Scheme::Tcp,
        },
        address,
        host: None,
        path: health.path.clone().unwrap_or_default(),
        wanted: vec![200..=399],
        certificate: None,
        authority: None,
    };
    Probe {
        questions: vec![question],
        deadline_seconds: health.within,
    }
}

#[derive(Serialize)]
struct Context<'a> {
    name: &'a str,
    basic: bool,
    router: String,
    rule: String,
    strip: Option<String>,
    url: String,
}

/// Adds the pages of all services, wherever they are, to the gateway: for every user, and without what proves the gateway to the library.
pub fn add_routes(input: &Input<'_>, desired: &mut Desired) -> Result<(), RenderError> {
    for (name, place) in &input.services.custom {
        let route = input.spec.custom.get(name);
        let Some(route) = route.and_then(|custom| custom.route.as_ref()) else {
            continue;
        };
        let context = Context {
            name,
            basic: input.spec.auth == AuthMode::Basic,
            router: format!("service-{name}"),
            rule: rule(input, name),
            strip: route.strip.then(|| input.spec.base_path.path(name)),
            url: format!("http://{}:{}", place.from_gateway, route.port),
        };
        let text = input
            .templates
            .render("gateway/dynamic/service.yml", &context)?;
        desired
            .files
            .push(plain(format!("{ROUTES}/service-{name}.yml"), 0o644, text));
    }
    Ok(())
}
