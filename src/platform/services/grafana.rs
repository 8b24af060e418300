//! Grafana, in host network mode: by TLS at its own port, and at the gateway as `/vis`, where whoever the gateway knows is signed in.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use serde::Serialize;

use super::super::accounts::{Accounts, DataSource, Way};
use super::super::desired::{
    Attachment, Capabilities, Component, Container, Desired, Image, Mount, Probe, Question, Scheme,
    digest,
};
use super::super::gateway::{ROUTES, rule};
use super::super::{Input, auth, naming, plain, read_only, secret};
use super::{certificate, closed, endpoint, influxdb, limits, own, users_accounts};
use crate::gate::{ASSERTION_HEADER, GRAFANA};
use crate::render::RenderError;
use crate::secrets::Secret;
use crate::spec::model::AuthMode;

/// What it reads, relative to the root.
const CONFIG: &str = "config/grafana";

/// Its data, relative to the root.
pub(super) const DATA: &str = "data/grafana";

/// Where it finds what it reads.
const INSIDE: &str = "/run/dtaas";

/// Who it runs as: `grafana` in the official image.
const OWNER: (u32, u32) = (472, 0);

/// The administrator's name: one that no user can have ([`RESERVED`](crate::spec::names::RESERVED)).
pub const ADMINISTRATOR: &str = "_dtaas";

/// Where the gateway has it, below the base path; v0.2's path.
pub const PAGE: &str = "vis";

/// Seconds until it counts as failed: the first start makes its database.
const DEADLINE: u64 = 180;

/// Adds the container, its files and directories, and users' accounts.
pub fn add(input: &Input<'_>, desired: &mut Desired) {
    desired
        .directories
        .extend([CONFIG, DATA].map(|path| closed(path, OWNER)));
    let files = [
        secret(
            format!("{CONFIG}/admin-password"),
            input.secrets.grafana.expose().to_owned(),
        ),
        plain(
            format!("{CONFIG}/gateway.pem"),
            0o400,
            input.services.gateway_key.clone(),
        ),
    ];
    desired.files.extend(files.map(|file| own(OWNER, file)));
    desired.files.extend(certificate(input, CONFIG, OWNER));
    let image = input.image(&input.spec.grafana.image);
    desired.images.push(Image::Pull {
        reference: image.clone(),
    });
    desired.containers.push(container(input, image));
    desired.accounts.extend(accounts(input));
}

/// The path below which all of it is, with slashes at both ends.
pub fn path(input: &Input<'_>) -> String {
    format!("{}/", input.spec.base_path.path(PAGE))
}

/// Adds its page to the gateway, wherever it runs.
pub fn add_route(input: &Input<'_>, desired: &mut Desired) -> Result<(), RenderError> {
    let component = Component::Grafana;
    let Some(host) = input.services.addresses.get(&component) else {
        return Ok(());
    };
    let address = match input.placed.contains(&component) {
        true => "127.0.0.1",
        false => host,
    };
    let context = Route {
        authz_url: (input.spec.auth == AuthMode::Session).then(|| auth::vis_url(input)),
        behind_proxies: !input.spec.trusted_proxies.is_empty(),
        cookies: auth::cookies(input),
        rule: rule(input, PAGE),
        host,
        authority: &input.services.authority,
        url: format!("https://{address}:{}", input.spec.grafana.port),
    };
    let text = input
        .templates
        .render("gateway/dynamic/vis.yml", &context)?;
    desired
        .files
        .push(plain(format!("{ROUTES}/vis.yml"), 0o644, text));
    Ok(())
}

#[derive(Serialize)]
struct Route<'a> {
    behind_proxies: bool,
    cookies: [String; 2],
    /// `None` where Traefik checks passwords itself: then Grafana asks for its own.
    authz_url: Option<String>,
    rule: String,
    host: &'a str,
    authority: &'a str,
    url: String,
}

/// Users' accounts: a login, an organisation of their own, and in it the data source of their bucket.
pub(super) fn accounts(input: &Input<'_>) -> Option<Accounts> {
    let mut users = users_accounts(input, Component::Grafana.as_str());
    for (name, account) in &mut users {
        account.token = input.services.tokens.get(name).cloned();
    }
    let influxdb = input.services.addresses.get(&Component::InfluxDb);
    Some(Accounts {
        container: naming::container(&input.spec.name, Component::Grafana, None),
        ready: ready(input)?,
        way: Way::Grafana {
            endpoint: endpoint(
                input,
                input.spec.grafana.port,
                ADMINISTRATOR,
                &input.secrets.grafana,
            ),
            path: path(input),
            source: influxdb.map(|host| DataSource {
                url: format!("https://{host}:{}", input.spec.influxdb.port),
                organisation: influxdb::ORGANISATION.to_owned(),
                authority: input.services.authority.clone(),
            }),
        },
        users,
    })
}

/// `None` where there is no certificate: then nothing of it is rendered to be run.
fn ready(input: &Input<'_>) -> Option<Probe> {
    let (_, host) = input.services.certificate.as_ref()?;
    Some(Probe {
        questions: vec![Question {
            scheme: Scheme::Https,
            address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, input.spec.grafana.port),
            host: Some(host.clone()),
            path: format!("{}api/health", path(input)),
            wanted: vec![200..=200],
            certificate: None,
            authority: None,
        }],
        deadline_seconds: DEADLINE,
    })
}

/// An InfluxDB on the same machine is reached there, whoever else its name leads to.
fn hosts(input: &Input<'_>) -> BTreeMap<String, Ipv4Addr> {
    let influxdb = Component::InfluxDb;
    let name = input.services.addresses.get(&influxdb);
    let name = name.filter(|name| {
        input.placed.contains(&influxdb) && name.parse::<std::net::IpAddr>().is_err()
    });
    name.into_iter()
        .map(|name| (name.clone(), Ipv4Addr::LOCALHOST))
        .collect()
}

fn container(input: &Input<'_>, image: String) -> Container {
    let settings = &input.spec.grafana;
    let here = |file: &str| format!("{INSIDE}/{file}");
    let page = super::super::url(input.spec);
    let root = format!("{}{}", page.trim_end_matches('/'), path(input));
    let claims = serde_json::json!({ "aud": GRAFANA });
    // Grafana, "Configure Grafana", on the environment; "Configure JWT authentication".
    let environment = [
        ("GF_SERVER_PROTOCOL", "https".to_owned()),
        ("GF_SERVER_HTTP_PORT", settings.port.to_string()),
        ("GF_SERVER_CERT_FILE", here("cert.pem")),
        ("GF_SERVER_CERT_KEY", here("key.pem")),
        ("GF_SERVER_CERTS_WATCH_INTERVAL", "1m".to_owned()),
        ("GF_SERVER_ROOT_URL", root),
        ("GF_SERVER_SERVE_FROM_SUB_PATH", "true".to_owned()),
        ("GF_SECURITY_ADMIN_USER", ADMINISTRATOR.to_owned()),
        ("GF_SECURITY_ADMIN_PASSWORD__FILE", here("admin-password")),
        (
            "GF_SECURITY_COOKIE_SECURE",
            input.spec.tls.is_on().to_string(),
        ),
        ("GF_SECURITY_ALLOW_EMBEDDING", "true".to_owned()),
        ("GF_USERS_ALLOW_SIGN_UP", "false".to_owned()),
        ("GF_USERS_ALLOW_ORG_CREATE", "false".to_owned()),
        ("GF_AUTH_ANONYMOUS_ENABLED", "false".to_owned()),
        ("GF_AUTH_JWT_ENABLED", "true".to_owned()),
        (
            "GF_AUTH_JWT_HEADER_NAME",
            ASSERTION_HEADER.as_str().to_owned(),
        ),
        ("GF_AUTH_JWT_USERNAME_CLAIM", "sub".to_owned()),
        ("GF_AUTH_JWT_KEY_FILE", here("gateway.pem")),
        ("GF_AUTH_JWT_EXPECT_CLAIMS", claims.to_string()),
        ("GF_AUTH_JWT_AUTO_SIGN_UP", "false".to_owned()),
        // Who is in which organisation is not the word's to say.
        ("GF_AUTH_JWT_SKIP_ORG_ROLE_SYNC", "true".to_owned()),
        ("GF_ANALYTICS_REPORTING_ENABLED", "false".to_owned()),
        ("GF_ANALYTICS_CHECK_FOR_UPDATES", "false".to_owned()),
        ("GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "false".to_owned()),
    ];
    Container {
        name: naming::container(&input.spec.name, Component::Grafana, None),
        component: Component::Grafana,
        user: None,
        image,
        command: Vec::new(),
        environment: environment
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Secret::new(value)))
            .collect::<BTreeMap<_, _>>(),
        mounts: vec![
            read_only(input, CONFIG, INSIDE),
            Mount {
                source: input.root.join(DATA),
                target: "/var/lib/grafana".into(),
                read_only: false,
            },
        ],
        network: Attachment::Host,
        hosts: hosts(input),
        listens: vec![SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, settings.port)],
        run_as: Some(format!("{}:{}", OWNER.0, OWNER.1)),
        read_only: false,
        capabilities: Capabilities::Only(Vec::new()),
        shm: None,
        limits: limits(settings.limits),
        // The key by which it knows the gateway is read when it starts.
        config_digest: Some(digest([input.services.gateway_key.as_str()])),
        precious: false,
        running: true,
        ready: ready(input),
    }
}
