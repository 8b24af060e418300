//! Profiles: which machines there are, and what runs on each. Built in, or the operator's own file.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use crate::error::Failure;
use crate::platform::desired::Component;
use crate::spec::document::{Document, nearest};
use crate::spec::problem::Problems;

/// The profiles in the binary: name and text.
pub const BUILT_IN: &[(&str, &str)] =
    &[("single-host", include_str!("../profiles/single-host.yaml"))];

/// What a profile places; the auth endpoint goes where the gateway is, which asks it on loopback.
const PLACED: [Component; 4] = [
    Component::Gateway,
    Component::Website,
    Component::Library,
    Component::Workspace,
];

/// Machines, and what runs on each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Machines by name.
    pub machines: BTreeMap<String, Kind>,
    /// On which machine each component runs.
    pub placement: BTreeMap<Component, String>,
}

/// How a machine is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This one.
    Local,
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
        let kind: Option<String> = machine.require("kind", "write local");
        match kind.as_deref() {
            Some("local") => {
                machines.insert(name, Kind::Local);
            }
            Some(_) => machine.problem(
                "kind",
                "this version knows the machine that it runs on",
                "write local",
            ),
            None => {}
        }
        machine.finish();
    }
    if machines.len() > 1 {
        top.problem("machines", "this version works on one machine", "leave one");
    }
    let mut section = top.section("placement");
    let mut placement = BTreeMap::new();
    for component in PLACED {
        let machine: Option<String> =
            section.require(component.as_str(), "name one of the machines");
        match machine {
            Some(machine) if machines.contains_key(&machine) => {
                placement.insert(component, machine);
            }
            Some(machine) => section.problem(
                component.as_str(),
                format!("there is no machine {machine:?}"),
                "name one of the machines",
            ),
            None => {}
        }
    }
    section.finish();
    top.finish();
    Problems(document.into_problems()).check()?;
    Ok(Profile {
        machines,
        placement,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_profiles_place_everything() {
        for (name, _) in BUILT_IN {
            let profile = load(Path::new("."), name).unwrap();
            assert_eq!(profile.placement.len(), PLACED.len(), "{name}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_reason() {
        let text = "version: 1\nmachines:\n  a:\n    kind: locale\nplacement:\n  gateway: b\n  website: a\n  library: a\n";
        assert_eq!(
            parse("mine.yaml", text).unwrap_err().to_string(),
            "5 problems in the spec\n  \
             mine.yaml:4: machines.a.kind is \"locale\": this version knows the machine that it runs on; write local\n  \
             mine.yaml:5: placement.workspace: this key is missing; name one of the machines\n  \
             mine.yaml:6: placement.gateway is \"b\": there is no machine \"b\"; name one of the machines\n  \
             mine.yaml:7: placement.website is \"a\": there is no machine \"a\"; name one of the machines\n  \
             mine.yaml:8: placement.library is \"a\": there is no machine \"a\"; name one of the machines"
        );
    }

    #[test]
    fn an_unknown_profile_names_the_nearest() {
        let error = load(Path::new("."), "single-hots").unwrap_err();
        assert_eq!(error.to_string(), "there is no profile \"single-hots\"");
        assert!(
            crate::error::failure_of(&error)
                .unwrap()
                .remedy()
                .unwrap()
                .starts_with("did you mean single-host?")
        );
    }
}
