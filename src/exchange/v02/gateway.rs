//! The gateway's `fileConfig.yml`: Traefik's file provider, with a router and a service for each user
//! (<https://doc.traefik.io/traefik/v2.5/providers/file/>).

use std::collections::BTreeSet;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::entries::{self, Entry};
use super::rule::{self, Rule};
use super::{At, of_file};
use crate::spec::problem::Problem;

/// What the file says.
#[derive(Debug, Clone, Default)]
pub struct Gateway {
    /// `http.routers`.
    pub routers: Vec<Router>,
    /// Users that stand in the file itself, in a `basicAuth` middleware's `users`.
    pub users: Vec<Entry>,
    /// The path of the password file, in the gateway's container: a `basicAuth` middleware's `usersFile`.
    pub users_file: Option<String>,
    /// Whether a router asks for passwords at all.
    pub has_basic: bool,
    /// Where a certificate is named.
    pub certificate: Option<At>,
}

/// A router.
#[derive(Debug, Clone)]
pub struct Router {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub at: At,
    /// Its rule.
    pub rule: Rule,
    /// The first address that its service leads to.
    pub leads_to: Option<String>,
}

/// Reads it.
pub fn read(file: &str, text: &str, problems: &mut Vec<Problem>) -> Gateway {
    // This parser's words are plainer.
    if let Err(error) = serde_yaml::from_str::<serde_yaml::Value>(text) {
        problems.push(Problem {
            line: error.location().map(|at| at.line()),
            ..of_file(
                file,
                format!("this is not YAML: {error}"),
                "copy the file, mend that, and name the copy with --gateway",
            )
        });
        return Gateway::default();
    }
    let all = MarkedYaml::load_from_str(text).unwrap_or_default();
    let Some(root) = all.first() else {
        return Gateway::default();
    };
    let http = value(root, "http");
    let part = |name: &str| entries_of(http.and_then(|http| value(http, name)));
    let services: Vec<(&str, usize, &MarkedYaml<'_>)> = part("services");
    let address = |service: &str| {
        let (_, _, found) = services.iter().find(|(name, _, _)| *name == service)?;
        let servers = value(value(found, "loadBalancer")?, "servers")?;
        text_of(value(items(servers).first()?, "url")?).map(str::to_owned)
    };
    let mut gateway = Gateway {
        certificate: value(root, "tls").map(|tls| At::new(file, line(tls))),
        ..Gateway::default()
    };
    for (name, number, router) in part("routers") {
        let at = At::new(file, number);
        match value(router, "rule").and_then(text_of) {
            Some(rule) => gateway.routers.push(Router {
                name: name.to_owned(),
                at,
                rule: rule::read(rule),
                leads_to: value(router, "service").and_then(text_of).and_then(address),
            }),
            None => problems.push(at.problem(
                format!("the router {name} has no rule"),
                "copy the file, mend that, and name the copy with --gateway",
            )),
        }
    }
    // What no router names guarded nothing.
    let named: BTreeSet<&str> = part("routers")
        .into_iter()
        .filter_map(|(_, _, router)| value(router, "middlewares"))
        .flat_map(items)
        .filter_map(text_of)
        .map(|name| name.split('@').next().unwrap_or(name))
        .collect();
    for (name, number, middleware) in part("middlewares") {
        let Some(basic) = value(middleware, "basicAuth").filter(|_| named.contains(name)) else {
            continue;
        };
        gateway.has_basic = true;
        let path = value(basic, "usersFile").and_then(text_of);
        match (path, gateway.users_file.as_deref()) {
            (Some(path), Some(other)) if path != other => {
                problems.push(At::new(file, number).problem(
                    format!("{name} names the password file {path}, and another one names {other}"),
                    "write one file of both, and name it with --htpasswd",
                ))
            }
            (Some(path), None) => gateway.users_file = Some(path.to_owned()),
            (Some(_), Some(_)) | (None, _) => {}
        }
        for user in value(basic, "users").map(items).unwrap_or_default() {
            let at = At::new(file, line(user));
            let entry = entries::of_line(text_of(user).unwrap_or_default(), at, problems);
            gateway.users.extend(entry);
        }
    }
    gateway
}

fn value<'a, 'y>(node: &'a MarkedYaml<'y>, key: &str) -> Option<&'a MarkedYaml<'y>> {
    entries_of(Some(node))
        .into_iter()
        .find_map(|(name, _, value)| (name == key).then_some(value))
}

/// Keys, their lines and values.
fn entries_of<'a, 'y>(
    node: Option<&'a MarkedYaml<'y>>,
) -> Vec<(&'a str, usize, &'a MarkedYaml<'y>)> {
    match node.map(|node| &node.data) {
        Some(YamlData::Mapping(entries)) => entries
            .iter()
            .filter_map(|(key, value)| Some((text_of(key)?, line(key), value)))
            .collect(),
        _ => Vec::new(),
    }
}

fn items<'a, 'y>(node: &'a MarkedYaml<'y>) -> &'a [MarkedYaml<'y>] {
    match &node.data {
        YamlData::Sequence(items) => items,
        _ => &[],
    }
}

fn text_of<'a>(node: &'a MarkedYaml<'_>) -> Option<&'a str> {
    match &node.data {
        YamlData::Value(Scalar::String(text)) => Some(text),
        _ => None,
    }
}

fn line(node: &MarkedYaml<'_>) -> usize {
    node.span.start.line()
}
