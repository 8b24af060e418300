//! The auth endpoint: who may open what, asked by the gateway on loopback.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};

use super::desired::{Capabilities, Component, Desired, Directory, File, Mount, Probe, digest};
use super::{Input, of_user, own_container, plain, read_only, secret};
use crate::auth::shares;
use crate::secrets::Secret;
use crate::spec::model::{AuthMode, User};
use crate::spec::names::UserName;

/// What browsers show above the name and the password.
pub const REALM: &str = "DTaaS";

/// Seconds after which our own small servers count as failed.
pub const DEADLINE: u64 = 30;

/// The file that opens the door for a user, relative to the root: it exists for enabled users only.
pub fn user_file(name: &UserName) -> PathBuf {
    format!("config/auth/{name}.json").into()
}

/// Where users' htpasswd entries lie, relative to the root.
pub const ENTRIES: &str = "auth";

/// A user's htpasswd entry, relative to the root.
pub fn entry_file(name: &UserName) -> PathBuf {
    format!("{ENTRIES}/{name}").into()
}

/// A user's htpasswd entry on the gateway's machine, when that is another than the operator's. One that is there stays: its user
/// may have changed the password since.
pub fn entry(name: &UserName, entry: &Secret) -> File {
    File {
        kept: true,
        ..of_user(
            secret(entry_file(name), format!("{}\n", entry.expose())),
            name,
        )
    }
}

/// What the endpoint knows of a user besides the password.
pub fn user_access(name: &UserName, user: &User, workspace: SocketAddrV4) -> File {
    let groups: Vec<&str> = user.groups.iter().map(|group| group.as_str()).collect();
    plain(
        user_file(name),
        0o644,
        format!(
            "{}\n",
            serde_json::json!({ "groups": groups, "workspace": workspace })
        ),
    )
}

/// The URL that the gateway asks, for one user's workspace or (`None`) for what is any user's.
pub fn authz_url(input: &Input<'_>, user: Option<&UserName>) -> String {
    let address = asked_at(input);
    match user {
        Some(user) => format!("https://{address}/authz/{user}"),
        None => format!("https://{address}/authz"),
    }
}

/// Where the gateway asks: over TLS, and so by HTTP/2, at a loopback address of its own.
fn asked_at(input: &Input<'_>) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 2), input.spec.ports.auth)
}

/// The URL that the gateway asks for whoever goes to Grafana.
pub fn vis_url(input: &Input<'_>) -> String {
    format!("https://{}/vis", asked_at(input))
}

/// Where the key lies for the gateway's word to Grafana, relative to the root.
const VIS: &str = "config/vis";

/// Where the word lies that a user's sessions hang on, relative to the root; a file for each user who has signed in.
pub const SESSIONS: &str = "sessions";

/// Where it is kept what users share, relative to the root; a file a user.
pub const SHARES: &str = "shares";

/// Where the key lies that sessions are signed with, and the gateway's secret, relative to the root.
const KEY: &str = "config/session";

/// What a user's sessions hang on, relative to the root. Whoever is shut out has none: else a cookie of before would count again when the
/// account is opened again.
pub fn session_file(name: &UserName) -> PathBuf {
    Path::new(SESSIONS).join(name.as_str())
}

/// What a user shares, relative to the root.
pub fn shares_file(name: &UserName) -> PathBuf {
    Path::new(SHARES).join(shares::file_name(name))
}

/// What a session's cookie is called, with and without TLS.
pub fn cookies(input: &Input<'_>) -> [String; 2] {
    crate::auth::sessions::cookie_names(input.spec.name.as_str())
}

/// Adds the endpoint's container, unless Traefik checks passwords itself.
pub fn add(input: &Input<'_>, desired: &mut Desired) {
    if input.spec.auth == AuthMode::Basic {
        return;
    }
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, input.spec.ports.auth);
    let command = [
        "auth",
        "serve",
        "--listen",
        &address.to_string(),
        "--listen-tls",
        &asked_at(input).to_string(),
        "--htpasswd",
        "/auth",
        "--users",
        "/users",
        "--sessions",
        "/sessions",
        "--shares",
        "/shares",
        "--key-file",
        "/session/key",
        "--gateway-secret-file",
        "/session/gateway",
        "--platform",
        input.spec.name.as_str(),
        "--base-path",
        &input.spec.base_path.path(""),
        "--realm",
        REALM,
    ];
    let mut container = own_container(input, Component::Auth, command.map(str::to_owned).into());
    for proxy in &input.spec.trusted_proxies {
        container.command.push(format!("--trusted-proxy={proxy}"));
    }
    let closed = |path| Directory {
        mode: 0o700,
        enforce: true,
        ..Directory::plain(path)
    };
    desired
        .directories
        .extend([closed(SESSIONS), closed(SHARES), closed(KEY)]);
    let key = input.secrets.gateway.derived("sessions");
    let mut digests = vec![key.clone()];
    desired
        .files
        .push(secret(format!("{KEY}/key"), key.expose().to_owned()));
    let gateway = input.secrets.gateway.expose().to_owned();
    desired
        .files
        .push(secret(format!("{KEY}/gateway"), gateway));
    let written = |source: &str, target: &str| Mount {
        read_only: false,
        ..read_only(input, source, target)
    };
    container.mounts = vec![
        // Users change their passwords.
        written(ENTRIES, "/auth"),
        written(SESSIONS, "/sessions"),
        written(SHARES, "/shares"),
        read_only(input, "config/auth", "/users"),
        read_only(input, KEY, "/session"),
    ];
    if !input.services.is_empty() {
        let credentials = read_only(input, super::services::users::FILES, "/credentials");
        container.mounts.push(credentials);
        let words = ["--credentials", "/credentials"];
        container.command.extend(words.map(str::to_owned));
        // They are the workspaces' users' own, and closed to others.
        container.capabilities = Capabilities::Only(vec!["DAC_READ_SEARCH".to_owned()]);
    }
    if let Some(key) = &input.services.vis_key {
        desired.directories.push(Directory {
            mode: 0o700,
            enforce: true,
            ..Directory::plain(VIS)
        });
        let file = secret(format!("{VIS}/key.pem"), key.expose().to_owned());
        desired.files.push(file);
        container.mounts.push(read_only(input, VIS, "/vis"));
        let words = ["--vis-key", "/vis/key.pem"];
        container.command.extend(words.map(str::to_owned));
        digests.push(key.clone());
    }
    // They are read once, at the start.
    container.config_digest = Some(digest(digests.iter().map(Secret::expose)));
    container.listens = vec![address, asked_at(input)];
    container.ready = Some(Probe::of(address, "/healthz", DEADLINE));
    desired.containers.push(container);
}
