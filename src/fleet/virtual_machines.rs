//! Virtual machines: made and started by Vagrant before they are reached, halted or destroyed at the end. What Vagrant reads lies in the
//! deployment's directory `vagrant`.

use std::path::Path;

use tokio::sync::watch;

use super::Tell;
use crate::deployment::Deployment;
use crate::deployment::sites::{Reach, Site};
use crate::error::Failure;
use crate::remote::Target;
use crate::spec::machine::Vagrant;
use crate::spec::quantity::Bytes;
use crate::vagrant::{
    self, BASE_BOX, Docker, MadeBy, Ports, Provider, State, VirtualBox, VirtualMachine, Watch,
};

/// The private key that `box build` gives the base box, relative to that.
const KEY: &str = "vagrant";
/// Where the machines' host keys are known, relative to that: nobody else has seen them when they are made.
const KNOWN_HOSTS: &str = "known_hosts";

/// Memory and processors of the workspaces' machine, where nothing is said (the v0.2 documentation asks for as much).
const USERS_SIDE: (u64, u32) = (16 << 30, 8);
/// Those of any other.
const SERVICES: (u64, u32) = (6 << 30, 3);

/// Has Vagrant make and start the virtual ones among these machines, where that is wanted.
///
/// # Errors
/// When Vagrant cannot, with its last lines.
pub(super) async fn begin(
    deployment: &Deployment,
    sites: &[&Site],
    make: bool,
    tell: &dyn Tell,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let machines: Vec<VirtualMachine> = sites
        .iter()
        .filter_map(|site| described(site).transpose())
        .collect::<anyhow::Result<_>>()?;
    let directory = deployment.vagrant_directory();
    if make {
        for name in vagrant::left(&directory, &machines)? {
            let text = format!(
                "Note: the virtual machine {name} is still there, and it is no machine of the profile any more; `dtaas down` halts it, and \
                 `dtaas down --purge` destroys it with the rest."
            );
            tell.note(Some("vagrant"), &text);
        }
    }
    if machines.is_empty() || !make {
        return Ok(());
    }
    vagrant::write(&directory, &machines)?;
    let there = vagrant::status(&directory).await?;
    let is_new = |machine: &VirtualMachine| {
        there
            .iter()
            .all(|one| one.name != machine.name || one.state == State::NotCreated)
    };
    if machines.iter().any(is_new) {
        forget_hosts(&directory)?;
    }
    let due = there.iter().any(|one| {
        let is_ours = machines.iter().any(|machine| machine.name == one.name);
        is_ours && one.state != State::Running
    });
    if !due {
        return Ok(());
    }
    let watch = Watch {
        line: &|line| tell.note(Some("vagrant"), line),
        interrupted: stop,
    };
    vagrant::up(&directory, &machines, &watch).await
}

/// Virtual machines that Vagrant made for the deployment and that are none of the profile's any more.
pub fn left(deployment: &Deployment) -> anyhow::Result<Vec<String>> {
    let described: Vec<VirtualMachine> = deployment
        .sites
        .iter()
        .filter_map(|site| described(site).transpose())
        .collect::<anyhow::Result<_>>()?;
    vagrant::left(&deployment.vagrant_directory(), &described)
}

/// Machines that are made anew have new keys.
fn forget_hosts(directory: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(directory.join(KNOWN_HOSTS)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// How a virtual machine that runs is reached.
///
/// # Errors
/// When it does not run.
pub(super) async fn target(deployment: &Deployment, site: &Site) -> anyhow::Result<Target> {
    let directory = deployment.vagrant_directory();
    let not_there = || {
        Failure::new(format!("{}: the virtual machine does not run", site.name))
            .hint("`dtaas up` makes and starts it")
    };
    if !directory.exists() {
        return Err(not_there().into());
    }
    let status = vagrant::status(&directory).await?;
    let runs = |one: &vagrant::Status| one.name == site.name && one.state == State::Running;
    if !status.iter().any(runs) {
        return Err(not_there().into());
    }
    let config = vagrant::ssh_config(&directory, &site.name).await?;
    Ok(Target {
        port: Some(config.port),
        user: Some(config.user),
        key: config.identity_files.into_iter().next(),
        known_hosts: Some(directory.join(KNOWN_HOSTS)),
        jump: Some("none".to_owned()),
        // What Vagrant says is all there is to know.
        config: Some("/dev/null".into()),
        ..Target::new(&site.name, config.address, &site.root)
    })
}

/// Halts these virtual machines, or destroys them with everything in them; answers how many there were to do that to.
///
/// # Errors
/// When Vagrant cannot, with its last lines.
pub async fn end_virtual(
    deployment: &Deployment,
    sites: &[&Site],
    purge: bool,
    tell: &dyn Tell,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<usize> {
    let directory = deployment.vagrant_directory();
    let left = vagrant::left(&directory, &[])?;
    if sites.is_empty() && left.is_empty() {
        return Ok(0);
    }
    let watch = Watch {
        line: &|line| tell.note(Some("vagrant"), line),
        interrupted: stop,
    };
    let were = match purge {
        true => vagrant::destroy(&directory, &watch).await?,
        false => vagrant::halt(&directory, &watch).await?,
    };
    if purge {
        forget_hosts(&directory)?;
        // Ours alone; what else lies in it is the operator's.
        for name in ["boxes.json", "Vagrantfile", ".vagrant"] {
            let path = directory.join(name);
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            match removed {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                Ok(()) | Err(_) => {}
            }
        }
        let _ = std::fs::remove_dir(&directory);
    }
    Ok(match were {
        true => sites.len().max(left.len()),
        false => 0,
    })
}

/// A machine as Vagrant is told of it; `None` for one that is not Vagrant's.
fn described(site: &Site) -> anyhow::Result<Option<VirtualMachine>> {
    let Reach::Vagrant { vagrant, key } = &site.reach else {
        return Ok(None);
    };
    let provider: Provider = match &vagrant.provider {
        Some(provider) => provider.parse().map_err(wrong(site))?,
        None => Provider::default(),
    };
    let made_by = match provider {
        Provider::VirtualBox => MadeBy::VirtualBox(virtual_box(site, vagrant)?),
        Provider::Docker => MadeBy::Docker(Docker {
            image: vagrant.image.clone().unwrap_or_default(),
            create_args: vagrant.create_args.clone(),
        }),
    };
    let private_key = match (&made_by, key) {
        (_, Some(key)) => Some(key.clone()),
        (MadeBy::VirtualBox(made), None) if made.base == BASE_BOX => Some(KEY.into()),
        (MadeBy::VirtualBox(_) | MadeBy::Docker(_), None) => None,
    };
    Ok(Some(VirtualMachine {
        name: site.name.clone(),
        hostname: site.hostname.parse().map_err(wrong(site))?,
        private_key,
        ports: Ports::default(),
        made_by,
        software: Vec::new(),
    }))
}

fn virtual_box(site: &Site, vagrant: &Vagrant) -> anyhow::Result<VirtualBox> {
    let (memory, cpus) = match site.is_users() {
        true => USERS_SIDE,
        false => SERVICES,
    };
    Ok(VirtualBox {
        base: vagrant.base.clone().unwrap_or_else(|| BASE_BOX.to_owned()),
        memory: vagrant.memory.unwrap_or(Bytes(memory)),
        cpus: vagrant.cpus.unwrap_or(cpus),
        mac: match &vagrant.mac {
            Some(mac) => Some(mac.parse().map_err(wrong(site))?),
            None => None,
        },
        bridge: vagrant.bridge.clone(),
    })
}

fn wrong<E: std::fmt::Display>(site: &Site) -> impl Fn(E) -> Failure {
    let name = site.name.clone();
    move |error| {
        Failure::usage(format!("dtaas.yaml: machines.{name}: {error}"))
            .hint("mend it; nothing was changed")
    }
}
