//! How a machine is reached, as `vagrant ssh-config` says it: a host section of ssh_config(5).

use std::path::PathBuf;

use crate::error::Failure;

/// How a machine is reached by SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshConfig {
    /// Vagrant's name for the machine.
    pub host: String,
    /// A host name or an address; mostly this host's own.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// Private keys to try, in order.
    pub identity_files: Vec<PathBuf>,
    /// Whether keys of an agent are left out.
    pub identities_only: bool,
    /// Where its host key is looked up. Vagrant says `/dev/null`, for the key is the base box's, which nobody has seen before.
    pub known_hosts: Vec<PathBuf>,
    /// Whether a host key that is not known there is refused.
    pub strict_host_key_checking: bool,
    /// A command that connects, where one is needed.
    pub proxy_command: Option<String>,
}

impl SshConfig {
    /// Reads what `vagrant ssh-config` wrote of one machine.
    ///
    /// # Errors
    /// When it names no address, port or user.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut found = Self {
            host: String::new(),
            address: String::new(),
            port: 22,
            user: String::new(),
            identity_files: Vec::new(),
            identities_only: false,
            known_hosts: Vec::new(),
            strict_host_key_checking: true,
            proxy_command: None,
        };
        for line in text.lines() {
            let line = line.trim();
            let at = line
                .find(|c: char| c.is_whitespace() || c == '=')
                .unwrap_or(line.len());
            let (keyword, rest) = line.split_at(at);
            // One `=` may stand between them.
            let rest = rest.trim_start();
            let rest = rest.strip_prefix('=').unwrap_or(rest).trim();
            let mut words = words(rest);
            let first = || words.first().cloned().unwrap_or_default();
            match keyword.to_ascii_lowercase().as_str() {
                // Another machine's section: only the first was asked for.
                "host" if !found.host.is_empty() => break,
                "host" => found.host = first(),
                "hostname" => found.address = first(),
                "user" => found.user = first(),
                "port" => {
                    found.port = first().parse().map_err(|_| {
                        Failure::new(format!("vagrant ssh-config names no port: {line:?}"))
                    })?;
                }
                "identityfile" => found.identity_files.extend(words.pop().map(PathBuf::from)),
                "identitiesonly" => found.identities_only = first().eq_ignore_ascii_case("yes"),
                "userknownhostsfile" => {
                    found.known_hosts = words.into_iter().map(PathBuf::from).collect();
                }
                "stricthostkeychecking" => {
                    found.strict_host_key_checking = !first().eq_ignore_ascii_case("no");
                }
                // It is the rest of the line, quotes and all.
                "proxycommand" => found.proxy_command = Some(rest.to_owned()),
                // There are a hundred keywords; the others do not matter here.
                _ => {}
            }
        }
        for (keyword, value) in [("HostName", &found.address), ("User", &found.user)] {
            if value.is_empty() {
                return Err(Failure::new(format!(
                    "vagrant ssh-config names no {keyword}: {text:?}"
                ))
                .hint("`vagrant ssh-config` in the same directory shows what it says"));
            }
        }
        Ok(found)
    }
}

/// The arguments of a keyword: separated by blanks, which double quotes keep together.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if characters.peek().is_some_and(|c| matches!(c, '"' | '\\')) => {
                word.get_or_insert_default().extend(characters.next());
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_of_virtualbox() {
        // Vagrant 2.3.4.
        let text = "Host dtaas\n  HostName 127.0.0.1\n  User vagrant\n  Port 2222\n  \
                    UserKnownHostsFile /dev/null\n  StrictHostKeyChecking no\n  PasswordAuthentication no\n  \
                    IdentityFile \"/srv/my lab/vagrant\"\n  IdentitiesOnly yes\n  LogLevel FATAL\n\n";
        assert_eq!(
            SshConfig::parse(text).unwrap(),
            SshConfig {
                host: "dtaas".into(),
                address: "127.0.0.1".into(),
                port: 2222,
                user: "vagrant".into(),
                identity_files: vec!["/srv/my lab/vagrant".into()],
                identities_only: true,
                known_hosts: vec!["/dev/null".into()],
                strict_host_key_checking: false,
                proxy_command: None,
            }
        );
    }

    #[test]
    fn several_keys_other_ways_to_write_it_and_another_machine_behind_it() {
        let text = "host = services\r\n\tHOSTNAME=172.17.0.3\r\n\tuser \"lab user\"\r\n\
                    \n  IdentityFile /a/one\n  IdentityFile /b/tw\\\"o\n  UserKnownHostsFile /a /b\n  \
                    ProxyCommand ssh -W \"%h:%p\" host\n  PubkeyAcceptedKeyTypes +ssh-rsa\n\
                    Host other\n  HostName 10.0.0.1\n";
        assert_eq!(
            SshConfig::parse(text).unwrap(),
            SshConfig {
                host: "services".into(),
                address: "172.17.0.3".into(),
                port: 22,
                user: "lab user".into(),
                identity_files: vec!["/a/one".into(), "/b/tw\"o".into()],
                identities_only: false,
                known_hosts: vec!["/a".into(), "/b".into()],
                strict_host_key_checking: true,
                proxy_command: Some("ssh -W \"%h:%p\" host".into()),
            }
        );
    }

    #[test]
    fn what_is_no_such_section_is_refused() {
        for (text, message) in [
            ("", "vagrant ssh-config names no HostName: \"\""),
            (
                "Host a\n  HostName b\n",
                "vagrant ssh-config names no User: \"Host a\\n  HostName b\\n\"",
            ),
            (
                "Host a\n  Port ssh\n",
                "vagrant ssh-config names no port: \"Port ssh\"",
            ),
        ] {
            assert_eq!(SshConfig::parse(text).unwrap_err().to_string(), message);
        }
    }
}
