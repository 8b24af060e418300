//! What the spec says of the profile's machines: how each is reached, and for virtual ones what they are made like.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::quantity::Bytes;

/// How a machine is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It is this one.
    Local,
    /// By SSH.
    Ssh,
    /// Vagrant makes it, and tells how it is reached by SSH.
    Vagrant,
}

impl Kind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Local => "local",
            Kind::Ssh => "ssh",
            Kind::Vagrant => "vagrant",
        }
    }
}

/// What the spec says of one machine; what is left out is the profile's to say, or has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// How it is reached.
    pub kind: Option<Kind>,
    /// Where the deployment's tree lies on it, absolute; not with `local`.
    pub root: Option<PathBuf>,
    /// A private key's file, absolute, relative to the deployment, or below `~/`; with `ssh` and `vagrant`.
    pub key: Option<PathBuf>,
    /// What users and the other machines call it; with `ssh` and `vagrant`.
    pub hostname: Option<String>,
    /// With `ssh` alone.
    pub ssh: Ssh,
    /// With `vagrant` alone.
    pub vagrant: Vagrant,
}

/// How a machine is reached by SSH; what is left out is `~/.ssh/config`'s to say, or OpenSSH's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ssh {
    /// A host name, an address, or an alias of `~/.ssh/config`.
    pub address: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// Who logs in: root, or someone who may use sudo without a password.
    pub user: Option<String>,
    /// Hosts on the way there, `user@host:port`, separated by commas.
    pub jump: Option<String>,
    /// Where its host key is known; absolute, relative to the deployment, or below `~/`.
    pub known_hosts: Option<PathBuf>,
}

/// What a virtual machine is made like; what is left out has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vagrant {
    /// The MAC address of its bridged interface, for DHCP servers that go by it.
    pub mac: Option<String>,
    /// The interface of this machine that it is bridged to.
    pub bridge: Option<String>,
    /// Its memory.
    pub memory: Option<Bytes>,
    /// Its processors.
    pub cpus: Option<u32>,
    /// Who runs it.
    pub provider: Option<String>,
    /// Its base box.
    pub base: Option<String>,
    /// Its image, with the provider docker.
    pub image: Option<String>,
    /// More arguments of `docker create`, with the provider docker.
    pub create_args: Vec<String>,
}

impl Machine {
    /// Keys that were written and count for another kind only: the key, and the kind that it counts for.
    pub fn without_effect(&self, kind: Kind) -> Vec<(&'static str, &'static str)> {
        const EITHER: &str = "ssh or vagrant";
        const SSH: &str = "ssh";
        const VAGRANT: &str = "vagrant";
        let (ssh, vagrant) = (&self.ssh, &self.vagrant);
        let remote = [
            ("root", self.root.is_some()),
            ("key", self.key.is_some()),
            ("hostname", self.hostname.is_some()),
        ];
        let by_ssh = [
            ("address", ssh.address.is_some()),
            ("port", ssh.port.is_some()),
            ("user", ssh.user.is_some()),
            ("jump", ssh.jump.is_some()),
            ("known_hosts", ssh.known_hosts.is_some()),
        ];
        let by_vagrant = [
            ("mac", vagrant.mac.is_some()),
            ("bridge", vagrant.bridge.is_some()),
            ("memory", vagrant.memory.is_some()),
            ("cpus", vagrant.cpus.is_some()),
            ("provider", vagrant.provider.is_some()),
            ("box", vagrant.base.is_some()),
            ("image", vagrant.image.is_some()),
            ("create_args", !vagrant.create_args.is_empty()),
        ];
        let written = |keys: &[(&'static str, bool)], kind: &'static str| {
            keys.iter()
                .filter(|(_, written)| *written)
                .map(|(key, _)| (*key, kind))
                .collect::<Vec<_>>()
        };
        match kind {
            Kind::Local => [
                written(&remote, EITHER),
                written(&by_ssh, SSH),
                written(&by_vagrant, VAGRANT),
            ]
            .concat(),
            Kind::Ssh => written(&by_vagrant, VAGRANT),
            Kind::Vagrant => written(&by_ssh, SSH),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_another_kind_are_told_with_it() {
        let machine = Machine {
            key: Some("id".into()),
            ssh: Ssh {
                port: Some(22),
                ..Ssh::default()
            },
            vagrant: Vagrant {
                base: Some("dtaas".into()),
                ..Vagrant::default()
            },
            ..Machine::default()
        };
        assert_eq!(machine.without_effect(Kind::Ssh), [("box", "vagrant")]);
        assert_eq!(machine.without_effect(Kind::Vagrant), [("port", "ssh")]);
        assert_eq!(
            machine.without_effect(Kind::Local),
            [
                ("key", "ssh or vagrant"),
                ("port", "ssh"),
                ("box", "vagrant")
            ]
        );
    }
}
