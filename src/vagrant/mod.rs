//! Virtual machines by Vagrant: what they are made like is data, the Vagrantfile never changes, and the real `vagrant` does the rest.
//!
//! Everything of one deployment's machines lies in one directory: `Vagrantfile`, `boxes.json`, and Vagrant's own `.vagrant`.
//! Machines and boxes of VirtualBox belong to the user who runs `vagrant`.

pub mod base;
mod command;
mod left;
mod mac;
mod machine;
mod private_key;
mod process;
mod render;
mod report;
mod ssh_config;

use std::path::Path;

use command::Vagrant;
use report::ListedBox;

use crate::error::Failure;
use crate::machine::files::{Tree, Written};

pub use left::names as left;
pub use mac::Mac;
pub use machine::{BASE_BOX, Docker, MadeBy, Ports, Provider, VirtualBox, VirtualMachine, check};
pub use process::Watch;
pub use render::{PROVISION, VAGRANTFILE, boxes_json};
pub use report::{State, Status};
pub use ssh_config::SshConfig;

const VAGRANTFILE_NAME: &str = "Vagrantfile";
const BOXES_NAME: &str = "boxes.json";
/// Where Vagrant keeps what it knows of its machines.
const KNOWN: &str = ".vagrant";

/// Writes what Vagrant reads of these machines. Answers whether something changed.
///
/// # Errors
/// When a machine cannot be made as it is described, or the directory cannot be written.
pub fn write(directory: &Path, machines: &[VirtualMachine]) -> anyhow::Result<bool> {
    check(machines)?;
    let tree = Tree::create(directory)?;
    let mut files = vec![
        (
            BOXES_NAME,
            boxes_json(machines, left::entries(directory, machines)?)?,
        ),
        (VAGRANTFILE_NAME, VAGRANTFILE.to_owned()),
    ];
    if machines.iter().any(|machine| !machine.software.is_empty()) {
        files.push(("provision.sh", PROVISION.to_owned()));
    }
    let mut changed = false;
    for (name, text) in files {
        changed |= tree.write(Path::new(name), 0o644, text.as_bytes())? != Written::Unchanged;
    }
    Ok(changed)
}

/// Makes and starts these machines; those that run already stay as they are, also where their description changed.
///
/// # Errors
/// Before anything is done: when vagrant is missing, a description is wrong, a private key can be read by others, or a base box is
/// missing. After: with Vagrant's last lines, or [`crate::error::Exit::Interrupted`].
pub async fn up(
    directory: &Path,
    machines: &[VirtualMachine],
    watch: &Watch<'_>,
) -> anyhow::Result<()> {
    start(directory, machines, &[], watch).await
}

async fn start(
    directory: &Path,
    machines: &[VirtualMachine],
    options: &[&str],
    watch: &Watch<'_>,
) -> anyhow::Result<()> {
    let vagrant = Vagrant::in_directory(directory)?;
    write(directory, machines)?;
    for key in machines
        .iter()
        .filter_map(|machine| machine.private_key.as_ref())
    {
        private_key::check(&directory.join(key))?;
    }
    require_boxes(&vagrant, machines).await?;
    for provider in [Provider::VirtualBox, Provider::Docker] {
        let names: Vec<&str> = machines
            .iter()
            .filter(|machine| machine.provider() == provider)
            .map(|machine| machine.name.as_str())
            .collect();
        if names.is_empty() {
            continue;
        }
        let mut arguments = vec!["up"];
        arguments.extend(&names);
        arguments.extend(["--provider", provider.as_str()]);
        if names.len() > 1 {
            // Side by side they choose the same port of this machine for SSH, as the docker provider of 2.3.4 does.
            arguments.push("--no-parallel");
        }
        arguments.extend(options);
        vagrant.follow(&arguments, watch).await?;
    }
    Ok(())
}

/// Fails for a box of no catalog (those of a catalog have a slash in their name) that Vagrant does not have: it would look for a
/// file of that name, and say so.
async fn require_boxes(vagrant: &Vagrant, machines: &[VirtualMachine]) -> anyhow::Result<()> {
    let mut wanted = machines
        .iter()
        .filter_map(|machine| match &machine.made_by {
            MadeBy::VirtualBox(with) if !with.base.contains('/') => Some(with.base.as_str()),
            MadeBy::VirtualBox(_) | MadeBy::Docker(_) => None,
        })
        .peekable();
    if wanted.peek().is_none() {
        return Ok(());
    }
    let there = boxes(vagrant).await?;
    match wanted.find(|name| !there.iter().any(|one| one.is(name, Provider::VirtualBox))) {
        Some(missing) => Err(Failure::new(format!(
            "Vagrant has no box {missing} for virtualbox; boxes belong to the user who adds them"
        ))
        .hint(format!(
            "`dtaas box build` as this user makes the box {BASE_BOX}; `vagrant box list` shows those that are there"
        ))
        .into()),
        None => Ok(()),
    }
}

async fn boxes(vagrant: &Vagrant) -> anyhow::Result<Vec<ListedBox>> {
    let text = vagrant.ask(&["box", "list", "--machine-readable"]).await?;
    Ok(report::boxes(&text))
}

/// How a machine that runs is reached.
pub async fn ssh_config(directory: &Path, name: &str) -> anyhow::Result<SshConfig> {
    let text = Vagrant::in_directory(directory)?
        .ask(&["ssh-config", name])
        .await?;
    Ok(SshConfig::parse(&text)?)
}

/// How the directory's machines stand.
pub async fn status(directory: &Path) -> anyhow::Result<Vec<Status>> {
    let text = Vagrant::in_directory(directory)?
        .ask(&["status", "--machine-readable"])
        .await?;
    Ok(report::statuses(&text))
}

/// Shuts the directory's machines down; answers whether there are any.
pub async fn halt(directory: &Path, watch: &Watch<'_>) -> anyhow::Result<bool> {
    end(directory, &["halt"], watch).await
}

/// Takes the directory's machines away with everything in them, without asking; answers whether there were any.
pub async fn destroy(directory: &Path, watch: &Watch<'_>) -> anyhow::Result<bool> {
    end(directory, &["destroy", "-f"], watch).await
}

async fn end(directory: &Path, arguments: &[&str], watch: &Watch<'_>) -> anyhow::Result<bool> {
    // Without these Vagrant never made a machine here, and may be missing altogether.
    if !directory.join(VAGRANTFILE_NAME).exists() || !directory.join(KNOWN).exists() {
        return Ok(false);
    }
    Vagrant::in_directory(directory)?
        .follow(arguments, watch)
        .await?;
    Ok(true)
}

/// Has Vagrant check what it reads, but for what only the machines' provider knows.
pub async fn validate(directory: &Path) -> anyhow::Result<()> {
    Vagrant::in_directory(directory)?
        .ask(&["validate", "--ignore-provider"])
        .await
        .map(|_| ())
}
