//! The workspace: its image, limits, variables and mounts.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde_yaml::Value;

use super::default;
use super::image::image;
use crate::spec::document::Section;
use crate::spec::model::{ExtraMount, Limit, LimitOverrides, Owner, Workspace, WorkspaceLimits};
use crate::spec::quantity::{Bytes, Cpus};

pub(super) fn workspace(mut section: Section<'_>) -> Option<Workspace> {
    let image = image(&mut section).unwrap_or_else(|| default::WORKSPACE_IMAGE.to_owned());
    let user = section.get("user", "write uid:gid, such as \"0:0\"");
    let environment = variables(&mut section, OURS);
    let mut limits = section.section("limits");
    let overrides = limit_overrides(&mut limits);
    limits.finish();
    let mut mounts: Vec<ExtraMount> = Vec::new();
    for mut entry in section.sections("mounts") {
        let read = mount(&mut entry);
        if let Some(mount) = &read
            && mounts.iter().any(|other| other.target == mount.target)
        {
            entry.problem("target", "another mount has the same", "give each its own");
        }
        entry.finish();
        mounts.extend(read);
    }
    section.finish();
    Some(Workspace {
        image,
        user: match user {
            Some(user) => user,
            None => Owner::try_from(default::WORKSPACE_USER.to_owned()).ok()?,
        },
        limits: WorkspaceLimits {
            cpus: default::CPUS.parse().ok(),
            memory: default::MEMORY.parse().ok(),
            pids: Some(default::PIDS),
            shm: default::SHM.parse().ok()?,
        }
        .with(overrides),
        environment,
        mounts,
    })
}

/// Reads `environment`; these variables are not the operator's to set.
pub(super) fn variables(section: &mut Section<'_>, ours: &[&str]) -> BTreeMap<String, String> {
    let entries: BTreeMap<String, Value> = section
        .get(
            "environment",
            "write names and texts, such as TZ: \"Europe/Copenhagen\"",
        )
        .unwrap_or_default();
    let mut environment = BTreeMap::new();
    for (name, value) in entries {
        let problem = |reason: &str, fix: &str| {
            section.problem(&format!("environment.{name}"), reason, fix);
        };
        let fine = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty();
        if !fine {
            problem(
                "this is not a variable's name",
                "use letters, digits and '_'",
            );
        }
        if ours.contains(&name.as_str()) {
            problem("the platform sets it", "take it out");
        }
        // YAML has many ways to write a number, and a variable is the text that was written.
        let Value::String(text) = value else {
            problem(
                "its value is no text",
                &format!("put it in quotes, such as {name}: \"8080\""),
            );
            continue;
        };
        if text.contains('\0') {
            problem("its value holds a NUL", "take it out");
        }
        environment.insert(name, text);
    }
    environment
}

/// Variables that a workspace gets from us.
const OURS: &[&str] = &["AUTHENTICATE_VIA_JUPYTER", "WORKSPACE_BASE_URL", "VNC_PW"];

/// The kernel's `PID_MAX_LIMIT` on 64 bits: it takes no greater limit, and a container with one does not start.
const MOST_PIDS: i64 = 4_194_304;

pub(super) fn limit_overrides(section: &mut Section<'_>) -> LimitOverrides {
    let pids: Option<Limit<i64>> = section.get("pids", "write a whole number, or none");
    if pids.and_then(Limit::most).is_some_and(|most| most < 16) {
        section.problem(
            "pids",
            "a workspace does not start with so few",
            "write 16 or more, or none",
        );
    }
    if pids
        .and_then(Limit::most)
        .is_some_and(|most| most > MOST_PIDS)
    {
        section.problem(
            "pids",
            "Linux has no more than 4194304",
            "write that or less, or none",
        );
    }
    let memory: Option<Limit<Bytes>> = section.get("memory", "write an amount such as 4g, or none");
    // Docker's own lower bound.
    if memory
        .and_then(Limit::most)
        .is_some_and(|most| most < Bytes(6 << 20))
    {
        section.problem(
            "memory",
            "docker takes no less than 6m",
            "write an amount such as 4g, or none",
        );
    }
    let cpus: Option<Limit<Cpus>> = section.get("cpus", "write a number such as 2 or 0.5, or none");
    let shm: Option<Bytes> = section.get("shm", "write an amount such as 512m");
    // Docker takes 0 for its own default, and would never be seen to have it.
    if shm == Some(Bytes(0)) {
        section.problem(
            "shm",
            "there is no /dev/shm of no size",
            "write an amount such as 512m",
        );
    }
    LimitOverrides {
        cpus,
        memory,
        pids,
        shm,
    }
}

fn mount(section: &mut Section<'_>) -> Option<ExtraMount> {
    let source: Option<PathBuf> =
        section.require("source", "write an absolute path of this machine");
    let target: Option<PathBuf> =
        section.require("target", "write an absolute path in the workspace");
    let read_only = section
        .get("read_only", "write true or false")
        .unwrap_or(true);
    for (key, path) in [("source", &source), ("target", &target)] {
        let Some(path) = path else { continue };
        if !path.is_absolute()
            || path.components().any(|part| part == Component::ParentDir)
            || path.to_string_lossy().contains(char::is_control)
        {
            section.problem(
                key,
                "this is not an absolute path",
                "begin it with / and leave out ..",
            );
        }
    }
    let (source, target) = (normal(&source?), normal(&target?));
    // Folders of one's own below /workspace are fine; common is read-only for most, and no mount can be made in it.
    let taken = ["/", "/workspace"]
        .map(Path::new)
        .contains(&target.as_path())
        || ["/workspace/common", "/dev", "/proc", "/sys"]
            .iter()
            .any(|own| target.starts_with(own));
    if taken {
        section.problem(
            "target",
            "the platform's own folders are there",
            "write another path",
        );
    }
    Some(ExtraMount {
        source,
        target,
        read_only,
    })
}

/// The same path without a slash at its end, doubled ones and dots: docker takes two spellings of one target for two.
fn normal(path: &Path) -> PathBuf {
    path.components().collect()
}
