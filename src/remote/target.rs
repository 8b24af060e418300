//! A machine that is reached by SSH, as the operator wrote it, and how it is reached in effect.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::remote::ssh_config::{Settings, SshConfig};

/// How many machines may lie on the way to one.
const MOST_HOPS: usize = 8;
/// The keys that are tried when none is named, below `~/.ssh`.
const DEFAULT_KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];
const SYSTEMS_KNOWN_HOSTS: &str = "/etc/ssh/ssh_known_hosts";

/// A machine elsewhere, as the operator wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The machine's name in the profile, for messages.
    pub name: String,
    /// An address, or an alias of the SSH configuration.
    pub host: String,
    /// The port; else the configuration's, else 22.
    #[serde(default)]
    pub port: Option<u16>,
    /// The login; else the configuration's, else the name of whoever runs us.
    #[serde(default)]
    pub user: Option<String>,
    /// The private key; else the configuration's, else those of ssh-agent and the usual files.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// The file of known hosts; else the configuration's, else `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`.
    #[serde(default)]
    pub known_hosts: Option<PathBuf>,
    /// What to go through: `user@host:port`, several separated by commas; `none` for the direct way, whatever the configuration says.
    #[serde(default)]
    pub jump: Option<String>,
    /// Where the deployment's tree lies there, such as `/opt/dtaas/foo.com`.
    pub root: PathBuf,
    /// The SSH configuration; else `~/.ssh/config` and `/etc/ssh/ssh_config`.
    #[serde(default)]
    pub config: Option<PathBuf>,
}

impl Target {
    /// A machine of which nothing else is said.
    pub fn new(name: impl Into<String>, host: impl Into<String>, root: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            host: host.into(),
            port: None,
            user: None,
            key: None,
            known_hosts: None,
            jump: None,
            root: root.into(),
            config: None,
        }
    }
}

/// Who connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// The login here.
    pub user: String,
    /// The home directory.
    pub home: PathBuf,
}

impl Me {
    /// Whoever runs this process.
    ///
    /// # Errors
    ///
    /// When neither the environment nor `/etc/passwd` says where the home directory is.
    pub fn now() -> Result<Self> {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let uid = rustix::process::geteuid().as_raw().to_string();
        let line: Option<Vec<&str>> = passwd
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.get(2) == Some(&uid.as_str()));
        let field = |at: usize| line.as_ref().and_then(|fields| fields.get(at).copied());
        // As OpenSSH: the account's own home, whatever HOME says; only where there is no account, that.
        let home = field(5)
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(PathBuf::from))
            .context("cannot tell where your home directory is: set HOME")?;
        Ok(Self {
            user: field(0).unwrap_or("root").to_owned(),
            home,
        })
    }
}

/// One SSH server on the way, the last of them the machine itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The address to connect to, seen from the hop before.
    pub host: String,
    /// What known_hosts calls it.
    pub known_as: String,
    /// The port.
    pub port: u16,
    /// The login.
    pub user: String,
    /// The private keys to try.
    pub keys: Vec<PathBuf>,
    /// Whether the operator named them: then no other is tried.
    pub keys_named: bool,
    /// Files of known hosts; a new one is written to the first.
    pub known_hosts: Vec<PathBuf>,
}

impl std::fmt::Display for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// How a machine is reached in effect: what the operator wrote for it first, then the SSH configuration, then OpenSSH's defaults.
///
/// # Errors
///
/// When a host to go through cannot be understood, they go in circles, or the configuration wants a command to go through.
pub fn resolve(target: &Target, config: &SshConfig, me: &Me) -> Result<Vec<Hop>> {
    let mut hops = Vec::new();
    let wanted = Wanted {
        host: target.host.clone(),
        port: target.port,
        user: target.user.clone(),
        key: target.key.clone(),
    };
    way(
        target,
        &wanted,
        target.jump.as_deref(),
        config,
        me,
        &mut hops,
    )?;
    Ok(hops)
}

/// What is said of a host before the configuration is asked.
struct Wanted {
    host: String,
    port: Option<u16>,
    user: Option<String>,
    key: Option<PathBuf>,
}

/// Adds what lies on the way to a host, then the host.
fn way(
    target: &Target,
    wanted: &Wanted,
    jump: Option<&str>,
    config: &SshConfig,
    me: &Me,
    hops: &mut Vec<Hop>,
) -> Result<()> {
    let settings = config.query(&wanted.host, wanted.user.as_deref(), &me.user);
    let is_none = |value: &str| value.eq_ignore_ascii_case("none");
    let jump = match (jump, &settings.jump, &settings.command) {
        (Some(jump), _, _) => Some(jump.to_owned()),
        (None, Some(jump), _) => Some(jump.clone()),
        (None, None, Some(command)) if !is_none(command) => {
            return Err(Failure::new(format!(
                "{}: the SSH configuration reaches {} through a command (ProxyCommand), which is not done here",
                target.name, wanted.host
            ))
            .hint("name the host to go through with `jump:`, or `jump: none` for the direct way")
            .into());
        }
        (None, None, Some(_) | None) => None,
    };
    if let Some(jump) = jump.filter(|jump| !is_none(jump)) {
        for (index, one) in jump.split(',').enumerate() {
            if hops.len() >= MOST_HOPS {
                return Err(Failure::usage(format!(
                    "{}: more than {MOST_HOPS} hosts are on the way, or they go in circles: {jump}",
                    target.name
                ))
                .hint("look at ProxyJump in the SSH configuration")
                .into());
            }
            let one = parse_jump(one.trim()).ok_or_else(|| {
                Failure::usage(format!("{}: {one:?} is no host to go through", target.name))
                    .hint("write it as user@host:port")
            })?;
            // What is on the way to the first, the configuration says; the others are reached from the one before.
            let before = (index > 0).then_some("none");
            // A circle ends at the bound above: each turn adds a hop only at its end.
            if hops.len() + depth_of(config, &one.host, me, 0) >= MOST_HOPS {
                return Err(Failure::usage(format!(
                    "{}: the hosts on the way go in circles: {jump}",
                    target.name
                ))
                .hint("look at ProxyJump in the SSH configuration")
                .into());
            }
            way(target, &one, before, config, me, hops)?;
        }
    }
    hops.push(hop(target, wanted, settings, me));
    Ok(())
}

/// How many hosts the configuration puts before one, up to the bound.
fn depth_of(config: &SshConfig, host: &str, me: &Me, depth: usize) -> usize {
    if depth >= MOST_HOPS {
        return depth;
    }
    let settings = config.query(host, None, &me.user);
    match settings
        .jump
        .as_deref()
        .and_then(|jump| jump.split(',').next())
    {
        Some(jump) if !jump.eq_ignore_ascii_case("none") => match parse_jump(jump) {
            Some(next) => depth_of(config, &next.host, me, depth + 1),
            None => depth,
        },
        Some(_) | None => depth,
    }
}

fn hop(target: &Target, wanted: &Wanted, settings: Settings, me: &Me) -> Hop {
    let host = match &settings.host_name {
        Some(name) => tokens(name, &[('h', &wanted.host)]),
        None => wanted.host.clone(),
    };
    let user = (wanted.user.clone().or(settings.user)).unwrap_or_else(|| me.user.clone());
    let home = me.home.to_string_lossy();
    let path = |text: &String| {
        let text = match text.strip_prefix("~/") {
            Some(below) => me.home.join(below).to_string_lossy().into_owned(),
            None => text.clone(),
        };
        PathBuf::from(tokens(
            &text,
            &[('d', &home), ('h', &host), ('r', &user), ('u', &me.user)],
        ))
    };
    let named: Vec<PathBuf> = match &wanted.key {
        Some(key) => vec![at_home(key, me)],
        None => settings.keys.iter().map(path).collect(),
    };
    let keys_named = !named.is_empty();
    let keys = match keys_named {
        true => named,
        false => DEFAULT_KEYS
            .iter()
            .map(|name| me.home.join(".ssh").join(name))
            .collect(),
    };
    let known_hosts = match &target.known_hosts {
        Some(file) => vec![at_home(file, me)],
        None if !settings.known_hosts.is_empty() => settings
            .known_hosts
            .iter()
            .filter(|file| !file.eq_ignore_ascii_case("none"))
            .map(path)
            .collect(),
        None => vec![
            me.home.join(".ssh/known_hosts"),
            PathBuf::from(SYSTEMS_KNOWN_HOSTS),
        ],
    };
    Hop {
        known_as: settings.alias.unwrap_or_else(|| host.clone()),
        host,
        port: wanted.port.or(settings.port).unwrap_or(22),
        user,
        keys,
        keys_named,
        known_hosts,
    }
}

fn at_home(path: &Path, me: &Me) -> PathBuf {
    match path.strip_prefix("~") {
        Ok(below) => me.home.join(below),
        Err(_) => path.to_owned(),
    }
}

/// `%h` and the like, and `%%` (ssh_config(5), TOKENS).
fn tokens(text: &str, known: &[(char, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            filled.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => filled.push('%'),
            Some(token) => match known.iter().find(|(known, _)| *known == token) {
                Some((_, value)) => filled.push_str(value),
                None => filled.extend(['%', token]),
            },
            None => filled.push('%'),
        }
    }
    filled
}

/// `[ssh://][user@]host[:port]`, an IPv6 address in brackets where a port is given.
fn parse_jump(text: &str) -> Option<Wanted> {
    let text = text.strip_prefix("ssh://").unwrap_or(text);
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (
            Some(user)
                .filter(|user| !user.is_empty())?
                .to_owned()
                .into(),
            rest,
        ),
        None => (None, text),
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            match behind {
                "" => (host, None),
                _ => (host, Some(behind.strip_prefix(':')?)),
            }
        }
        None => match rest.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            Some(_) | None => (rest, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
        None => None,
    };
    (!host.is_empty() && !host.contains(char::is_whitespace)).then(|| Wanted {
        host: host.to_owned(),
        port,
        user,
        key: None,
    })
}

#[cfg(test)]
mod tests;
