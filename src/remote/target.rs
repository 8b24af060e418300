//! Where a machine is, and who logs in there how: what the spec says, then `~/.ssh/config`, then OpenSSH's defaults.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use ssh2_config::{HostParams, ParseRule, SshConfig};

use crate::error::Failure;

/// How a machine is reached, as far as that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The machine's name in messages.
    pub name: String,
    /// A host name, an address, or an alias of the configuration.
    pub host: String,
    /// Its port.
    pub port: Option<u16>,
    /// Who logs in.
    pub user: Option<String>,
    /// A private key's file.
    pub key: Option<PathBuf>,
    /// Where host keys are known; `None` is `~/.ssh/known_hosts`.
    pub known_hosts: Option<PathBuf>,
    /// Hosts on the way there, `user@host:port`, separated by commas.
    pub jump: Option<String>,
    /// OpenSSH's configuration; `None` is `~/.ssh/config`.
    pub config: Option<PathBuf>,
    /// Where the deployment's tree lies there, absolute.
    pub root: PathBuf,
}

/// One host on the way, everything decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// What is connected to.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// Private keys to try, in order.
    pub keys: Vec<PathBuf>,
    /// Whether a key was asked for by name: then it must be there.
    pub chosen: bool,
    /// Where host keys are known; the first is written to.
    pub known_hosts: Vec<PathBuf>,
}

/// What holds for the operator who runs us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Their home directory.
    pub home: PathBuf,
    /// Their login name.
    pub name: String,
}

/// Keys that OpenSSH tries by itself, below `~/.ssh`.
const USUAL_KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];
/// The machine's own list of host keys.
const SYSTEM_HOSTS: &str = "/etc/ssh/ssh_known_hosts";

impl Operator {
    /// Whoever runs this process.
    pub fn here() -> Self {
        let name = ["USER", "LOGNAME"]
            .iter()
            .find_map(|name| std::env::var(name).ok())
            .filter(|name| !name.is_empty());
        Self {
            home: std::env::home_dir().unwrap_or_else(|| PathBuf::from("/root")),
            name: name.unwrap_or_else(|| "root".to_owned()),
        }
    }
}

impl Target {
    /// The hosts on the way, the machine itself last.
    ///
    /// # Errors
    /// When the configuration cannot be read, or asks for what cannot be had here.
    pub fn hops(&self, operator: &Operator) -> anyhow::Result<Vec<Hop>> {
        let config = self.read_config(operator)?;
        let params = config.query(&self.host);
        refuse_unsupported(&self.host, &params)?;
        let jump = match &self.jump {
            Some(jump) => jump.split(',').map(str::to_owned).collect(),
            None => params.proxy_jump.clone().unwrap_or_default(),
        };
        let mut hops = Vec::new();
        for one in jump.iter().filter(|one| !one.eq_ignore_ascii_case("none")) {
            let (user, host, port) = parts(one)
                .ok_or_else(|| bad(one, "a host on the way is written user@host:port"))?;
            let params = config.query(host);
            refuse_unsupported(host, &params)?;
            hops.push(self.hop(host, port, user, None, &params, operator));
        }
        hops.push(self.hop(
            &self.host,
            self.port,
            self.user.as_deref(),
            self.key.as_deref(),
            &params,
            operator,
        ));
        Ok(hops)
    }

    fn read_config(&self, operator: &Operator) -> anyhow::Result<SshConfig> {
        let path = match &self.config {
            Some(path) => path.clone(),
            None => operator.home.join(".ssh/config"),
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound && self.config.is_none() => {
                return Ok(SshConfig::default());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        SshConfig::default()
            .home_dir(&operator.home)
            .parse(
                &mut BufReader::new(file),
                ParseRule::ALLOW_UNKNOWN_FIELDS | ParseRule::ALLOW_UNSUPPORTED_FIELDS,
            )
            .with_context(|| {
                Failure::usage(format!("{} cannot be understood", path.display()))
                    .hint("mend it, or say in dtaas.yaml how the machine is reached")
            })
    }

    fn hop(
        &self,
        host: &str,
        port: Option<u16>,
        user: Option<&str>,
        key: Option<&Path>,
        params: &HostParams,
        operator: &Operator,
    ) -> Hop {
        let listed = params.identity_file.clone().unwrap_or_default();
        let keys: Vec<PathBuf> = match (key, listed.is_empty()) {
            (Some(key), _) => vec![key.to_owned()],
            (None, false) => listed.iter().map(|key| at_home(key, operator)).collect(),
            (None, true) => USUAL_KEYS
                .iter()
                .map(|key| operator.home.join(".ssh").join(key))
                .collect(),
        };
        let known_hosts = match (&self.known_hosts, unsupported(params, "userknownhostsfile")) {
            (Some(path), _) => vec![path.clone()],
            (None, Some(paths)) if !paths.is_empty() => paths
                .iter()
                .flat_map(|path| path.split_whitespace())
                .map(|path| at_home(Path::new(path), operator))
                .collect(),
            (None, _) => vec![operator.home.join(".ssh/known_hosts")],
        };
        Hop {
            host: params.host_name.clone().unwrap_or_else(|| host.to_owned()),
            port: port.or(params.port).unwrap_or(22),
            user: user
                .map(str::to_owned)
                .or_else(|| params.user.clone())
                .unwrap_or_else(|| operator.name.clone()),
            keys,
            chosen: key.is_some(),
            known_hosts: known_hosts
                .into_iter()
                .chain([PathBuf::from(SYSTEM_HOSTS)])
                .collect(),
        }
    }
}

/// A field that the parser keeps without understanding it; it spells them in small letters.
fn unsupported<'a>(params: &'a HostParams, name: &str) -> Option<&'a Vec<String>> {
    let of = |fields: &'a std::collections::HashMap<String, Vec<String>>| {
        fields
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    of(&params.unsupported_fields).or_else(|| of(&params.ignored_fields))
}

/// A connection that the configuration has made by another program cannot be had here; without it, it would be another machine.
fn refuse_unsupported(host: &str, params: &HostParams) -> anyhow::Result<()> {
    match unsupported(params, "proxycommand") {
        Some(command) if !command.iter().any(|word| word.eq_ignore_ascii_case("none")) => Err(bad(
            host,
            "~/.ssh/config reaches it by ProxyCommand, which is not supported: ProxyJump, or jump in dtaas.yaml, is",
        )
        .into()),
        Some(_) | None => Ok(()),
    }
}

fn bad(host: &str, why: &str) -> Failure {
    Failure::usage(format!("{host}: {why}"))
}

fn at_home(path: &Path, operator: &Operator) -> PathBuf {
    match path.strip_prefix("~") {
        Ok(below) => operator.home.join(below),
        Err(_) => path.to_owned(),
    }
}

/// User, host and port of `user@host:port`, of which the host alone must be there; `[…]` holds an IPv6 address.
fn parts(text: &str) -> Option<(Option<&str>, &str, Option<u16>)> {
    let text = text.trim().trim_start_matches("ssh://");
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            (host, behind.strip_prefix(':'))
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok()?),
        None => None,
    };
    (!host.is_empty() && user != Some("")).then_some((user, host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(home: &Path) -> Operator {
        Operator {
            home: home.to_owned(),
            name: "ann".into(),
        }
    }

    fn target(host: &str) -> Target {
        Target {
            name: "services".into(),
            host: host.into(),
            port: None,
            user: None,
            key: None,
            known_hosts: None,
            jump: None,
            config: None,
            root: "/opt/dtaas/foo.com".into(),
        }
    }

    #[test]
    fn without_a_configuration_it_is_as_openssh_does() {
        let home = tempfile::tempdir().unwrap();
        let hops = target("s.foo.com").hops(&operator(home.path())).unwrap();
        let ssh = home.path().join(".ssh");
        assert_eq!(
            hops,
            [Hop {
                host: "s.foo.com".into(),
                port: 22,
                user: "ann".into(),
                keys: ["id_ed25519", "id_ecdsa", "id_rsa"]
                    .map(|key| ssh.join(key))
                    .into(),
                chosen: false,
                known_hosts: vec![ssh.join("known_hosts"), SYSTEM_HOSTS.into()],
            }]
        );
    }

    #[test]
    fn the_spec_counts_before_the_configuration() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        let text = "Host lab\n  HostName 192.0.2.7\n  Port 2222\n  User root\n  IdentityFile ~/lab.key\n  ProxyJump gate\n\
                    Host gate\n  HostName gate.foo.com\n  User jump\n";
        std::fs::write(home.path().join(".ssh/config"), text).unwrap();
        let operator = operator(home.path());

        let hops = target("lab").hops(&operator).unwrap();
        let shown = |hops: &[Hop]| -> Vec<String> {
            hops.iter()
                .map(|hop| format!("{}@{}:{}", hop.user, hop.host, hop.port))
                .collect()
        };
        assert_eq!(
            shown(&hops),
            ["jump@gate.foo.com:22", "root@192.0.2.7:2222"]
        );
        assert_eq!(hops[1].keys, [home.path().join("lab.key")]);

        let said = Target {
            port: Some(22),
            user: Some("ops".into()),
            key: Some("/k".into()),
            jump: Some("a@b:7,[::1]:8".into()),
            ..target("lab")
        };
        let hops = said.hops(&operator).unwrap();
        assert_eq!(shown(&hops), ["a@b:7", "ann@::1:8", "ops@192.0.2.7:22"]);
        assert_eq!(hops[2].keys, [PathBuf::from("/k")]);
    }

    #[test]
    fn what_would_lead_elsewhere_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("config");
        std::fs::write(&config, "Host lab\n  ProxyCommand nc %h %p\n").unwrap();
        let target = Target {
            config: Some(config),
            ..target("lab")
        };
        assert_eq!(
            target.hops(&operator(home.path())).unwrap_err().to_string(),
            "lab: ~/.ssh/config reaches it by ProxyCommand, which is not supported: ProxyJump, or jump in dtaas.yaml, is"
        );
        let target = Target {
            jump: Some("a@:22".into()),
            ..self::tests::target("lab")
        };
        assert_eq!(
            target.hops(&operator(home.path())).unwrap_err().to_string(),
            "a@:22: a host on the way is written user@host:port"
        );
    }
}
