//! The gateway: Traefik in host network mode, its static configuration, and one dynamic file a user.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use serde::Serialize;

use super::desired::{
    Attachment, Capabilities, Component, Container, Desired, File, Image, Limits, Mount, Probe,
    Question, Scheme, digest,
};
use super::{Certificate, Input, auth, naming, plain, read_only, secret};
use crate::render::RenderError;
use crate::spec::model::{AuthMode, Challenge, Spec};
use crate::spec::names::UserName;

/// The static configuration, relative to the root.
const STATIC: &str = "config/gateway/static/traefik.yml";

/// Seconds until the gateway counts as failed.
const DEADLINE: u64 = 30;

#[derive(Serialize)]
struct StaticContext<'a> {
    log_level: &'static str,
    tls: bool,
    http_address: String,
    https_address: String,
    redirect_to: String,
    trusted_proxies: Vec<String>,
    acme: Option<AcmeContext<'a>>,
}

#[derive(Serialize)]
struct AcmeContext<'a> {
    domain: &'a str,
    email: &'a str,
    ca_server: &'a str,
    storage: &'static str,
    http_challenge: bool,
}

#[derive(Serialize)]
struct PlatformContext<'a> {
    gateway_secret: &'a str,
    basic: bool,
    realm: &'a str,
    entries: Vec<&'a str>,
    authz_url: String,
    behind_proxies: bool,
    cookies: [String; 2],
    door_rule: String,
    sockets_rule: String,
    shared_rule: String,
    proxies: Vec<String>,
    door_url: String,
    website_rule: String,
    library_rule: String,
    live_rule: String,
    website_url: String,
    library_url: String,
}

#[derive(Serialize)]
struct UserContext<'a> {
    user: &'a str,
    basic: bool,
    realm: &'a str,
    entry: &'a str,
    authz_url: String,
    behind_proxies: bool,
    cookies: [String; 2],
    middleware: String,
    router: String,
    rule: String,
    workspace_url: String,
}

/// Where the gateway's dynamic configuration lies, relative to the root. Traefik reads each file of it as soon as it is written,
/// so they come after all that they name: certificates, users' groups.
pub const ROUTES: &str = "config/gateway/dynamic";

/// Where the certificate and its key lie, relative to the root.
pub const PAIR: &str = "config/gateway/tls";

/// Where Traefik keeps what it has from an ACME server, relative to the root: the only directory that it writes.
pub const ACME: &str = "data/acme";

/// The file in [`ACME`]: keys and certificates, mode 0600, Traefik's own (JSON).
pub const ACME_FILE: &str = "acme.json";

/// What the static configuration calls the ACME server.
pub const RESOLVER: &str = "acme";

/// Let's Encrypt's directory, as in Traefik's own default.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// The dynamic configuration of a user, relative to the root.
pub fn user_file(name: &UserName) -> PathBuf {
    format!("{ROUTES}/user-{name}.yml").into()
}

/// A rule for a path and everything below it, whole segments only: `/alice` and `/alice/…`, not `/alicex`.
pub fn rule(input: &Input<'_>, path: &str) -> String {
    let host = &input.spec.domain;
    let path = input.spec.base_path.path(path);
    if path.is_empty() {
        return format!("Host(`{host}`)");
    }
    format!("Host(`{host}`) && (Path(`{path}`) || PathPrefix(`{path}/`))")
}

/// Where people sign in and see to their accounts, which the auth process guards by itself.
fn door_rule(input: &Input<'_>) -> String {
    let pages = ["signin", "account"].map(|page| {
        let path = input.spec.base_path.path(page);
        format!("Path(`{path}`) || PathPrefix(`{path}/`)")
    });
    format!("Host(`{}`) && ({})", input.spec.domain, pages.join(" || "))
}

/// What is below every user's name, with more that must hold.
///
/// WebSockets to workspaces go through the auth process: it ends them with the session that they were opened in, which Traefik, once it
/// has let a connection through, never looks at again.
fn workspaces_rule(input: &Input<'_>, rest: &str, more: &str) -> String {
    // A base path is letters, digits, '.', '_' and '-'.
    let base = input.spec.base_path.path("").replace('.', "\\.");
    let host = &input.spec.domain;
    format!("Host(`{host}`) && PathRegexp(`^{base}/[^/]+{rest}`){more}")
}

fn proxies(spec: &Spec) -> Vec<String> {
    spec.trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// Adds the container and every file but the users' own.
pub fn add(input: &Input<'_>, desired: &mut Desired) -> Result<(), RenderError> {
    let spec = input.spec;
    let address = |port| format!("{}:{port}", spec.bind);
    let configuration = input.templates.render(
        "gateway/static/traefik.yml",
        &StaticContext {
            log_level: spec.gateway.log_level.as_str(),
            tls: spec.tls.is_on(),
            http_address: address(spec.ports.http),
            https_address: address(spec.ports.https),
            redirect_to: format!(":{}", spec.ports.https),
            trusted_proxies: proxies(spec),
            acme: spec.tls.acme().map(|acme| AcmeContext {
                domain: spec.domain.as_str(),
                email: &acme.email,
                ca_server: acme.ca_server.as_deref().unwrap_or(LETS_ENCRYPT),
                storage: "/acme/acme.json",
                http_challenge: acme.challenge == Challenge::Http,
            }),
        },
    )?;
    let image = input.image(&spec.gateway.image);
    desired.images.push(Image::Pull {
        reference: image.clone(),
    });
    desired
        .containers
        .push(container(input, image, digest([configuration.as_str()])));
    desired.files.push(plain(STATIC, 0o644, configuration));
    desired.files.push(platform(input)?);
    add_certificate(input, desired)?;
    desired.files.push(htpasswd(input)?);
    Ok(())
}

/// The certificate, and the file that makes Traefik read it anew.
pub fn add_certificate(input: &Input<'_>, desired: &mut Desired) -> Result<(), RenderError> {
    if !input.spec.tls.is_on() {
        return Ok(());
    }
    let pair = input.certificate.map(|certificate| {
        let (chain, key) = (certificate.chain.as_str(), certificate.key.expose());
        desired
            .files
            .push(plain(format!("{PAIR}/cert.pem"), 0o644, chain.to_owned()));
        desired
            .files
            .push(secret(format!("{PAIR}/key.pem"), key.to_owned()));
        digest([chain, key])
    });
    let text = input.templates.render(
        "gateway/dynamic/tls.yml",
        &serde_json::json!({ "digest": pair }),
    )?;
    desired
        .files
        .push(plain(format!("{ROUTES}/tls.yml"), 0o644, text));
    Ok(())
}

/// The files that hold everyone's credentials: those that change with any user.
pub fn add_credentials(input: &Input<'_>, desired: &mut Desired) -> Result<(), RenderError> {
    desired.files.push(htpasswd(input)?);
    if input.spec.auth == AuthMode::Basic {
        desired.files.push(platform(input)?);
    }
    Ok(())
}

/// The dynamic configuration of one user who is enabled.
pub fn user(
    input: &Input<'_>,
    name: &UserName,
    workspace: SocketAddrV4,
) -> Result<Option<File>, RenderError> {
    // A user without a password has no way in; a route would only confuse.
    let Some(entry) = input.entries.get(name) else {
        return Ok(None);
    };
    let basic = input.spec.auth == AuthMode::Basic;
    let context = UserContext {
        user: name.as_str(),
        basic,
        realm: auth::REALM,
        entry: entry.expose(),
        authz_url: auth::authz_url(input, Some(name)),
        behind_proxies: !input.spec.trusted_proxies.is_empty(),
        cookies: auth::cookies(input),
        middleware: format!("only-{name}"),
        router: format!("workspace-{name}"),
        rule: rule(input, name.as_str()),
        workspace_url: format!("http://{workspace}"),
    };
    let text = input
        .templates
        .render("gateway/dynamic/user.yml", &context)?;
    Ok(Some(match basic {
        true => secret(user_file(name), text),
        false => plain(user_file(name), 0o644, text),
    }))
}

fn platform(input: &Input<'_>) -> Result<File, RenderError> {
    let spec = input.spec;
    let basic = spec.auth == AuthMode::Basic;
    let local = |port| format!("http://127.0.0.1:{port}");
    let context = PlatformContext {
        gateway_secret: input.secrets.gateway.expose(),
        basic,
        realm: auth::REALM,
        entries: match basic {
            true => input
                .open_users()
                .map(|(_, entry)| entry.expose())
                .collect(),
            false => Vec::new(),
        },
        authz_url: auth::authz_url(input, None),
        behind_proxies: !spec.trusted_proxies.is_empty(),
        cookies: auth::cookies(input),
        door_rule: door_rule(input),
        sockets_rule: workspaces_rule(
            input,
            "(/|$)",
            " && HeaderRegexp(`Upgrade`, `(?i)^websocket$`)",
        ),
        shared_rule: workspaces_rule(input, "/services/[^/]+", ""),
        proxies: proxies(spec),
        door_url: local(spec.ports.auth),
        website_rule: rule(input, ""),
        library_rule: rule(input, "lib"),
        live_rule: format!(
            "Host(`{}`) && Path(`{}`)",
            spec.domain,
            spec.base_path.path("healthz")
        ),
        website_url: local(spec.ports.website),
        library_url: local(spec.ports.library),
    };
    let text = input
        .templates
        .render("gateway/dynamic/platform.yml", &context)?;
    Ok(secret(format!("{ROUTES}/platform.yml"), text))
}

/// The plain htpasswd file of everyone who may enter, for other tools.
fn htpasswd(input: &Input<'_>) -> Result<File, RenderError> {
    let entries: Vec<&str> = input
        .open_users()
        .map(|(_, entry)| entry.expose())
        .collect();
    let text = input
        .templates
        .render("gateway/auth", &serde_json::json!({ "entries": entries }))?;
    Ok(secret("config/gateway/auth", text))
}

fn container(input: &Input<'_>, image: String, config_digest: String) -> Container {
    let spec = input.spec;
    let mut mounts = vec![
        read_only(input, "config/gateway/static", "/static"),
        read_only(input, ROUTES, "/dynamic"),
    ];
    if input.certificate.is_some() {
        mounts.push(read_only(input, PAIR, "/tls"));
    }
    if spec.tls.acme().is_some() {
        mounts.push(Mount {
            read_only: false,
            ..read_only(input, ACME, "/acme")
        });
    }
    Container {
        name: naming::container(&spec.name, Component::Gateway, None),
        component: Component::Gateway,
        user: None,
        image,
        command: vec!["--configFile=/static/traefik.yml".to_owned()],
        environment: Default::default(),
        mounts,
        network: Attachment::Host,
        hosts: Default::default(),
        listens: match spec.tls.is_on() {
            false => vec![spec.ports.http],
            true => vec![spec.ports.http, spec.ports.https],
        }
        .into_iter()
        .map(|port| SocketAddrV4::new(spec.bind, port))
        .collect(),
        run_as: Some("0:0".to_owned()),
        read_only: true,
        // The ports below 1024 of the host's own network.
        capabilities: Capabilities::Only(vec!["NET_BIND_SERVICE".to_owned()]),
        shm: None,
        limits: Limits::default(),
        config_digest: Some(config_digest),
        precious: false,
        running: true,
        ready: Some(probe(input)),
    }
}

/// The address at which this machine reaches its own gateway.
pub fn reached_at(spec: &Spec) -> Ipv4Addr {
    match spec.bind {
        Ipv4Addr::UNSPECIFIED => Ipv4Addr::LOCALHOST,
        address => address,
    }
}

/// The gateway itself, showing the certificate that was written last, and a guarded page as a stranger: that is refused only
/// once the routes are loaded and whoever guards them answers.
fn probe(input: &Input<'_>) -> Probe {
    let spec = input.spec;
    let (scheme, port) = match spec.tls.is_on() {
        false => (Scheme::Http, spec.ports.http),
        true => (Scheme::Https, spec.ports.https),
    };
    let ip = reached_at(spec);
    let question = |path: &str, status: u16| Question {
        scheme,
        address: SocketAddrV4::new(ip, port),
        host: Some(spec.domain.to_string()),
        path: spec.base_path.path(path),
        wanted: vec![status..=status],
        certificate: input.certificate.and_then(Certificate::sha256),
        authority: None,
    };
    Probe {
        questions: vec![
            question("healthz", 200),
            Question {
                path: format!("{}/", spec.base_path.path("")),
                ..question("", 401)
            },
        ],
        deadline_seconds: DEADLINE,
    }
}
