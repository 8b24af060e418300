//! What becomes of an installation of v0.2: a function from what was read to what `init` makes a deployment of, and what is to be said.

use std::collections::{BTreeMap, BTreeSet};

use super::entries::{self, Entry};
use super::{Old, Router, links, of_file, refuse};
use crate::auth::password;
use crate::deployment::init::Carried;
use crate::error::Failure;
use crate::spec::document::nearest;
use crate::spec::names::{BasePath, Domain, UserName};
use crate::spec::problem::Problem;

/// What the operator says otherwise than the installation.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The domain.
    pub domain: Option<Domain>,
    /// The base path.
    pub base_path: Option<BasePath>,
    /// Names, as v0.2 has them, of users who stay behind.
    pub left_out: BTreeSet<String>,
}

/// What comes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The domain.
    pub domain: Domain,
    /// The base path.
    pub base_path: BasePath,
    /// The gateway's port without TLS, where the website's address named another than the usual.
    pub http_port: Option<u16>,
    /// The same with TLS.
    pub https_port: Option<u16>,
    /// The users, by name.
    pub users: Vec<Carried>,
    /// What the operator should know: sentences without a full stop.
    pub notes: Vec<String>,
}

/// The port of v0.2's website, and that of its library server.
const WEBSITE: &str = ":4000";
const LIBRARY: &str = ":4001";

/// What is found while it is worked out.
#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
    notes: Vec<String>,
}

/// Works it out.
///
/// # Errors
/// A usage failure that lists everything that is wrong.
pub fn carry(old: &Old, wanted: &Wanted) -> anyhow::Result<Taken> {
    let mut found = Found::default();
    let address = links::address(old, &mut found.problems);
    let domain = domain(old, wanted, address.host, &mut found);
    let base_path = base_path(old, wanted, &mut found);
    let routed = routed(old, wanted, &base_path, &mut found);
    let users = users(old, wanted, &routed, &mut found);
    if users.is_empty() && found.problems.is_empty() {
        let reason = "there is nobody in it who could come over";
        let fix = "name the password file with --htpasswd; for a platform without users there is `dtaas init`";
        let file = old.library.root.parent().unwrap_or(&old.library.root);
        found
            .problems
            .push(of_file(&file.display().to_string(), reason, fix));
    }
    links::notes(old, &mut found.notes);
    rest(old, &users, wanted, &mut found.notes);
    refuse(found.problems)?;
    Ok(Taken {
        domain: domain.ok_or_else(|| Failure::usage("no domain is given"))?,
        base_path,
        http_port: address.http_port,
        https_port: address.https_port,
        users: users.into_values().collect(),
        notes: found.notes,
    })
}

/// The one host that routes and the website agree on.
fn domain(
    old: &Old,
    wanted: &Wanted,
    of_website: Option<links::Part<'_>>,
    found: &mut Found,
) -> Option<Domain> {
    if wanted.domain.is_some() {
        return wanted.domain.clone();
    }
    let routers = old.gateway.routers.iter();
    let hosts = routers.flat_map(|router| {
        router
            .rule
            .hosts
            .iter()
            .map(|host| (host.as_str(), &router.at))
    });
    let all: Vec<_> = hosts
        .chain(of_website.map(|part| (part.text, part.at)))
        .collect();
    let Some((first, first_at)) = all.first().copied() else {
        found.problems.push(of_file(
            "--domain",
            "no router names a host, and there is no address of the website",
            "give what browsers call the platform, such as --domain foo.com",
        ));
        return None;
    };
    let mut told = BTreeSet::from([first]);
    for (host, at) in &all {
        if told.insert(host) {
            found.problems.push(at.problem(
                format!("the host is {host:?} here, and {first:?} in {first_at}"),
                "give the one that browsers call the platform with --domain",
            ));
        }
    }
    match first.parse() {
        Ok(domain) => Some(domain),
        Err(error) => {
            found.problems.push(first_at.problem(
                error.to_string(),
                "give what browsers call the platform with --domain",
            ));
            None
        }
    }
}

/// Where the website is below the domain.
fn base_path(old: &Old, wanted: &Wanted, found: &mut Found) -> BasePath {
    if let Some(given) = &wanted.base_path {
        return given.clone();
    }
    let routers = old.gateway.routers.iter();
    let of_router = routers
        .filter(|router| leads_to(router, WEBSITE))
        .map(|router| {
            (
                router.rule.paths.first().map_or("", String::as_str),
                &router.at,
            )
        })
        .next();
    let of_website = old
        .website
        .iter()
        .find(|setting| setting.key == links::BASENAME)
        .map(|setting| (setting.value.trim_matches('/'), &setting.at));
    if let (Some((routed, at)), Some((named, named_at))) = (of_router, of_website)
        && routed != named
    {
        found.problems.push(at.problem(
            format!(
                "the website is at {:?} here, and at {:?} in {named_at}",
                format!("/{routed}"),
                format!("/{named}")
            ),
            "give the one that was in use with --base-path",
        ));
        return BasePath::default();
    }
    let Some((path, at)) = of_website.or(of_router) else {
        return BasePath::default();
    };
    path.parse()
        .unwrap_or_else(|error: crate::spec::names::NameError| {
            let fix = "give another with --base-path";
            found.problems.push(at.problem(error.to_string(), fix));
            BasePath::default()
        })
}

fn leads_to(router: &Router, port: &str) -> bool {
    let address = router.leads_to.as_deref().unwrap_or_default();
    address.trim_end_matches('/').ends_with(port)
}

/// The names that routes lead to workspaces of, each with its router.
fn routed<'a>(
    old: &'a Old,
    wanted: &Wanted,
    base: &BasePath,
    found: &mut Found,
) -> BTreeMap<&'a str, &'a Router> {
    let known: BTreeSet<&str> = old
        .entries
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    let mut routed = BTreeMap::new();
    for router in &old.gateway.routers {
        for path in &router.rule.paths {
            let at = &router.at;
            let below = match base.as_str() {
                "" => Some(path.as_str()),
                base if path == base => Some(""),
                base => path
                    .strip_prefix(base)
                    .and_then(|rest| rest.strip_prefix('/')),
            };
            let elsewhere =
                format!("{at}: the route /{path} leads to no workspace and does not come over");
            match below {
                Some("") => {}
                Some("lib") if leads_to(router, LIBRARY) => {}
                Some(name) if wanted.left_out.contains(name) => {}
                Some(name) if known.contains(name) => {
                    routed.insert(name, router);
                }
                Some(name)
                    if name.parse::<UserName>().is_ok() && old.library.folders.contains(name) =>
                {
                    found.notes.push(format!(
                        "{at}: {name} has a route and a folder, and no password, which nobody can sign in without: `dtaas user passwd {name}` makes one"
                    ));
                    routed.insert(name, router);
                }
                Some(_) | None => found.notes.push(elsewhere),
            }
        }
        if !router.rule.others.is_empty() {
            found.notes.push(format!(
                "{}: of the router {} only hosts and paths count here, not {}",
                router.at,
                router.name,
                router.rule.others.join(", ")
            ));
        }
    }
    routed
}

fn users(
    old: &Old,
    wanted: &Wanted,
    routed: &BTreeMap<&str, &Router>,
    found: &mut Found,
) -> BTreeMap<UserName, Carried> {
    let mut entries: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in &old.entries {
        if let Some(first) = entries.insert(&entry.name, entry) {
            found.notes.push(format!(
                "{}: {} stands in {} as well; this one counts, as it did in v0.2",
                entry.at, entry.name, first.at
            ));
        }
    }
    for name in &wanted.left_out {
        if !entries.contains_key(name.as_str()) && !routed.contains_key(name.as_str()) {
            let known: Vec<&str> = entries.keys().chain(routed.keys()).copied().collect();
            found.problems.push(of_file(
                "--leave-out",
                format!("there is no user {name:?} who could be left out"),
                nearest(name, &known),
            ));
        }
    }
    let mut users = BTreeMap::new();
    for (written, entry) in &entries {
        if wanted.left_out.contains(*written) {
            continue;
        }
        let name: UserName = match written.parse() {
            Ok(name) => name,
            Err(error) => {
                found.problems.push(entry.at.problem(
                    error.to_string(),
                    format!("leave that user out with --leave-out {written:?}, and make another with `dtaas user add` later"),
                ));
                continue;
            }
        };
        let known = password::scheme(entry.hash.expose()).is_some();
        if !known {
            found.notes.push(format!(
                "{}: {name}'s password is kept as {}, which is not accepted here: `dtaas user passwd {name}` makes a new one",
                entry.at,
                entries::kind(entry.hash.expose())
            ));
        }
        let enabled = routed.contains_key(name.as_str());
        if !enabled {
            found.notes.push(format!(
                "{}: {name} has a password and no route to a workspace: the door stays closed until `dtaas user enable {name}`",
                entry.at
            ));
        }
        let hash = known.then(|| entry.hash.clone());
        users.insert(
            name.clone(),
            Carried {
                name,
                hash,
                enabled,
            },
        );
    }
    for written in routed.keys().filter(|name| !entries.contains_key(*name)) {
        if let Ok(name) = written.parse::<UserName>() {
            users.insert(
                name.clone(),
                Carried {
                    name,
                    hash: None,
                    enabled: true,
                },
            );
        }
    }
    users
}

/// What is left to say.
fn rest(old: &Old, users: &BTreeMap<UserName, Carried>, wanted: &Wanted, notes: &mut Vec<String>) {
    for name in &wanted.left_out {
        notes.push(format!("{name} is left out"));
    }
    let nobodys: Vec<&str> = old
        .library
        .folders
        .iter()
        .map(String::as_str)
        .filter(|name| {
            let known = users.keys().any(|user| user.as_str() == *name);
            !known && *name != crate::platform::COMMON && !name.starts_with('.')
        })
        .collect();
    if !nobodys.is_empty() {
        notes.push(format!(
            "folders of the library that are no user's, and which nobody sees: {}",
            nobodys.join(", ")
        ));
    }
    if let Some(at) = &old.library.gitlab {
        notes.push(format!(
            "{at}: the library showed projects of a GitLab; here it shows the folders in {}",
            old.library.root.display()
        ));
    }
    if let Some(at) = &old.gateway.certificate {
        notes.push(format!(
            "{at}: the certificate does not come over; --tls files, --tls-cert and --tls-key take it"
        ));
    }
    for mention in &old.mentions {
        notes.push(format!(
            "{}: {} has the password {}, which everybody knows, for as long as it runs; nothing of it comes over",
            mention.at, mention.service, mention.password
        ));
    }
}
