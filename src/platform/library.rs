//! The library: its server, and the folders that every user has.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use serde::Serialize;

use super::desired::{Component, Content, Desired, Directory, File, Mount, Probe, digest};
use super::{ASSET_KINDS, COMMON, Input, auth, own_container, plain, read_only};
use crate::render::RenderError;
use crate::spec::model::Library;
use crate::spec::names::UserName;

/// Where the library lies inside the container.
const INSIDE: &str = "/library";

#[derive(Serialize)]
struct Context {
    port: u16,
    local_path: &'static str,
    apollo_path: String,
}

/// The library's root, where it lies in the deployment. Other accounts of the machine stay outside: inside lie everybody's
/// files, and programs that carry their owner's rights. Containers are given what is below it and do not mind; the library
/// server runs as its owner. A root elsewhere is the operator's own.
pub fn root(input: &Input<'_>) -> Option<Directory> {
    let owner = input.spec.workspace.user;
    input.spec.library.root.is_relative().then(|| Directory {
        path: input.spec.library.root.clone(),
        mode: 0o700,
        owner: Some((owner.uid, owner.gid)),
        enforce: true,
        yielding: false,
        user: None,
    })
}

/// The folders of a user, or of `common`: five kinds of assets, and for a user the place where `common` is mounted.
pub fn directories(input: &Input<'_>, name: &str, user: Option<&UserName>) -> Vec<Directory> {
    let owner = input.spec.workspace.user;
    let directory = |path: PathBuf, yielding: bool| Directory {
        path,
        mode: 0o755,
        owner: Some((owner.uid, owner.gid)),
        enforce: false,
        yielding,
        user: user.cloned(),
    };
    let top = input.spec.library.root.join(name);
    // The top is mounted, so nobody can move it from inside. What lies in it is the users'.
    let mut all = vec![directory(top.clone(), false)];
    all.extend(
        ASSET_KINDS
            .iter()
            .map(|kind| directory(top.join(kind), true)),
    );
    if name != COMMON {
        all.push(directory(top.join(COMMON), true));
    }
    all
}

/// What the server is told about writing. It runs as `workspace.user`, so that what it makes is the workspaces' own.
fn writing(library: &Library) -> Vec<String> {
    if !library.writable {
        return Vec::new();
    }
    let mut flags = vec![
        "--writable".to_owned(),
        "--max-upload".to_owned(),
        library.max_upload.to_string(),
    ];
    if let Some(quota) = library.quota {
        flags.extend(["--quota".to_owned(), quota.to_string()]);
    }
    flags
}

/// Adds the container and its files.
pub fn add(input: &Input<'_>, desired: &mut Desired) -> Result<(), RenderError> {
    let spec = input.spec;
    let env = input.templates.render(
        "lib.env",
        &Context {
            port: spec.ports.library,
            local_path: INSIDE,
            apollo_path: spec.base_path.path("lib"),
        },
    )?;
    let owner = spec.workspace.user;
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, spec.ports.library);
    let listen = address.to_string();
    let mut command = [
        "lib",
        "serve",
        "--env-file",
        "/config/lib.env",
        "--listen",
        &listen,
        "--gateway-secret-file",
        "/secrets/gateway-secret",
    ]
    .map(str::to_owned)
    .to_vec();
    command.extend(writing(&spec.library));
    let mut container = own_container(input, Component::Library, command);
    container.run_as = Some(String::from(owner));
    // It reads both when it starts. In a label the digest stands keyed, so that nobody can try secrets against it.
    container.config_digest = Some(digest([env.as_str(), input.secrets.gateway.expose()]));
    container.mounts = vec![
        read_only(input, "config/lib.env", "/config/lib.env"),
        read_only(input, "config/library", "/secrets"),
        Mount {
            source: input.library_root(),
            target: INSIDE.into(),
            read_only: !spec.library.writable,
        },
    ];
    container.listens = vec![address];
    container.ready = Some(Probe::of(address, "/healthz", auth::DEADLINE));
    desired.files.push(plain("config/lib.env", 0o644, env));
    desired.files.push(File {
        path: "config/library/gateway-secret".into(),
        mode: 0o400,
        owner: Some((owner.uid, owner.gid)),
        user: None,
        leads_to: None,
        reloads: None,
        kept: false,
        content: Content::Secret(input.secrets.gateway.clone()),
    });
    desired.containers.push(container);
    Ok(())
}
