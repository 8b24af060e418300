//! The files that Vagrant reads: a Vagrantfile that is always the same, and `boxes.json` with what differs. Values are never
//! written as Ruby, so none can break out of it.

use serde::Serialize;
use serde_json::Value;

use super::machine::{MadeBy, VirtualMachine};

/// The Vagrantfile of all machines.
pub const VAGRANTFILE: &str = include_str!("../../templates/vagrant/Vagrantfile");

/// Installs and seals what the base box holds; for machines with [`VirtualMachine::software`].
pub const PROVISION: &str = include_str!("../../templates/vagrant/provision.sh");

/// A machine as `boxes.json` has it. The names of the first six are v0.2's.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssh_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    https_port: Option<u16>,
    provider: &'static str,
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    base: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bridge: Option<&'a str>,
    /// In MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpus: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_args: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    software: &'a [String],
}

/// The text of `boxes.json`, with the entries of machines that are left from before.
pub fn boxes_json(machines: &[VirtualMachine], left: Vec<Value>) -> anyhow::Result<String> {
    let entries = machines
        .iter()
        .map(|machine| Listed::New(Box::new(entry(machine))));
    let entries: Vec<Listed<'_>> = entries.chain(left.into_iter().map(Listed::Left)).collect();
    Ok(serde_json::to_string_pretty(&entries)? + "\n")
}

#[derive(Serialize)]
#[serde(untagged)]
enum Listed<'a> {
    New(Box<Entry<'a>>),
    Left(Value),
}

fn entry(machine: &VirtualMachine) -> Entry<'_> {
    let (virtualbox, docker) = match &machine.made_by {
        MadeBy::VirtualBox(with) => (Some(with), None),
        MadeBy::Docker(with) => (None, Some(with)),
    };
    Entry {
        name: &machine.name,
        hostname: machine.hostname.as_str(),
        mac: virtualbox.and_then(|with| with.mac).map(|mac| mac.digits()),
        ssh_port: machine.ports.ssh,
        http_port: machine.ports.http,
        https_port: machine.ports.https,
        provider: machine.provider().as_str(),
        base: virtualbox.map(|with| with.base.as_str()),
        bridge: virtualbox.and_then(|with| with.bridge.as_deref()),
        memory: virtualbox.map(|with| with.mebibytes()),
        cpus: virtualbox.map(|with| with.cpus),
        image: docker.map(|with| with.image.as_str()),
        create_args: docker.map(|with| with.create_args.as_slice()),
        private_key: machine
            .private_key
            .as_ref()
            .map(|path| path.display().to_string()),
        software: &machine.software,
    }
}
