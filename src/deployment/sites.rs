//! The machines of a deployment: how each is reached, and what runs there. What the profile and the spec say together.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::Failure;
use crate::platform::desired::Component;
use crate::profile::Profile;
use crate::spec::document::nearest;
use crate::spec::load;
use crate::spec::machine::{Kind, Machine, Ssh, Vagrant};
use crate::spec::model::Spec;

/// Where deployments lie on other machines.
const ELSEWHERE: &str = "/opt/dtaas";

/// A machine of the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its name in the profile.
    pub name: String,
    /// How it is reached.
    pub reach: Reach,
    /// What runs there.
    pub placed: BTreeSet<Component>,
    /// Where the deployment's tree lies there, absolute.
    pub root: PathBuf,
    /// What users and the other machines call it.
    pub hostname: String,
}

/// How a machine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It is this one.
    Local,
    /// By SSH.
    Ssh {
        /// Where it is.
        ssh: Ssh,
        /// The private key's file.
        key: Option<PathBuf>,
    },
    /// It is made by Vagrant, and reached by SSH then.
    Vagrant {
        /// What it is made like.
        vagrant: Vagrant,
        /// The private key's file.
        key: Option<PathBuf>,
    },
}

impl Site {
    /// Whether it is this machine.
    pub fn is_local(&self) -> bool {
        self.reach == Reach::Local
    }

    /// Whether Vagrant makes it.
    pub fn is_virtual(&self) -> bool {
        match self.reach {
            Reach::Vagrant { .. } => true,
            Reach::Local | Reach::Ssh { .. } => false,
        }
    }

    /// Whether users' workspaces, and the gateway with them, are there.
    pub fn is_users(&self) -> bool {
        self.placed.contains(&Component::Gateway)
    }
}

/// The profile's machines, with what the spec says of them, in the order of their names. `root` is the deployment's directory here.
///
/// # Errors
/// A usage failure when the spec says too little of a machine, with the lines to add, or speaks of one that the profile has not.
pub fn sites(root: &Path, spec: &Spec, profile: &Profile) -> anyhow::Result<Vec<Site>> {
    let known: Vec<&str> = profile.machines.keys().map(String::as_str).collect();
    let mut wrong = Vec::new();
    for (name, machine) in &spec.machines {
        match profile.machines.get(name) {
            None => wrong.push(format!(
                "machines.{name}: the profile {} has no such machine; {}",
                spec.profile,
                nearest(name, &known)
            )),
            Some(kind) => {
                let keys = machine
                    .kind
                    .or(*kind)
                    .map(|kind| machine.without_effect(kind));
                wrong.extend(keys.into_iter().flatten().map(|(key, with)| {
                    format!("machines.{name}.{key}: it counts with kind {with} alone; leave it out")
                }));
            }
        }
    }
    wrong.extend(spec.custom.iter().filter_map(|(service, custom)| {
        let machine = custom.machine.as_deref()?;
        (!known.contains(&machine)).then(|| {
            format!(
                "services.custom.{service}.machine: the profile {} has no machine {machine:?}; {}",
                spec.profile,
                nearest(machine, &known)
            )
        })
    }));
    let named = |name: &str| {
        let mut machines = spec.custom.values();
        machines.any(|custom| custom.machine.as_deref() == Some(name))
    };
    wrong.extend(
        known
            .iter()
            .filter(|name| profile.on(name).is_empty() && !named(name))
            .map(|name| {
                format!(
                    "machines.{name}: the profile {} places nothing on it, and no service of services.custom is there; leave it \
                     out of the profile, or place something on it",
                    spec.profile
                )
            }),
    );
    if !wrong.is_empty() {
        return Err(
            Failure::usage(format!("{}: {}", load::FILE, wrong.join("\n  ")))
                .hint("nothing was changed; mend this and run the command again")
                .into(),
        );
    }
    let mut sites = Vec::new();
    let mut lacking = Vec::new();
    for (name, kind) in &profile.machines {
        let machine = spec.machines.get(name).cloned().unwrap_or_default();
        match reach(machine.kind.or(*kind), &machine, root) {
            Ok(reach) => sites.push(Site {
                name: name.clone(),
                hostname: hostname(
                    name,
                    &machine,
                    &reach,
                    spec,
                    profile.on(name).contains(&Component::Gateway),
                ),
                placed: profile.on(name),
                root: match (&reach, machine.root) {
                    (Reach::Local, _) => root.to_owned(),
                    (Reach::Ssh { .. } | Reach::Vagrant { .. }, Some(root)) => root,
                    (Reach::Ssh { .. } | Reach::Vagrant { .. }, None) => {
                        Path::new(ELSEWHERE).join(spec.name.as_str())
                    }
                },
                reach,
            }),
            Err(lines) => lacking.push((name, lines)),
        }
    }
    match lacking.is_empty() {
        true => each_is_one(sites),
        false => Err(details(spec, &lacking).into()),
    }
}

/// Everything that a machine needs is said, or these are the lines that are missing.
fn reach(kind: Option<Kind>, machine: &Machine, root: &Path) -> Result<Reach, Vec<&'static str>> {
    let key = machine.key.as_deref().map(|key| at_home(key, root));
    match kind {
        Some(Kind::Local) => Ok(Reach::Local),
        Some(Kind::Ssh) if machine.ssh.address.is_none() => Err(vec!["address: 192.0.2.10"]),
        Some(Kind::Ssh) => {
            let known_hosts = machine.ssh.known_hosts.as_deref();
            Ok(Reach::Ssh {
                ssh: Ssh {
                    known_hosts: known_hosts.map(|path| at_home(path, root)),
                    ..machine.ssh.clone()
                },
                key,
            })
        }
        Some(Kind::Vagrant) => {
            let vagrant = &machine.vagrant;
            match vagrant.provider.as_deref() {
                Some("docker") if vagrant.image.is_none() => return Err(vec!["image: machine:1"]),
                Some("docker") => {}
                Some(_) | None if vagrant.bridge.is_none() => return Err(vec!["bridge: eno1"]),
                Some(_) | None => {}
            }
            Ok(Reach::Vagrant {
                vagrant: vagrant.clone(),
                key,
            })
        }
        None => Err(vec!["kind: ssh", "address: 192.0.2.10"]),
    }
}

/// What a machine is called: as the spec says, or by its address; a virtual one, and this one, by the platform's domain.
fn hostname(name: &str, machine: &Machine, reach: &Reach, spec: &Spec, is_users: bool) -> String {
    match (&machine.hostname, reach) {
        (Some(hostname), _) => hostname.clone(),
        (None, Reach::Ssh { ssh, .. }) => ssh.address.clone().unwrap_or_default(),
        (None, Reach::Local | Reach::Vagrant { .. }) if is_users => spec.domain.to_string(),
        (None, Reach::Local | Reach::Vagrant { .. }) => format!("{name}.{}", spec.domain),
    }
}

/// A path of the operator's: below their home, or relative to the deployment.
fn at_home(path: &Path, root: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(below), Some(home)) => home.join(below),
        (Ok(_) | Err(_), _) => root.join(path),
    }
}

/// No two machines can be one: not this one, and not another that both are reached as.
fn each_is_one(sites: Vec<Site>) -> anyhow::Result<Vec<Site>> {
    let here: Vec<&str> = sites
        .iter()
        .filter(|site| site.is_local())
        .map(|site| site.name.as_str())
        .collect();
    let reached = |site: &Site| match &site.reach {
        Reach::Ssh { ssh, .. } => Some((ssh.address.clone(), ssh.port, ssh.jump.clone())),
        Reach::Local | Reach::Vagrant { .. } => None,
    };
    let mut seen = BTreeMap::new();
    for site in &sites {
        let Some(way) = reached(site) else { continue };
        let address = way.0.clone().unwrap_or_default();
        if let Some(other) = seen.insert(way, &site.name) {
            return Err(Failure::usage(format!(
                "the machines {other} and {} are both reached as {address}, which is one machine",
                site.name
            ))
            .hint("place everything on one of them in a profile of your own, or give one another address or port")
            .into());
        }
    }
    match here.as_slice() {
        [] | [_] => Ok(sites),
        several => Err(Failure::usage(format!(
            "the machines {} are all of the kind local, which is this one machine",
            several.join(" and ")
        ))
        .hint("place everything on one of them in a profile of your own, or give the others another kind")
        .into()),
    }
}

/// What the spec lacks, and the lines to add.
fn details(spec: &Spec, lacking: &[(&String, Vec<&'static str>)]) -> Failure {
    let names: Vec<&str> = lacking.iter().map(|(name, _)| name.as_str()).collect();
    let mut lines = Vec::new();
    if spec.machines.is_empty() {
        lines.push("machines:".to_owned());
    }
    for (name, missing) in lacking {
        lines.push(format!("  {name}:"));
        lines.extend(missing.iter().map(|line| format!("    {line}")));
    }
    Failure::usage(format!(
        "{} says too little of the machine{} {} of the profile {}",
        load::FILE,
        if names.len() == 1 { "" } else { "s" },
        names.join(" and "),
        spec.profile
    ))
    .hint(format!(
        "add these lines{}, with your own values; kind may be local, ssh or vagrant:\n{}",
        match spec.machines.is_empty() {
            true => "",
            false => " below machines",
        },
        lines.join("\n")
    ))
}
