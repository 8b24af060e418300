//! The operator's own services.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::image::image;
use super::ready_made;
use super::services::{FORM, Given, limits};
use super::workspace::variables;
use crate::spec::custom::{Custom, Health, Route};
use crate::spec::document::{Document, Section, nearest};
use crate::spec::names::RESERVED;

/// How many seconds a service has until it counts as failed.
const WITHIN: u64 = 180;
/// What lies beside a service's secrets and is none of them.
const TAKEN: [&str; 2] = ["certificate", "read"];
const NAME: &str = "write small letters, digits and hyphens, at most 32, such as postgres";

/// Reads `services.custom`; whether the profile has their machines is not known here.
pub(super) fn custom(mut section: Section<'_>, given: &mut Given) -> BTreeMap<String, Custom> {
    let mut all = BTreeMap::new();
    for (name, entry) in section.named_sections() {
        if !is_name(&name) {
            entry.problem("", "this is not a service's name", NAME);
        } else if RESERVED.contains(&name.as_str()) {
            entry.problem(
                "",
                "this is a path of the platform's",
                "give it another name",
            );
        }
        if let Some(read) = service(entry, &name, given) {
            all.insert(name, read);
        }
    }
    all
}

/// Letters, digits and hyphens: it is part of a container's name, of paths and of a URL.
fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn service(mut section: Section<'_>, name: &str, given: &mut Given) -> Option<Custom> {
    let known = ready_made::names();
    let used: Option<String> = section.get("use", &format!("write {}", known.join(", ")));
    let text = used.as_deref().map(|used| {
        ready_made::text(used).unwrap_or_else(|| {
            let reason = format!("there is no ready-made service {used:?}");
            section.problem("use", reason, nearest(used, &known));
            "image: none\n"
        })
    });
    // Ours are good, so there is nothing to tell of them.
    let document = Document::parse("ready-made", text.unwrap_or_default()).ok()?;
    let mut read = read(&mut section);
    match text {
        Some(_) => read = read.over(self::read(&mut document.section())),
        None if !section.has("image") => {
            let form = "write name:tag, or use: with a ready-made service";
            section.problem("image", "this key is missing", form);
        }
        None => {}
    }
    if read.custom.accounts.is_some() && read.custom.health.is_none() {
        let fix = "write health as well, such as {port: 5432}";
        section.problem(
            "accounts",
            "it would not be known when it can be told of them",
            fix,
        );
    }
    for port in &read.custom.ports {
        given.add(&section, &format!("services.custom.{name}"), "ports", *port);
    }
    section.finish();
    Some(read.custom)
}

/// What stands there, and which keys do.
struct Read {
    custom: Custom,
    has: BTreeSet<&'static str>,
}

impl Read {
    /// What is not written here is as in `base`; variables come one by one.
    fn over(self, base: Read) -> Read {
        let Read { custom, has } = self;
        let base = base.custom;
        let pick = |key| has.contains(key);
        let mut environment = base.environment;
        environment.extend(custom.environment);
        Read {
            custom: Custom {
                image: if pick("image") {
                    custom.image
                } else {
                    base.image
                },
                machine: custom.machine,
                user: custom.user.or(base.user),
                command: if pick("command") {
                    custom.command
                } else {
                    base.command
                },
                ports: if pick("ports") {
                    custom.ports
                } else {
                    base.ports
                },
                volumes: if pick("volumes") {
                    custom.volumes
                } else {
                    base.volumes
                },
                environment,
                secrets: if pick("secrets") {
                    custom.secrets
                } else {
                    base.secrets
                },
                accounts: custom.accounts.or(base.accounts),
                certificate_group: custom.certificate_group.or(base.certificate_group),
                health: custom.health.or(base.health),
                route: custom.route.or(base.route),
                limits: custom.limits,
            },
            has,
        }
    }
}

fn read(section: &mut Section<'_>) -> Read {
    const KEYS: [&str; 5] = ["image", "command", "ports", "volumes", "secrets"];
    let has = KEYS.into_iter().filter(|key| section.has(key)).collect();
    let custom = Custom {
        image: image(section).unwrap_or_default(),
        machine: section.get("machine", "name one of the profile's machines"),
        user: section.get("user", "write uid:gid, such as \"999:999\""),
        command: section
            .get("command", "write a list of words")
            .unwrap_or_default(),
        ports: section
            .get("ports", "write a list of ports, such as [5432]")
            .unwrap_or_default(),
        volumes: volumes(section),
        environment: variables(section, &[]),
        secrets: secrets(section),
        accounts: section.get("accounts", "write postgresql, or leave it out"),
        certificate_group: section.get(
            "certificate_group",
            "write the number of a group, such as 999",
        ),
        health: health(section.section("health")),
        route: route(section.section("route")),
        limits: limits(section.section("limits"), "none"),
    };
    Read { custom, has }
}

fn volumes(section: &mut Section<'_>) -> BTreeMap<String, PathBuf> {
    const FORM: &str = "write names and paths, such as {data: /var/lib/postgresql/data}";
    let volumes: BTreeMap<String, PathBuf> = section.get("volumes", FORM).unwrap_or_default();
    for (name, path) in &volumes {
        let key = format!("volumes.{name}");
        if !is_name(name) {
            section.problem(&key, "this is not a folder's name", NAME);
        }
        if !is_place(path) {
            section.problem(&key, "this is not a place in a container", FORM);
        }
    }
    volumes
}

fn is_place(path: &Path) -> bool {
    let mut parts = path.components();
    path.is_absolute()
        && path.components().count() > 1
        && parts.all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
        && !path.to_string_lossy().chars().any(char::is_control)
}

fn secrets(section: &mut Section<'_>) -> BTreeSet<String> {
    let secrets: BTreeSet<String> = section
        .get("secrets", "write a list of names, such as [password]")
        .unwrap_or_default();
    for name in secrets.iter().filter(|name| !is_name(name)) {
        section.problem("secrets", format!("{name:?} is not a secret's name"), NAME);
    }
    for name in secrets.iter().filter(|name| TAKEN.contains(&name.as_str())) {
        section.problem(
            "secrets",
            format!("a secret cannot be called {name}: a file of ours beside it is"),
            "give it another name",
        );
    }
    secrets
}

fn health(mut section: Section<'_>) -> Option<Health> {
    let port = port_with(&mut section, "path");
    let path: Option<String> = section.get("path", "write a path, such as /healthz");
    if path.as_deref().is_some_and(|path| !is_url_path(path)) {
        section.problem("path", "this is not a path", "write one such as /healthz");
    }
    const SECONDS: &str = "write seconds, such as 600";
    let within = section.get("within", SECONDS).unwrap_or(WITHIN);
    if within == 0 {
        section.problem("within", "nothing answers in 0 seconds", SECONDS);
    }
    section.finish();
    Some(Health {
        port: port?,
        path,
        within,
    })
}

/// The port, which must be there where another key is.
fn port_with(section: &mut Section<'_>, other: &str) -> Option<u16> {
    let port = section.get("port", FORM);
    if port.is_none() && section.has(other) && !section.has("port") {
        section.problem("port", "this key is missing", FORM);
    }
    port
}

fn is_url_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic())
}

fn route(mut section: Section<'_>) -> Option<Route> {
    let port = port_with(&mut section, "strip");
    let strip = section.get("strip", "write true or false").unwrap_or(false);
    section.finish();
    Some(Route { port: port?, strip })
}
