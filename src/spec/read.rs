//! From a parsed file to the model: defaults, and every rule that one file can break by itself.

mod backup;
mod custom;
pub mod default;
mod healing;
mod image;
mod machines;
mod proxies;
mod ready_made;
mod services;
mod tls;
pub mod website;
mod workspace;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Component, PathBuf};

use ipnet::Ipv4Net;
use serde_yaml::Value;

use super::document::{Document, Section};
use super::model::{AuthMode, Gateway, Group, Library, Limit, LogLevel, Ports, Spec, User};
use super::names::{BasePath, DeploymentName, Domain};
use super::quantity::Bytes;
use backup::backup;
use custom::custom;
use healing::healing;
use image::{image, is_image};
use machines::machines;
use proxies::trusted_proxies;
use services::{Given, grafana, influxdb, mosquitto, rabbitmq};
use tls::tls;
use website::website;
use workspace::{limit_overrides, workspace};

/// Reads `dtaas.yaml`; users are empty. `None` when something that everything else needs is wrong; the document holds the problems.
pub fn spec(document: &Document) -> Option<Spec> {
    let mut top = document.section();
    match top.require::<Value>("version", "write version: 1") {
        Some(version) if version != 1 => top.problem(
            "version",
            "this program knows version 1",
            "write version: 1",
        ),
        _ => {}
    }
    let domain: Option<Domain> = top.require("domain", "write a host name, such as foo.com");
    let name: Option<DeploymentName> = top.get("name", "write a name, such as foo.com");
    let base_path: BasePath = top
        .get("base_path", "write \"\" or a path, such as dtaas")
        .unwrap_or_default();
    let profile: String = top
        .get(
            "profile",
            "write single-host, single-vagrant or two-machine",
        )
        .unwrap_or_else(|| default::PROFILE.to_owned());
    let bind: Ipv4Addr = top
        .get("bind", "write an IPv4 address of this machine, or 0.0.0.0")
        .unwrap_or(Ipv4Addr::UNSPECIFIED);
    let ports = ports(top.section("ports"));
    let tls = tls(top.section("tls"), domain.as_ref(), ports);
    let mut network = top.section("network");
    let pool = pool(&mut network);
    network.finish();
    let auth = top
        .get("auth", "write session or basic")
        .unwrap_or(AuthMode::Session);
    let trusted_proxies = trusted_proxies(&mut top);
    let mut library = top.section("library");
    let library_model = library_model(&mut library);
    library.finish();
    let mut images = top.section("images");
    let image_prefix: String = images
        .get(
            "prefix",
            "write \"\" or a registry, such as registry.lab.example/",
        )
        .unwrap_or_default();
    if !image_prefix.is_empty()
        && (!image_prefix.ends_with('/') || !is_image(&format!("{image_prefix}x")))
    {
        images.problem(
            "prefix",
            "this is not the beginning of an image's name",
            "end it with a slash",
        );
    }
    images.finish();
    let mut gateway = top.section("gateway");
    let gateway_model = Gateway {
        image: image(&mut gateway).unwrap_or_else(|| default::GATEWAY_IMAGE.to_owned()),
        log_level: gateway
            .get("log_level", "write DEBUG, INFO, WARN or ERROR")
            .unwrap_or(LogLevel::Info),
    };
    gateway.finish();
    let website = website(top.section("website"));
    let workspace = workspace(top.section("workspace"));
    let healing = healing(top.section("healing"));
    let mut given = Given::new(ports);
    let rabbitmq = rabbitmq(top.section("rabbitmq"), &mut given);
    let mosquitto = mosquitto(top.section("mosquitto"), &mut given);
    let influxdb = influxdb(top.section("influxdb"), &mut given);
    let grafana = grafana(top.section("grafana"), &mut given);
    let mut services = top.section("services");
    let custom = custom(services.section("custom"), &mut given);
    services.finish();
    let machines = machines(top.section("machines"));
    let backup = backup(top.section("backup"));
    top.finish();

    let domain = domain?;
    Some(Spec {
        name: name.unwrap_or_else(|| DeploymentName::of(&domain)),
        domain,
        base_path,
        profile,
        bind,
        ports,
        tls: tls?,
        pool: pool?,
        auth,
        trusted_proxies,
        library: library_model?,
        image_prefix,
        gateway: gateway_model,
        website,
        workspace: workspace?,
        healing,
        rabbitmq,
        mosquitto,
        influxdb,
        grafana,
        custom,
        machines,
        backup,
        users: BTreeMap::new(),
    })
}

/// Reads `users/<name>.yaml`.
pub fn user(document: &Document) -> Option<User> {
    let mut top = document.section();
    let slot: Option<u32> = top.require(
        "slot",
        "write the number of a free /29 of network.pool; `dtaas user add` does",
    );
    let enabled = top.get("enabled", "write true or false").unwrap_or(true);
    let groups: Vec<Group> = top
        .get(
            "groups",
            "write a list of publishers and admins, such as [publishers]",
        )
        .unwrap_or_default();
    let image = image(&mut top);
    let mut section = top.section("limits");
    let limits = limit_overrides(&mut section);
    section.finish();
    top.finish();
    Some(User {
        slot: slot?,
        enabled,
        groups,
        image,
        limits,
    })
}

fn ports(mut section: Section<'_>) -> Ports {
    const FORM: &str = "write a port from 1 to 65535";
    let mut port = |key: &'static str, default: u16| {
        let port = section.get(key, FORM).unwrap_or(default);
        if port == 0 {
            section.problem(key, "0 is not a port", FORM);
        }
        (key, port)
    };
    let all = [
        port("http", default::HTTP),
        port("https", default::HTTPS),
        port("auth", default::AUTH),
        port("website", default::WEBSITE),
        port("library", default::LIBRARY),
    ];
    for (index, (key, number)) in all.iter().enumerate() {
        if let Some((other, _)) = all[..index].iter().find(|(_, earlier)| earlier == number) {
            // Point at what the operator wrote, not at a default beside it.
            let (written, default) = if section.has(key) {
                (key, other)
            } else {
                (other, key)
            };
            section.problem(
                written,
                format!("ports.{default} is {number} as well"),
                "give each its own",
            );
        }
    }
    section.finish();
    let [(_, http), (_, https), (_, auth), (_, website), (_, library)] = all;
    Ports {
        http,
        https,
        auth,
        website,
        library,
    }
}

fn pool(section: &mut Section<'_>) -> Option<Ipv4Net> {
    const FORM: &str = "write a private range with a prefix from 8 to 29, such as 10.213.0.0/16";
    let pool = match section.get::<Ipv4Net>("pool", FORM) {
        Some(pool) => pool,
        None => default::POOL.parse().ok()?,
    };
    let reason = if !(8..=29).contains(&pool.prefix_len()) {
        "its prefix must be from 8 to 29"
    } else if pool.trunc() != pool {
        "it has bits set behind its prefix"
    } else if !(pool.network().is_private() || is_shared(pool.network())) {
        "it is not a private range, so workspaces would hide a part of the internet from themselves"
    } else {
        return Some(pool);
    };
    section.problem("pool", reason, FORM);
    None
}

/// Directories of a deployment that hold other things than users' files; those that begin with a dot are kept for more.
const OWN_DIRECTORIES: &[&str] = &[
    "auth",
    "config",
    "data",
    "history",
    "secrets",
    "sessions",
    "shares",
    "templates",
    "users",
];

fn library_model(section: &mut Section<'_>) -> Option<Library> {
    let root = library_root(section);
    let writable = section
        .get("writable", "write true or false")
        .unwrap_or(false);
    let quota: Option<Limit<Bytes>> = section.get("quota", "write an amount such as 50g, or none");
    let max_upload: Option<Bytes> = section.get("max_upload", "write an amount such as 10g");
    for (key, amount) in [
        ("quota", quota.and_then(Limit::most)),
        ("max_upload", max_upload),
    ] {
        if amount == Some(Bytes(0)) {
            let fix = "write an amount such as 10g, or writable: false";
            section.problem(key, "nothing could be uploaded", fix);
        }
    }
    Some(Library {
        root,
        writable,
        quota: quota.and_then(Limit::most),
        max_upload: match max_upload {
            Some(bytes) => bytes,
            None => default::MAX_UPLOAD.parse().ok()?,
        },
    })
}

fn library_root(section: &mut Section<'_>) -> PathBuf {
    let root: PathBuf = section
        .get("root", "write a directory")
        .unwrap_or_else(|| PathBuf::from(default::LIBRARY_ROOT));
    let root: PathBuf = root
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect();
    let printable = |c: char| !c.is_control();
    if root.components().any(|part| part == Component::ParentDir)
        || !root.to_string_lossy().chars().all(printable)
    {
        section.problem(
            "root",
            "this is not a directory's path",
            "write it without ..",
        );
    }
    let first = root.components().next().map(Component::as_os_str);
    let first = first.unwrap_or_default().to_string_lossy();
    if root.is_relative()
        && (first.is_empty() || first.starts_with('.') || OWN_DIRECTORIES.contains(&&*first))
    {
        section.problem(
            "root",
            "the deployment keeps its own files there",
            "write a directory of its own, such as files or /srv/library",
        );
    }
    root
}

/// 100.64.0.0/10, RFC 6598.
fn is_shared(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    a == 100 && (64..128).contains(&b)
}
