//! Reading a deployment's spec from its directory, and the rules that several files break together.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::document::Document;
use super::model::{Spec, User};
use super::names::UserName;
use super::problem::{Problem, Problems};
use super::read;
use crate::error::Failure;

/// The spec's file name.
pub const FILE: &str = "dtaas.yaml";
/// The users' directory.
pub const USERS: &str = "users";

/// Reads and checks everything; all problems are in the failure.
pub fn load(directory: &Path) -> anyhow::Result<Spec> {
    let path = directory.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Err(Failure::usage(format!("{} is not a deployment: it has no {FILE}", directory.display()))
                .hint("make one here with `dtaas init --domain … --users …`, or name another with `dtaas -C DIR …`")
                .into());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let users = user_files(directory)?;
    from_texts(&text, &users)
}

/// The same from texts: `dtaas.yaml`, and each user file's name (without its directory) and text.
pub fn from_texts(text: &str, users: &BTreeMap<String, String>) -> anyhow::Result<Spec> {
    check(text, users).map_err(|problems| problems.into_failure().into())
}

/// The same, for whoever tells the problems in another way.
pub fn check(text: &str, users: &BTreeMap<String, String>) -> Result<Spec, Problems> {
    let mut problems = Vec::new();
    let spec = parse(FILE, text, read::spec, &mut problems);
    let mut all: BTreeMap<UserName, User> = BTreeMap::new();
    let mut slots: HashMap<u32, UserName> = HashMap::new();
    for (file, text) in users {
        let shown = format!("{USERS}/{file}");
        let whole = |reason: String, fix: &str| Problem {
            file: shown.clone(),
            line: None,
            key: String::new(),
            value: None,
            reason,
            fix: fix.into(),
        };
        let Some(stem) = file.strip_suffix(".yaml") else {
            problems.push(whole(
                "a user's file ends in .yaml".into(),
                "rename it, or move it away",
            ));
            continue;
        };
        let name: UserName = match stem.parse() {
            Ok(name) => name,
            Err(error) => {
                problems.push(whole(error.to_string(), "rename it, or move it away"));
                continue;
            }
        };
        if let Some(user) = parse(&shown, text, read::user, &mut problems) {
            if let Some(other) = slots.get(&user.slot) {
                problems.push(whole(
                    format!("slot {} is {other}'s", user.slot),
                    "give it another slot",
                ));
            }
            if spec
                .as_ref()
                .is_some_and(|spec| spec.custom.contains_key(name.as_str()))
            {
                problems.push(whole(
                    format!("services.custom has a service {name}, and both would be at /{name}"),
                    "give one of them another name",
                ));
            }
            if let Some(spec) = spec.as_ref().filter(|spec| user.slot >= spec.slots()) {
                problems.push(whole(
                    format!(
                        "slot {} is outside network.pool, which has {} (0 to {})",
                        user.slot,
                        spec.slots(),
                        spec.slots() - 1
                    ),
                    "give it another slot, or make the pool larger",
                ));
            }
            slots.entry(user.slot).or_insert_with(|| name.clone());
            all.insert(name, user);
        }
    }
    match spec {
        Some(spec) if problems.is_empty() => Ok(Spec { users: all, ..spec }),
        Some(_) | None => Err(Problems(problems)),
    }
}

/// Reads one user's file by itself; `file` is how messages call it.
pub fn user(file: &str, text: &str) -> Result<User, Problems> {
    let mut problems = Vec::new();
    let user = parse(file, text, read::user, &mut problems);
    match user {
        Some(user) if problems.is_empty() => Ok(user),
        Some(_) | None => Err(Problems(problems)),
    }
}

fn parse<T>(
    file: &str,
    text: &str,
    read: fn(&Document) -> Option<T>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let document = match Document::parse(file, text) {
        Ok(document) => document,
        Err(syntax) => {
            problems.extend(syntax.0);
            return None;
        }
    };
    let parsed = read(&document);
    problems.extend(document.into_problems());
    parsed
}

/// Each user file's name (without its directory) and text.
pub fn user_files(directory: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let path: PathBuf = directory.join(USERS);
    let entries = match std::fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", path.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Editors and atomic writes leave dot files behind for a moment.
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let text = std::fs::read_to_string(entry.path())
            .with_context(|| format!("cannot read {}", entry.path().display()))?;
        files.insert(name, text);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(text: &str, users: &[(&str, &str)]) -> String {
        let users = users
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        from_texts(text, &users).unwrap_err().to_string()
    }

    #[test]
    fn the_shortest_spec_is_a_version_and_a_domain() {
        let spec = from_texts("version: 1\ndomain: foo.com\n", &BTreeMap::new()).unwrap();
        assert_eq!(spec.name.as_str(), "foo.com");
        assert_eq!(spec.ports.https, 443);
        assert_eq!(spec.slots(), 8192);
    }

    #[test]
    fn all_problems_come_at_once_each_with_its_line() {
        let text = "version: 1\ndomain: http://foo.com\nprots:\n  https: 443\nports:\n  http: 70000\n  https: 4001\n";
        assert_eq!(
            problems_of(
                text,
                &[
                    ("Bob.yaml", "slot: 0\n"),
                    ("alice.yaml", "slot: 0\ngruops: []\n")
                ]
            ),
            "6 problems in the spec\n  \
             dtaas.yaml:2: domain is \"http://foo.com\": \"http://foo.com\" is not a domain: leave out the scheme: write foo.com, not https://foo.com; write a host name, such as foo.com\n  \
             dtaas.yaml:3: prots: there is no such key; did you mean ports?\n  \
             dtaas.yaml:6: ports.http is 70000: this cannot stand here; write a port from 1 to 65535\n  \
             dtaas.yaml:7: ports.https is 4001: ports.library is 4001 as well; give each its own\n  \
             users/Bob.yaml: \"Bob\" is not a user name: 'B' is not allowed; use a-z, 0-9, '.', '_' and '-'; rename it, or move it away\n  \
             users/alice.yaml:2: gruops: there is no such key; did you mean groups?"
        );
    }

    #[test]
    fn two_users_cannot_share_a_slot() {
        let text = "version: 1\ndomain: foo.com\nnetwork:\n  pool: 10.9.0.0/28\n";
        assert_eq!(
            problems_of(
                text,
                &[
                    ("alice.yaml", "slot: 1\n"),
                    ("bob.yaml", "slot: 1\n"),
                    ("carl.yaml", "slot: 2\n")
                ]
            ),
            "2 problems in the spec\n  users/bob.yaml: slot 1 is alice's; give it another slot\n  \
             users/carl.yaml: slot 2 is outside network.pool, which has 2 (0 to 1); give it another slot, or make the pool larger"
        );
    }

    #[test]
    fn a_mount_that_docker_would_refuse_is_refused_here() {
        let reason = |targets: &[&str]| {
            let mounts: String = targets
                .iter()
                .map(|target| format!("    - {{source: /srv/a, target: {target:?}}}\n"))
                .collect();
            let text = format!("version: 1\ndomain: foo.com\nworkspace:\n  mounts:\n{mounts}");
            match from_texts(&text, &BTreeMap::new()) {
                Ok(spec) => spec.workspace.mounts[0].target.display().to_string(),
                Err(error) => match error.to_string() {
                    text if text.contains("own folders") => "ours".to_owned(),
                    text if text.contains("another mount") => "twice".to_owned(),
                    text if text.contains("no absolute") || text.contains("not an absolute") => {
                        "no path".to_owned()
                    }
                    text => text,
                },
            }
        };
        for (targets, expected) in [
            (vec!["/datasets/"], "/datasets"),
            (vec!["/workspace/data/./shared"], "/workspace/data/shared"),
            (vec!["/workspace/"], "ours"),
            (vec!["/./workspace"], "ours"),
            (vec!["/workspace/./common"], "ours"),
            (vec!["/workspace//common/"], "ours"),
            (vec!["/workspace/common/data"], "ours"),
            (vec!["//"], "ours"),
            (vec!["/dev/shm"], "ours"),
            (vec!["/a", "/a/"], "twice"),
            (vec!["/a/b", "/a/./b"], "twice"),
            (vec!["/a/../b"], "no path"),
            (vec!["a"], "no path"),
            (vec!["/a\0b"], "no path"),
        ] {
            assert_eq!(reason(&targets), expected, "{targets:?}");
        }
    }

    #[test]
    fn the_library_lies_in_no_directory_of_the_deployments_own() {
        let root = |root: &str| {
            let text = format!("version: 1\ndomain: foo.com\nlibrary:\n  root: {root:?}\n");
            from_texts(&text, &BTreeMap::new()).map(|spec| spec.library.root.display().to_string())
        };
        for own in [
            "",
            ".",
            "./",
            "././.",
            "..",
            "a/../secrets",
            "secrets",
            "secrets/x",
            "./auth",
            "config/auth",
            "users/",
            "data",
            "data/files",
            "templates",
            ".removed",
            "./.git/x",
        ] {
            assert!(root(own).is_err(), "{own:?} was taken");
        }
        for (written, taken) in [
            ("files", "files"),
            ("./files//x/", "files/x"),
            ("lab/data", "lab/data"),
            ("/srv/data", "/srv/data"),
        ] {
            assert_eq!(root(written).unwrap(), taken);
        }
    }

    #[test]
    fn a_domain_of_any_length_has_a_name() {
        let domain = format!("{}.de.foo.com", "a".repeat(60));
        let text = format!("version: 1\ndomain: {domain}\n");
        let spec = from_texts(&text, &BTreeMap::new()).unwrap();
        assert_eq!(spec.name.as_str(), &domain[..63]);
    }

    #[test]
    fn what_is_not_yaml_says_where() {
        assert_eq!(
            problems_of("version: 1\ndomain: [foo\n", &[]),
            "dtaas.yaml:3: this is not YAML: did not find expected ',' or ']' at line 3 column 1, while parsing a flow sequence at line 2 column 9; see the comments that `dtaas init` writes for the form"
        );
    }
}
