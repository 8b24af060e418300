//! Profiles: which machines there are, and what runs on each. Built in, or the operator's own file.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use serde_yaml::Value;

use crate::error::Failure;
use crate::platform::desired::Component;
use crate::spec::document::{Document, Section, nearest};
use crate::spec::machine::Kind;
use crate::spec::problem::Problems;

/// The profiles in the binary: name and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("single-host", include_str!("../profiles/single-host.yaml")),
    (
        "single-vagrant",
        include_str!("../profiles/single-vagrant.yaml"),
    ),
    ("two-machine", include_str!("../profiles/two-machine.yaml")),
];

/// What every profile places; the auth endpoint goes where the gateway is, which asks it on loopback.
const PLACED: [Component; 4] = [
    Component::Gateway,
    Component::Website,
    Component::Library,
    Component::Workspace,
];

/// What a profile may leave out.
const CHOSEN: [Component; 4] = crate::platform::services::ALL;

/// Machines, and what runs on each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Machines by name, and how each is reached unless the spec says otherwise.
    pub machines: BTreeMap<String, Option<Kind>>,
    /// On which machine each component runs.
    pub placement: BTreeMap<Component, String>,
}

impl Profile {
    /// What runs on a machine, the auth endpoint included.
    pub fn on(&self, machine: &str) -> BTreeSet<Component> {
        let mut here: BTreeSet<Component> = self
            .placement
            .iter()
            .filter(|(_, place)| *place == machine)
            .map(|(component, _)| *component)
            .collect();
        if here.contains(&Component::Gateway) {
            here.insert(Component::Auth);
        }
        here
    }

    /// All that runs anywhere, the auth endpoint included.
    pub fn everywhere(&self) -> BTreeSet<Component> {
        self.machines
            .keys()
            .flat_map(|name| self.on(name))
            .collect()
    }
}

/// The profile that the spec names: a built-in one, or a file relative to the deployment (a name with a slash or `.yaml` in it).
pub fn load(directory: &Path, name: &str) -> anyhow::Result<Profile> {
    if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return parse(&format!("profile {name}"), text);
    }
    let known: Vec<&str> = BUILT_IN.iter().map(|(known, _)| *known).collect();
    if !name.contains('/') && !name.ends_with(".yaml") {
        return Err(Failure::usage(format!("there is no profile {name:?}"))
            .hint(format!(
                "{}; a file of your own is written with its path, such as ./mine.yaml",
                nearest(name, &known)
            ))
            .into());
    }
    let path = directory.join(name);
    let text = std::fs::read_to_string(&path).with_context(|| {
        Failure::usage(format!("cannot read the profile {}", path.display())).hint(format!(
            "name a file that is there, relative to the deployment, or one of ours: {}",
            known.join(", ")
        ))
    })?;
    parse(name, &text)
}

fn parse(file: &str, text: &str) -> anyhow::Result<Profile> {
    let document = Document::parse(file, text).map_err(Problems::into_failure)?;
    let mut top = document.section();
    if top
        .require::<u32>("version", "write version: 1")
        .is_some_and(|version| version != 1)
    {
        top.problem(
            "version",
            "this program knows version 1",
            "write version: 1",
        );
    }
    let mut section = top.section("machines");
    let mut machines = BTreeMap::new();
    for (name, mut machine) in section.named_sections() {
        if !is_name(&name) {
            top.problem(
                &format!("machines.{name}"),
                "this is not a machine's name",
                "write small letters, digits and hyphens, at most 32, such as services",
            );
        }
        let kind = machine.get("kind", "write local, ssh or vagrant");
        machine.finish();
        machines.insert(name, kind);
    }
    let mut section = top.section("placement");
    let mut placement = BTreeMap::new();
    for component in PLACED {
        let value = section.require(component.as_str(), "name one of the machines");
        placement.extend(place(&section, component, value, &machines));
    }
    for component in CHOSEN {
        let value = section.get(component.as_str(), "name one of the machines");
        placement.extend(place(&section, component, value, &machines));
    }
    together(&section, &placement);
    section.finish();
    top.finish();
    Problems(document.into_problems()).check()?;
    Ok(Profile {
        machines,
        placement,
    })
}

/// Letters, digits and hyphens: it is Vagrant's name for the machine as well, and part of paths.
fn is_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Where a component goes, when that can be.
fn place(
    section: &Section<'_>,
    component: Component,
    value: Option<Value>,
    machines: &BTreeMap<String, Option<Kind>>,
) -> Option<(Component, String)> {
    let key = component.as_str();
    match value? {
        Value::String(machine) if machines.contains_key(&machine) => Some((component, machine)),
        Value::String(machine) => {
            section.problem(
                key,
                format!("there is no machine {machine:?}"),
                "name one of the machines",
            );
            None
        }
        Value::Sequence(several) if several.len() > 1 => {
            section.problem(
                key,
                "it is placed more than once, and there is one of it",
                "name one machine",
            );
            None
        }
        _ => {
            section.problem(key, "this is not a machine's name", "name one machine");
            None
        }
    }
}

/// The gateway asks website, library and auth endpoint on loopback, and reaches workspaces by their bridges.
fn together(section: &Section<'_>, placement: &BTreeMap<Component, String>) {
    let Some(gateway) = placement.get(&Component::Gateway) else {
        return;
    };
    for component in [Component::Website, Component::Library, Component::Workspace] {
        let reason = match component {
            Component::Workspace => {
                "the gateway reaches workspaces by their networks, which are on their own machine"
            }
            _ => "the gateway reaches it on loopback alone",
        };
        if placement
            .get(&component)
            .is_some_and(|machine| machine != gateway)
        {
            section.problem(
                component.as_str(),
                format!("{reason}, and the gateway is on {gateway:?}"),
                format!("place both on one machine: {gateway}"),
            );
        }
    }
}
