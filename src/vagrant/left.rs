//! Machines that Vagrant made in a directory and that nobody describes any more. They stay described as they were, for Vagrant halts and
//! destroys no machine that it does not read of.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::{BOXES_NAME, KNOWN, VirtualMachine};

/// What `boxes.json` has of them.
///
/// # Errors
/// When that cannot be read.
pub(super) fn entries(directory: &Path, machines: &[VirtualMachine]) -> anyhow::Result<Vec<Value>> {
    let path = directory.join(BOXES_NAME);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let described: Vec<Value> =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
    let is_left = |entry: &Value| {
        let name = entry["name"].as_str().unwrap_or_default();
        machines.iter().all(|machine| machine.name != name) && is_made(directory, name)
    };
    Ok(described.into_iter().filter(is_left).collect())
}

/// What they are called.
///
/// # Errors
/// When `boxes.json` cannot be read.
pub fn names(directory: &Path, machines: &[VirtualMachine]) -> anyhow::Result<Vec<String>> {
    let entries = entries(directory, machines)?;
    let names = entries.iter().filter_map(|entry| entry["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

/// Whether Vagrant made a machine of this name: it keeps its number then, for each provider.
fn is_made(directory: &Path, name: &str) -> bool {
    let providers = std::fs::read_dir(directory.join(KNOWN).join("machines").join(name));
    providers
        .into_iter()
        .flatten()
        .flatten()
        .any(|provider| provider.path().join("id").exists())
}
