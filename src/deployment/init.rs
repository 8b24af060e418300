//! Making a deployment: everything is checked before anything is written, and `dtaas.yaml` is written last, so that a run
//! that was killed is simply run again.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use ipnet::Ipv4Net;

use super::users::{generate_password, user_text};
use super::{Deployment, Missing};
use crate::auth::password;
use crate::error::Failure;
use crate::machine::files::Tree;
use crate::machine::lock::Lock;
use crate::render::Templates;
use crate::secrets::Secret;
use crate::spec::load;
use crate::spec::model::{self, AuthMode, SUBNET_PREFIX, Spec};
use crate::spec::names::{BasePath, DeploymentName, Domain, UserName};
use crate::spec::problem::{Problem, Problems};
use crate::spec::read::default;

/// What `init` was told; `None` leaves the default.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `domain`.
    pub domain: Option<Domain>,
    /// `name`.
    pub name: Option<DeploymentName>,
    /// The first users, with the passwords that were given for them.
    pub users: Vec<(UserName, Option<Secret>)>,
    /// `profile`.
    pub profile: Option<String>,
    /// `base_path`.
    pub base_path: Option<BasePath>,
    /// `bind`.
    pub bind: Option<Ipv4Addr>,
    /// `ports.http`.
    pub http_port: Option<u16>,
    /// `ports.https`.
    pub https_port: Option<u16>,
    /// `ports.auth`.
    pub auth_port: Option<u16>,
    /// `ports.website`.
    pub website_port: Option<u16>,
    /// `ports.library`.
    pub library_port: Option<u16>,
    /// `tls.mode`: `off` or `self-signed`.
    pub tls: Option<String>,
    /// `network.pool`.
    pub pool: Option<Ipv4Net>,
    /// `auth`.
    pub auth: Option<AuthMode>,
    /// `images.prefix`.
    pub image_prefix: Option<String>,
}

/// What `init` did.
pub struct Made {
    /// The deployment.
    pub deployment: Deployment,
    /// Users whose password is new, with the password.
    pub credentials: Vec<(UserName, Secret)>,
    /// Users who had a password already, from an earlier run that did not finish.
    pub kept: Vec<UserName>,
}

/// Makes a deployment in a directory that is none yet. The caller has asked for the domain.
pub fn make(directory: &Path, request: &Request) -> anyhow::Result<Made> {
    let text = spec_text(request)?;
    let templates = Templates::new(&BTreeMap::new()).map_err(Failure::from)?;
    let mut user_texts = BTreeMap::new();
    if let Some(room) = room(request)
        && request.users.len() > room as usize
    {
        return Err(Failure::usage(format!(
            "the pool has room for {room} users, not for {}",
            request.users.len()
        ))
        .hint("nothing was written; give --pool a larger range, such as 10.213.0.0/16")
        .into());
    }
    for (slot, (name, _)) in request.users.iter().enumerate() {
        if user_texts.contains_key(name) {
            return Err(Failure::usage(format!("the user {name} is named twice"))
                .hint("name each user once; nothing was written")
                .into());
        }
        user_texts.insert(
            name.clone(),
            user_text(&templates, u32::try_from(slot)?, &[])?,
        );
    }
    let files = user_texts
        .iter()
        .map(|(name, text)| (format!("{name}.yaml"), text.clone()))
        .collect();
    let spec = load::check(&text, &files).map_err(refused)?;
    Deployment::beside(directory, &spec)?;
    // Only now is anything written.
    Tree::create(directory)?;
    let _lock = Lock::take(directory, "dtaas init")?;
    let deployment = Deployment::with_spec(directory, spec)?;
    // A user without a file in users/ does not exist, whatever an earlier run left.
    let known = deployment.entries()?;
    let exists = |name: &UserName| {
        known.contains_key(name)
            && directory
                .join(load::USERS)
                .join(format!("{name}.yaml"))
                .exists()
    };
    let (kept, new): (Vec<_>, Vec<_>) = request.users.iter().partition(|(name, _)| exists(name));
    let credentials: Vec<(UserName, Secret)> = new
        .iter()
        .map(|(name, given)| {
            (
                name.clone(),
                given.clone().unwrap_or_else(generate_password),
            )
        })
        .collect();
    deployment.secrets(Missing::Keep)?;
    for ((name, _), hash) in credentials.iter().zip(hashes(&credentials)?) {
        deployment.write_entry(name, &hash)?;
        if let Some(text) = user_texts.get(name) {
            deployment.write_user(name, text)?;
        }
    }
    deployment.render()?;
    deployment
        .tree
        .write(Path::new(load::FILE), 0o644, text.as_bytes())?;
    Ok(Made {
        deployment,
        credentials,
        kept: kept.into_iter().map(|(name, _)| name.clone()).collect(),
    })
}

/// What is wrong with a spec that is not written yet: there is no file and no line to point at.
fn refused(problems: Problems) -> Failure {
    let problems = problems.0.into_iter().map(|problem| Problem {
        file: String::new(),
        line: None,
        ..problem
    });
    Failure::usage(Problems(problems.collect()).to_string())
        .hint("nothing was written; give other values")
}

/// What a request says otherwise than a deployment that exists: key, what it is, what was asked for.
pub fn contradictions(spec: &Spec, request: &Request) -> Vec<String> {
    let mut all = Vec::new();
    let mut compare = |key: &str, is: String, asked: Option<String>| {
        if let Some(asked) = asked.filter(|asked| *asked != is) {
            all.push(format!(
                "{key} is {is}, not {asked}: edit dtaas.yaml, then `dtaas up`"
            ));
        }
    };
    let port = |port: Option<u16>| port.map(|port| port.to_string());
    compare(
        "domain",
        spec.domain.to_string(),
        request.domain.as_ref().map(Domain::to_string),
    );
    compare(
        "name",
        spec.name.to_string(),
        request.name.as_ref().map(DeploymentName::to_string),
    );
    compare("profile", spec.profile.clone(), request.profile.clone());
    compare(
        "base_path",
        format!("{:?}", spec.base_path.as_str()),
        request
            .base_path
            .as_ref()
            .map(|path| format!("{:?}", path.as_str())),
    );
    compare(
        "bind",
        spec.bind.to_string(),
        request.bind.map(|bind| bind.to_string()),
    );
    compare(
        "ports.http",
        spec.ports.http.to_string(),
        port(request.http_port),
    );
    compare(
        "ports.https",
        spec.ports.https.to_string(),
        port(request.https_port),
    );
    compare(
        "ports.auth",
        spec.ports.auth.to_string(),
        port(request.auth_port),
    );
    compare(
        "ports.website",
        spec.ports.website.to_string(),
        port(request.website_port),
    );
    compare(
        "ports.library",
        spec.ports.library.to_string(),
        port(request.library_port),
    );
    compare("tls.mode", spec.tls.mode().to_owned(), request.tls.clone());
    compare(
        "network.pool",
        spec.pool.to_string(),
        request.pool.map(|pool| pool.to_string()),
    );
    compare(
        "auth",
        spec.auth.as_str().to_owned(),
        request.auth.map(|auth| auth.as_str().to_owned()),
    );
    compare(
        "images.prefix",
        format!("{:?}", spec.image_prefix),
        request
            .image_prefix
            .as_ref()
            .map(|prefix| format!("{prefix:?}")),
    );
    for (name, _) in &request.users {
        if !spec.users.contains_key(name) {
            all.push(format!(
                "there is no user {name} yet: `dtaas user add {name}`"
            ));
        }
    }
    all
}

fn spec_text(request: &Request) -> anyhow::Result<String> {
    let domain = request.domain.as_ref().ok_or_else(|| {
        Failure::usage("no domain is given").hint("give --domain foo.com, or --domain localhost")
    })?;
    let text = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_owned());
    let name = match &request.name {
        Some(name) => name.clone(),
        None => DeploymentName::of(domain),
    };
    let context = serde_json::json!({
        "name": name,
        "domain": domain,
        "base_path": request.base_path.clone().unwrap_or_default(),
        "profile": text(request.profile.clone(), default::PROFILE),
        "bind": request.bind.unwrap_or(Ipv4Addr::UNSPECIFIED),
        "http_port": request.http_port.unwrap_or(default::HTTP),
        "https_port": request.https_port.unwrap_or(default::HTTPS),
        "auth_port": request.auth_port.unwrap_or(default::AUTH),
        "website_port": request.website_port.unwrap_or(default::WEBSITE),
        "library_port": request.library_port.unwrap_or(default::LIBRARY),
        "tls_mode": text(request.tls.clone(), default::TLS),
        "pool": text(request.pool.map(|pool| pool.to_string()), default::POOL),
        "auth": request.auth.unwrap_or(AuthMode::Endpoint).as_str(),
        "library_root": default::LIBRARY_ROOT,
        "image_prefix": text(request.image_prefix.clone(), ""),
        "gateway_image": default::GATEWAY_IMAGE,
        "gateway_log_level": "INFO",
        "workspace_image": default::WORKSPACE_IMAGE,
        "workspace_user": default::WORKSPACE_USER,
        "cpus": default::CPUS,
        "memory": default::MEMORY,
        "pids": default::PIDS,
        "shm": default::SHM,
    });
    Templates::new(&BTreeMap::new())
        .and_then(|templates| templates.render("dtaas.yaml", &context))
        .map_err(|error| Failure::from(error).into())
}

/// How many users the pool has room for; `None` when it cannot be one.
fn room(request: &Request) -> Option<u32> {
    let pool = request.pool.or_else(|| default::POOL.parse().ok())?;
    (pool.prefix_len() <= SUBNET_PREFIX).then(|| model::slots(pool))
}

/// Hashes side by side: one takes a good part of a tenth of a second, on purpose.
fn hashes(credentials: &[(UserName, Secret)]) -> anyhow::Result<Vec<String>> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let share = credentials.len().div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = credentials
            .chunks(share)
            .map(|chunk| {
                scope.spawn(|| {
                    chunk
                        .iter()
                        .map(|(_, secret)| password::hash(secret))
                        .collect::<anyhow::Result<Vec<_>>>()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(credentials.len());
        for thread in threads {
            match thread.join() {
                Ok(hashes) => all.extend(hashes?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}
