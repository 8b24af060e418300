//! The website: its server, and the `env.js` that it and the upstream build read.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::desired::{Component, Content, Desired, File, Probe, digest};
use super::{Input, auth, own_container, plain, read_only};
use crate::render::{RenderError, Templates};
use crate::secrets::Secret;
use crate::spec::model::WebsiteBuild;

/// The website serves public files and needs no rights at all: it runs as `nobody`.
const NOBODY: (u32, u32) = (65534, 65534);

#[derive(Serialize)]
struct Context<'a> {
    url: &'a str,
    basename: &'a str,
    /// Whether there are workspaces for links to lead to, and what is in them.
    workspaces: bool,
    notebook: bool,
    desktop: bool,
    notebook_link: &'static str,
    vnc_link: String,
}

/// Where other websites are kept, relative to the root.
pub const BUILDS: &str = "data/website";

/// The file of one, by its digest.
pub fn build_file(build: &WebsiteBuild) -> PathBuf {
    Path::new(BUILDS).join(format!("{}.zip", build.sha256))
}

/// What the workbench of a trial leads to.
#[derive(Debug, Clone, Copy)]
pub struct Links {
    /// JupyterLab.
    pub workspaces: bool,
    /// The notebook's pages beside it, and terminals by themselves.
    pub notebook: bool,
}

/// The `env.js` of a trial. It has no address of its own: whatever name or tunnel the page is opened by, its tools are where it is.
///
/// # Errors
/// When the template gives nothing.
pub fn env_of_trial(templates: &Templates, links: Links) -> Result<String, RenderError> {
    let context = Context {
        url: "",
        basename: "",
        workspaces: links.workspaces,
        notebook: links.notebook,
        desktop: false,
        notebook_link: "/tree",
        vnc_link: String::new(),
    };
    templates.render("client/env.js", &context)
}

/// Adds the container and its files.
pub fn add(input: &Input<'_>, desired: &mut Desired) -> Result<(), RenderError> {
    let spec = input.spec;
    let context = Context {
        url: &super::url(spec),
        basename: spec.base_path.as_str(),
        workspaces: true,
        notebook: true,
        desktop: true,
        notebook_link: "",
        vnc_link: format!(
            "/tools/vnc/?password={}",
            input.secrets.vnc_password.expose()
        ),
    };
    let mut env = plain(
        "config/client/env.js",
        0o644,
        input.templates.render("client/env.js", &context)?,
    );
    // It holds the desktop password, which every signed-in user may know and a plan's reader need not.
    env.content = Content::Secret(Secret::new(env.content.expose()));
    desired.files.push(env);
    desired.files.push(File {
        path: "config/website/gateway-secret".into(),
        mode: 0o400,
        owner: Some(NOBODY),
        user: None,
        leads_to: None,
        reloads: None,
        kept: false,
        content: Content::Secret(input.secrets.gateway.clone()),
    });

    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, spec.ports.website);
    let listen = address.to_string();
    let command = [
        "website",
        "serve",
        "--listen",
        &listen,
        "--env",
        "/client/env.js",
        "--base-path",
        &spec.base_path.path(""),
        "--gateway-secret-file",
        "/website/gateway-secret",
    ];
    let mut container = own_container(input, Component::Website, command.map(str::to_owned).into());
    if let Some(build) = &spec.website {
        let words = [
            "--build".to_owned(),
            format!("/builds/{}.zip", build.sha256),
        ];
        container.command.extend(words);
        container.mounts.push(read_only(input, BUILDS, "/builds"));
    }
    container.run_as = Some(format!("{}:{}", NOBODY.0, NOBODY.1));
    container.config_digest = Some(digest([input.secrets.gateway.expose()]));
    container.mounts.extend([
        read_only(input, "config/client", "/client"),
        read_only(input, "config/website", "/website"),
    ]);
    container.listens = vec![address];
    container.ready = Some(Probe::of(address, "/healthz", auth::DEADLINE));
    desired.containers.push(container);
    Ok(())
}
