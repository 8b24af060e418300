//! The auth endpoint: who may open what, asked by the gateway on loopback.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use super::desired::{Component, Desired, Directory, File, Probe, digest};
use super::{Input, of_user, own_container, plain, read_only, secret};
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
pub fn user_access(name: &UserName, user: &User) -> File {
    let groups: Vec<&str> = user.groups.iter().map(|group| group.as_str()).collect();
    plain(
        user_file(name),
        0o644,
        format!("{}\n", serde_json::json!({ "groups": groups })),
    )
}

/// The URL that the gateway asks, for one user's workspace or (`None`) for what is any user's.
pub fn authz_url(input: &Input<'_>, user: Option<&UserName>) -> String {
    let port = input.spec.ports.auth;
    match user {
        Some(user) => format!("http://127.0.0.1:{port}/authz/{user}"),
        None => format!("http://127.0.0.1:{port}/authz"),
    }
}

/// The URL that the gateway asks for whoever goes to Grafana.
pub fn vis_url(input: &Input<'_>) -> String {
    format!("http://127.0.0.1:{}/vis", input.spec.ports.auth)
}

/// Where the key lies for the gateway's word to Grafana, relative to the root.
const VIS: &str = "config/vis";

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
        "--htpasswd",
        "/auth",
        "--users",
        "/users",
        "--realm",
        REALM,
    ];
    let mut container = own_container(input, Component::Auth, command.map(str::to_owned).into());
    container.mounts = vec![
        read_only(input, ENTRIES, "/auth"),
        read_only(input, "config/auth", "/users"),
    ];
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
        // It is read once, at the start.
        container.config_digest = Some(digest([key.expose()]));
    }
    container.listens = vec![address];
    container.ready = Some(Probe::of(address, "/healthz", DEADLINE));
    desired.containers.push(container);
}
