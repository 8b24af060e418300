//! `~/.ssh/config` (ssh_config(5)), as far as it says how a machine is reached: HostName, Port, User, IdentityFile, ProxyJump,
//! ProxyCommand, UserKnownHostsFile and HostKeyAlias, in `Host` and `Match` sections and the files that `Include` names.
//!
//! For each the first value found counts; keys add up. What a `Match` section asks that cannot be answered without running
//! something (`exec`) does not match.

pub(super) mod pattern;
mod words;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::error::Failure;
use pattern::{any_of, matches};
use words::words;

/// How deep files may include one another; OpenSSH has the same bound.
const DEPTH: usize = 16;

/// A configuration, read whole.
#[derive(Debug, Clone, Default)]
pub struct SshConfig {
    lines: Vec<Line>,
}

/// A setting, and the sections that it stands in.
#[derive(Debug, Clone)]
struct Line {
    sections: Vec<Section>,
    keyword: String,
    values: Vec<String>,
}

#[derive(Debug, Clone)]
enum Section {
    /// `Host` with its patterns.
    Host(Vec<String>),
    /// `Match` with its criteria and their patterns.
    Match(Vec<String>),
}

/// What it says of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The address behind the alias.
    pub host_name: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The login.
    pub user: Option<String>,
    /// Private keys.
    pub keys: Vec<String>,
    /// Hosts to go through, or `none`.
    pub jump: Option<String>,
    /// A command to go through, which is not done.
    pub command: Option<String>,
    /// Files of known hosts.
    pub known_hosts: Vec<String>,
    /// What known_hosts calls the host.
    pub alias: Option<String>,
}

impl SshConfig {
    /// Reads the file given, or else the user's own and the system's, which need not be there. `home` is the user's directory.
    ///
    /// # Errors
    ///
    /// When the file given is not there, or one cannot be read.
    pub fn read(given: Option<&Path>, home: &Path) -> Result<Self> {
        let mut config = Self::default();
        match given {
            Some(path) => {
                if !path.exists() {
                    return Err(Failure::new(format!(
                        "there is no SSH configuration {}",
                        path.display()
                    ))
                    .hint("name one that is there, or leave it out: then ~/.ssh/config is read")
                    .into());
                }
                config.add_file(path, home, &[], 0)?;
            }
            None => {
                config.add_file(&home.join(".ssh/config"), home, &[], 0)?;
                config.add_file(Path::new("/etc/ssh/ssh_config"), home, &[], 0)?;
            }
        }
        Ok(config)
    }

    fn add_file(
        &mut self,
        path: &Path,
        home: &Path,
        sections: &[Section],
        depth: usize,
    ) -> Result<()> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        self.add(&text, home, sections, depth)
    }

    fn add(&mut self, text: &str, home: &Path, outer: &[Section], depth: usize) -> Result<()> {
        let mut sections = outer.to_vec();
        for line in text.lines() {
            let Some((keyword, values)) = words(line) else {
                continue;
            };
            match keyword.as_str() {
                "host" | "match" => {
                    sections.truncate(outer.len());
                    sections.push(match keyword.as_str() {
                        "host" => Section::Host(values),
                        _ => Section::Match(values),
                    });
                }
                "include" if depth < DEPTH => {
                    for value in &values {
                        for path in included(value, home) {
                            self.add_file(&path, home, &sections, depth + 1)?;
                        }
                    }
                }
                _ => self.lines.push(Line {
                    sections: sections.clone(),
                    keyword,
                    values,
                }),
            }
        }
        Ok(())
    }

    /// What it says of a host, called as the operator does, for a login that the operator gave or else `local_user`'s.
    pub fn query(&self, host: &str, user: Option<&str>, local_user: &str) -> Settings {
        let mut found = Settings::default();
        for line in &self.lines {
            let here = |section: &Section| match section {
                Section::Host(patterns) => any_of(patterns.iter().map(String::as_str), host, true),
                Section::Match(criteria) => meets(criteria, host, user, local_user, &found),
            };
            if !line.sections.iter().all(here) {
                continue;
            }
            let first = line.values.first().cloned();
            let all = || Some(line.values.join(" "));
            match line.keyword.as_str() {
                "hostname" => found.host_name = found.host_name.or(first),
                "port" => {
                    found.port = found.port.or(first.and_then(|port| port.parse().ok()));
                }
                "user" => found.user = found.user.or(first),
                "identityfile" => found.keys.extend(first),
                // Of these two the first one found counts.
                "proxyjump" if found.command.is_none() => found.jump = found.jump.or(first),
                "proxycommand" if found.jump.is_none() => found.command = found.command.or(all()),
                "userknownhostsfile" if found.known_hosts.is_empty() => {
                    found.known_hosts.clone_from(&line.values);
                }
                "hostkeyalias" => found.alias = found.alias.or(first),
                // The many others say nothing about how it is reached.
                _ => {}
            }
        }
        found
    }
}

/// Whether all criteria of a `Match` line are met.
fn meets(
    criteria: &[String],
    host: &str,
    user: Option<&str>,
    local_user: &str,
    found: &Settings,
) -> bool {
    let mut words = criteria.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (wanted, word) = match word.strip_prefix('!') {
            Some(word) => (false, word),
            None => (true, word),
        };
        let (word, joined) = match word.split_once('=') {
            Some((word, value)) => (word, Some(value)),
            None => (word, None),
        };
        let mut list = |text: &str, fold: bool| {
            let patterns = joined.or_else(|| words.next()).unwrap_or_default();
            any_of(patterns.split(','), text, fold)
        };
        let met = match word.to_ascii_lowercase().as_str() {
            "all" | "final" => true,
            "host" => list(found.host_name.as_deref().unwrap_or(host), true),
            "originalhost" => list(host, true),
            "user" => list(user.or(found.user.as_deref()).unwrap_or(local_user), false),
            "localuser" => list(local_user, false),
            // Of the others some take a value and some do not; none of them can be told here.
            _ => return false,
        };
        if met != wanted {
            return false;
        }
    }
    !criteria.is_empty()
}

/// The files that a value of `Include` names: relative to ~/.ssh, with `*` and `?` in the last part.
fn included(value: &str, home: &Path) -> Vec<PathBuf> {
    let path = match value.strip_prefix("~/") {
        Some(below) => home.join(below),
        None => home.join(".ssh").join(value),
    };
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return Vec::new();
    };
    if !name.contains(['*', '?']) {
        return vec![path];
    }
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|found| !found.starts_with('.') && matches(name, found))
        .map(|found| directory.join(found))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests;
