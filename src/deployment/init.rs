//! Making a deployment: everything is checked before anything is written, and `dtaas.yaml` is written last, so that a run
//! that was killed is simply run again.

mod contradictions;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use time::OffsetDateTime;

use super::room::Room;
use super::users::{generate_password, hashes, user_text};
use super::{Deployment, Missing, certificates, runs};
use crate::error::Failure;
use crate::machine::files::{Tree, is_temporary};
use crate::machine::lock::Lock;
use crate::render::Templates;
use crate::secrets::Secret;
use crate::spec::edit;
use crate::spec::load;
use crate::spec::model::{AuthMode, Challenge, Spec, Tls};
use crate::spec::names::{BasePath, DeploymentName, Domain, UserName};
use crate::spec::problem::Problems;
use crate::spec::read::default;
pub use contradictions::contradictions;

/// What `init` was told; `None` leaves the default.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `domain`.
    pub domain: Option<Domain>,
    /// `name`.
    pub name: Option<DeploymentName>,
    /// The first users, with the passwords that were given for them.
    pub users: Vec<(UserName, Option<Secret>)>,
    /// Users of another platform, who come as they are.
    pub carried: Vec<Carried>,
    /// `library.root`, where users' files are somewhere else already.
    pub library_root: Option<PathBuf>,
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
    /// `tls.mode`.
    pub tls: Option<String>,
    /// `tls.cert`.
    pub tls_cert: Option<PathBuf>,
    /// `tls.key`.
    pub tls_key: Option<PathBuf>,
    /// `tls.email`.
    pub tls_email: Option<String>,
    /// `tls.ca_server`.
    pub tls_ca_server: Option<String>,
    /// `tls.challenge`.
    pub tls_challenge: Option<Challenge>,
    /// `network.pool`.
    pub pool: Option<Ipv4Net>,
    /// `auth`.
    pub auth: Option<AuthMode>,
    /// `images.prefix`.
    pub image_prefix: Option<String>,
    /// What the machine has: a small one gets smaller limits.
    pub room: Room,
}

/// A user of another platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The name.
    pub name: UserName,
    /// The password's hash, in a form that [`crate::auth::password::verify`] accepts; `None` is without a password.
    pub hash: Option<Secret>,
    /// Whether the door is open.
    pub enabled: bool,
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

/// What is to be written, all of it checked.
struct Draft {
    text: String,
    spec: Spec,
    /// Files of users who have none yet.
    users: BTreeMap<UserName, String>,
    credentials: Vec<(UserName, Secret)>,
    kept: Vec<UserName>,
}

/// Where new passwords go.
pub type HandOut<'a> = &'a mut dyn FnMut(&[(UserName, Secret)]) -> anyhow::Result<()>;

/// Makes a deployment in a directory that is none yet. The caller has asked for the domain.
/// New passwords are handed out by `hand_out` just before the deployment exists.
pub fn make(directory: &Path, request: &Request, hand_out: HandOut<'_>) -> anyhow::Result<Made> {
    make_filled(directory, request, hand_out, &mut |_| Ok(()))
}

/// What puts something into a deployment before it exists: the library's files, for one.
pub type Fill<'a> = &'a mut dyn FnMut(&Deployment) -> anyhow::Result<()>;

/// Checks what [`make`] would, and writes nothing. Answers with the spec as it would be.
pub fn check(directory: &Path, request: &Request) -> anyhow::Result<Spec> {
    Ok(draft(directory, request)?.spec)
}

/// The same as [`make`], with `fill` called when all that can be wrong was looked at. Nothing is written into a library that is
/// somewhere else: it is another platform's still.
pub fn make_filled(
    directory: &Path,
    request: &Request,
    hand_out: HandOut<'_>,
    fill: Fill<'_>,
) -> anyhow::Result<Made> {
    let draft = draft(directory, request)?;
    let passwords: Vec<&Secret> = draft.credentials.iter().map(|(_, secret)| secret).collect();
    let hashes = hashes(&passwords)?;
    // Only now is anything written.
    Tree::create(directory)?;
    let lock = Lock::take(directory, "dtaas init")?;
    unchanged(directory, request, &draft)?;
    let deployment = Deployment::with_spec(directory, draft.spec)?;
    runs::begin(deployment.root());
    deployment.sweep(&lock)?;
    deployment.secrets(Missing::Keep)?;
    fill(&deployment)?;
    for ((name, _), hash) in draft.credentials.iter().zip(hashes) {
        deployment.write_entry(name, &hash)?;
    }
    for one in &request.carried {
        match &one.hash {
            Some(hash) => deployment.write_entry(&one.name, hash.expose())?,
            None => deployment.remove_entry(&one.name)?,
        }
    }
    for (name, text) in &draft.users {
        deployment.write_user(name, text)?;
    }
    match deployment.spec.library.root.is_absolute() {
        true => deployment.render_beside_the_library()?,
        false => deployment.render()?,
    };
    hand_out(&draft.credentials)?;
    deployment
        .tree
        .write(Path::new(load::FILE), 0o644, draft.text.as_bytes())?;
    Ok(Made {
        deployment,
        credentials: draft.credentials,
        kept: draft.kept,
    })
}

/// Checks everything and writes nothing. Users' files that are there already, from a run that was killed or by the operator's
/// hand, stay as they are and keep their slots.
fn draft(directory: &Path, request: &Request) -> anyhow::Result<Draft> {
    only_ours(directory)?;
    let templates = Templates::new(&BTreeMap::new()).map_err(Failure::from)?;
    let text = spec_text(&templates, request)?;
    let mut files = match directory.is_dir() {
        true => load::user_files(directory)?,
        false => BTreeMap::new(),
    };
    let there = load::check(&text, &files).map_err(|problems| match files.is_empty() {
        true => refused(problems),
        false => problems.into_failure(),
    })?;
    let mut free = there.free_slots();
    let entries = match directory.join("auth").exists() {
        true => {
            Deployment::with_spec(directory, there.clone())?
                .entries()?
                .good
        }
        false => BTreeMap::new(),
    };
    let mut users = BTreeMap::new();
    let (mut credentials, mut kept) = (Vec::new(), Vec::new());
    for (name, given) in &request.users {
        if users.contains_key(name)
            || kept.contains(name)
            || credentials.iter().any(|(known, _)| known == name)
        {
            return Err(Failure::usage(format!("the user {name} is named twice"))
                .hint("name each user once; nothing was written")
                .into());
        }
        let exists = there.users.contains_key(name);
        if !exists {
            let slot = free
                .next()
                .ok_or_else(|| full(&there, request.users.len()))?;
            users.insert(name.clone(), user_text(&templates, slot, &[])?);
        }
        match exists && entries.contains_key(name) {
            true => kept.push(name.clone()),
            false => credentials.push((
                name.clone(),
                given.clone().unwrap_or_else(generate_password),
            )),
        }
    }
    strangers(&there, request)?;
    for one in &request.carried {
        if let Some(known) = there.users.get(&one.name) {
            // Of a run that was killed, and asked for something else.
            if known.enabled != one.enabled {
                let file = format!("{}.yaml", one.name);
                let text = files.get(&file).cloned().unwrap_or_default();
                let text = edit::set(load::USERS, &text, "enabled", &one.enabled.into())?;
                users.insert(one.name.clone(), text);
            }
            continue;
        }
        let slot = free
            .next()
            .ok_or_else(|| full(&there, request.carried.len()))?;
        let text = user_text(&templates, slot, &[])?;
        let text = edit::set(load::USERS, &text, "enabled", &one.enabled.into())?;
        users.insert(one.name.clone(), text);
    }
    files.extend(
        users
            .iter()
            .map(|(name, text)| (format!("{name}.yaml"), text.clone())),
    );
    let spec = load::check(&text, &files).map_err(refused)?;
    Deployment::beside(directory, &spec)?;
    if let Tls::Files { cert, key } = &spec.tls {
        let now = OffsetDateTime::now_utc();
        certificates::operators(directory, &spec.domain, cert, key, now)?;
    }
    Ok(Draft {
        text,
        spec,
        users,
        credentials,
        kept,
    })
}

/// Fails where a run that was killed left users who are not among those that are carried over now.
fn strangers(there: &Spec, request: &Request) -> anyhow::Result<()> {
    if request.carried.is_empty() {
        return Ok(());
    }
    let is_wanted = |name: &UserName| {
        request.carried.iter().any(|one| one.name == *name)
            || request.users.iter().any(|(one, _)| one == name)
    };
    let others: Vec<String> = there
        .users
        .keys()
        .filter(|name| !is_wanted(name))
        .map(ToString::to_string)
        .collect();
    match others.as_slice() {
        [] => Ok(()),
        others => Err(Failure::usage(format!(
            "a run that did not come to its end left {}, who would come in as well",
            others.join(", ")
        ))
        .hint("remove their files in users/ and auth/, then run this again; nothing was written")
        .into()),
    }
}

/// Fails where directories that we write whole hold something that is not of a run of ours, such as an installation of v0.2.
fn only_ours(directory: &Path) -> anyhow::Result<()> {
    // The first thing that a run keeps.
    if directory.join("secrets/hash-key").exists() {
        return Ok(());
    }
    for name in ["auth", "config", "secrets"] {
        let path = directory.join(name);
        if holds_files(&path) {
            return Err(Failure::usage(format!(
                "{} is there already and is not of a deployment; it would be overwritten",
                path.display()
            ))
            .hint("make the deployment in another directory, or move this one away; nothing was written")
            .into());
        }
    }
    Ok(())
}

/// Whether there is a file below a directory. What a run leaves that ends before its first file is whole, on a full disk or killed,
/// holds nothing of anyone's: directories, and what was to become a file.
fn holds_files(directory: &Path) -> bool {
    std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => holds_files(&entry.path()),
            Ok(_) | Err(_) => !is_temporary(&entry.file_name()),
        })
}

/// Fails when another run was here between the draft and the lock.
fn unchanged(directory: &Path, request: &Request, draft: &Draft) -> anyhow::Result<()> {
    let again = || -> anyhow::Result<bool> {
        let now = self::draft(directory, request)?;
        Ok(now.spec == draft.spec && now.kept == draft.kept)
    };
    if directory.join(load::FILE).exists() || !again()? {
        return Err(Failure::usage(format!(
            "another run made a deployment in {} meanwhile",
            directory.display()
        ))
        .hint("this run changed nothing; look at what is there")
        .into());
    }
    Ok(())
}

fn full(spec: &Spec, users: usize) -> Failure {
    Failure::usage(format!(
        "the pool has room for {} users, not for {users}",
        spec.slots()
    ))
    .hint("nothing was written; give --pool a larger range, such as 10.213.0.0/16")
}

/// What is wrong with a spec that is not written yet: there is no file and no line to point at.
fn refused(problems: Problems) -> Failure {
    problems.of_values("nothing was written; give other values")
}

fn spec_text(templates: &Templates, request: &Request) -> anyhow::Result<String> {
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
        "tls_cert": request.tls_cert,
        "tls_key": request.tls_key,
        "tls_email": request.tls_email,
        "tls_ca_server": request.tls_ca_server,
        "tls_challenge": request.tls_challenge,
        "pool": text(request.pool.map(|pool| pool.to_string()), default::POOL),
        "auth": request.auth.unwrap_or(AuthMode::Session).as_str(),
        "library_root": match &request.library_root {
            Some(root) => root.display().to_string(),
            None => default::LIBRARY_ROOT.to_owned(),
        },
        "library_quota": default::QUOTA,
        "library_max_upload": default::MAX_UPLOAD,
        "image_prefix": text(request.image_prefix.clone(), ""),
        "gateway_image": default::GATEWAY_IMAGE,
        "gateway_log_level": "INFO",
        "rabbitmq_image": default::RABBITMQ_IMAGE,
        "rabbitmq_port": default::RABBITMQ,
        "rabbitmq_management_port": default::RABBITMQ_MANAGEMENT,
        "rabbitmq_memory": default::RABBITMQ_MEMORY,
        "mosquitto_image": default::MOSQUITTO_IMAGE,
        "mosquitto_port": default::MOSQUITTO,
        "mosquitto_memory": default::MOSQUITTO_MEMORY,
        "influxdb_image": default::INFLUXDB_IMAGE,
        "influxdb_port": default::INFLUXDB,
        "influxdb_memory": default::INFLUXDB_MEMORY,
        "grafana_image": default::GRAFANA_IMAGE,
        "grafana_port": default::GRAFANA,
        "grafana_memory": default::GRAFANA_MEMORY,
        "none": default::NONE,
        "workspace_image": default::WORKSPACE_IMAGE,
        "workspace_user": default::WORKSPACE_USER,
        "cpus": request.room.cpus(),
        "memory": request.room.memory(),
        "pids": default::PIDS,
        "shm": default::SHM,
    });
    templates
        .render("dtaas.yaml", &context)
        .map_err(|error| Failure::from(error).into())
}
