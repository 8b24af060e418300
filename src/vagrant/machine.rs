//! What a virtual machine is made like.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use super::mac::Mac;
use crate::error::Failure;
use crate::spec::names::{Domain, NameError};
use crate::spec::quantity::Bytes;

/// The base box that `dtaas box build` makes.
pub const BASE_BOX: &str = "dtaas";

/// One machine that Vagrant makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualMachine {
    /// Vagrant's name for it: small letters, digits and hyphens, at most 32.
    pub name: String,
    /// Its host name, which is also its name in VirtualBox's list, so one of its own on this host.
    pub hostname: Domain,
    /// The private key that it answers to; relative paths count from the directory of the Vagrantfile. Without one it is
    /// Vagrant's to know.
    pub private_key: Option<PathBuf>,
    /// Ports of 127.0.0.1 that lead to it.
    pub ports: Ports,
    /// Who runs it.
    pub made_by: MadeBy,
    /// What `provision.sh` installs; of base machines alone.
    pub software: Vec<String>,
}

/// Ports of 127.0.0.1 on this host that lead to a machine's usual ones. Without one for SSH, Vagrant finds one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    /// To port 22.
    pub ssh: Option<u16>,
    /// To port 80.
    pub http: Option<u16>,
    /// To port 443.
    pub https: Option<u16>,
}

/// Who runs a machine, with what only they understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MadeBy {
    /// VirtualBox.
    VirtualBox(VirtualBox),
    /// Docker: a container with an SSH server, as a machine.
    Docker(Docker),
}

/// A machine of VirtualBox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualBox {
    /// Its base box, such as [`BASE_BOX`].
    pub base: String,
    /// Its memory; VirtualBox counts in MiB, so the rest is cut off.
    pub memory: Bytes,
    /// Its processors.
    pub cpus: u32,
    /// The MAC address of its bridged interface; any when there is none.
    pub mac: Option<Mac>,
    /// The interface of this host that it is bridged to. With neither this nor an address it has no bridged interface.
    pub bridge: Option<String>,
}

/// A container that is a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docker {
    /// An image that runs an SSH server for the user `vagrant`.
    pub image: String,
    /// More arguments of `docker run`, such as those that an engine inside it takes.
    pub create_args: Vec<String>,
}

/// The providers that machines are made by here, by Vagrant's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// VirtualBox.
    #[default]
    VirtualBox,
    /// Docker.
    Docker,
}

impl Provider {
    /// Vagrant's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Provider::VirtualBox => "virtualbox",
            Provider::Docker => "docker",
        }
    }
}

impl FromStr for Provider {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        [Provider::VirtualBox, Provider::Docker]
            .into_iter()
            .find(|provider| provider.as_str() == value)
            .ok_or_else(|| NameError {
                value: value.to_owned(),
                kind: "provider that machines are made by here",
                rule: "write virtualbox or docker".to_owned(),
            })
    }
}

impl VirtualMachine {
    /// Who runs it.
    pub fn provider(&self) -> Provider {
        match self.made_by {
            MadeBy::VirtualBox(_) => Provider::VirtualBox,
            MadeBy::Docker(_) => Provider::Docker,
        }
    }

    /// What is wrong with it; nothing when it can be made.
    fn problem(&self) -> Option<String> {
        if !is_name(&self.name) {
            return Some(format!(
                "{:?} is not a machine's name: write small letters, digits and hyphens, at most 32, such as services",
                self.name
            ));
        }
        let of = |what: String| Some(format!("machine {}: {what}", self.name));
        if self.hostname.address().is_some() || self.hostname.as_str() == "localhost" {
            return of(format!(
                "{:?} cannot be its host name: write a name such as foo.com",
                self.hostname.as_str()
            ));
        }
        match &self.made_by {
            MadeBy::VirtualBox(with) => {
                if with.memory.0 < MIB {
                    return of(format!("{} bytes are no memory: write 16g", with.memory.0));
                }
                if with.cpus == 0 {
                    return of("it has no processor: write cpus: 8".to_owned());
                }
                if !is_word(&with.base) {
                    return of(format!("{:?} is not a box's name", with.base));
                }
                if let Some(bridge) = &with.bridge
                    && !is_interface(bridge)
                {
                    return of(format!(
                        "{bridge:?} is not an interface's name: `ip link` lists those of this host"
                    ));
                }
            }
            MadeBy::Docker(with) => {
                if !is_word(&with.image) {
                    return of(format!("{:?} is not an image's name", with.image));
                }
            }
        }
        None
    }
}

/// Checks machines that are to stand side by side.
///
/// # Errors
/// A usage failure that names the machine, the value and the rule.
pub fn check(machines: &[VirtualMachine]) -> Result<(), Failure> {
    if let Some(problem) = machines.iter().find_map(VirtualMachine::problem) {
        return Err(Failure::usage(problem));
    }
    let mut names = BTreeSet::new();
    let mut hostnames = BTreeSet::new();
    let mut macs = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for machine in machines {
        let twice = |what: String| Err(Failure::usage(format!("two machines have the {what}")));
        if !names.insert(&machine.name) {
            return twice(format!("name {}", machine.name));
        }
        if !hostnames.insert(machine.hostname.as_str()) {
            return twice(format!("host name {}", machine.hostname));
        }
        if let MadeBy::VirtualBox(VirtualBox { mac: Some(mac), .. }) = &machine.made_by
            && !macs.insert(*mac)
        {
            return twice(format!("MAC address {mac}"));
        }
        let Ports { ssh, http, https } = machine.ports;
        for port in [ssh, http, https].into_iter().flatten() {
            if !ports.insert(port) {
                return Err(Failure::usage(format!(
                    "port {port} of this host cannot lead to two places"
                )));
            }
        }
    }
    Ok(())
}

const MIB: u64 = 1 << 20;

impl VirtualBox {
    /// Its memory in MiB.
    pub(super) fn mebibytes(&self) -> u64 {
        self.memory.0 / MIB
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// What the kernel takes as an interface's name (dev_valid_name): up to 15 bytes, neither `/` nor `:` nor blanks.
fn is_interface(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.contains(|c: char| matches!(c, '/' | ':') || c.is_whitespace() || c.is_control())
}

/// One word, and none that a program would take for an option.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> VirtualMachine {
        VirtualMachine {
            name: "dtaas".into(),
            hostname: "foo.com".parse().unwrap(),
            private_key: None,
            ports: Ports::default(),
            made_by: MadeBy::VirtualBox(VirtualBox {
                base: BASE_BOX.into(),
                memory: "16g".parse().unwrap(),
                cpus: 8,
                mac: None,
                bridge: Some("ens10f3".into()),
            }),
            software: Vec::new(),
        }
    }

    fn refusal(machines: &[VirtualMachine]) -> String {
        check(machines).unwrap_err().to_string()
    }

    fn with(change: impl Fn(&mut VirtualBox)) -> VirtualMachine {
        let mut machine = machine();
        if let MadeBy::VirtualBox(with) = &mut machine.made_by {
            change(with);
        }
        machine
    }

    #[test]
    fn what_cannot_be_made_is_refused_with_its_name_and_the_rule() {
        assert!(check(&[machine()]).is_ok());
        let named = |name: &str| VirtualMachine {
            name: name.into(),
            ..machine()
        };
        for name in ["", "Dtaas", "a/b", "0a", "a b", "-f", &"a".repeat(33)] {
            assert_eq!(
                refusal(&[named(name)]),
                format!(
                    "{name:?} is not a machine's name: write small letters, digits and hyphens, at most 32, such as services"
                )
            );
        }
        let called = |hostname: &str| VirtualMachine {
            hostname: hostname.parse().unwrap(),
            ..machine()
        };
        for hostname in ["192.168.7.2", "localhost"] {
            assert_eq!(
                refusal(&[called(hostname)]),
                format!(
                    "machine dtaas: {hostname:?} cannot be its host name: write a name such as foo.com"
                )
            );
        }
        for (wrong, message) in [
            (
                with(|with| with.memory = Bytes(1024)),
                "machine dtaas: 1024 bytes are no memory: write 16g",
            ),
            (
                with(|with| with.cpus = 0),
                "machine dtaas: it has no processor: write cpus: 8",
            ),
            (
                with(|with| with.base = "a box".into()),
                "machine dtaas: \"a box\" is not a box's name",
            ),
            (
                with(|with| with.bridge = Some("eth0: a long one".into())),
                "machine dtaas: \"eth0: a long one\" is not an interface's name: `ip link` lists those of this host",
            ),
        ] {
            assert_eq!(refusal(&[wrong]), message);
        }
    }

    #[test]
    fn two_machines_share_nothing_that_tells_them_apart() {
        let other = |change: &dyn Fn(&mut VirtualMachine)| {
            let mut other = VirtualMachine {
                name: "services".into(),
                hostname: "services.foo.com".parse().unwrap(),
                ..machine()
            };
            change(&mut other);
            refusal(&[with_mac(machine()), other])
        };
        assert_eq!(
            other(&|other| other.name = "dtaas".into()),
            "two machines have the name dtaas"
        );
        assert_eq!(
            other(&|other| other.hostname = "foo.com".parse().unwrap()),
            "two machines have the host name foo.com"
        );
        assert_eq!(
            other(&|other| *other = with_mac(other.clone())),
            "two machines have the MAC address 08:00:27:5e:00:01"
        );
        assert_eq!(
            other(&|other| other.ports.http = Some(8080)),
            "port 8080 of this host cannot lead to two places"
        );
    }

    fn with_mac(mut machine: VirtualMachine) -> VirtualMachine {
        machine.ports.https = Some(8080);
        if let MadeBy::VirtualBox(with) = &mut machine.made_by {
            with.mac = Some("08:00:27:5e:00:01".parse().unwrap());
        }
        if machine.name == "services" {
            machine.ports.https = None;
        }
        machine
    }

    #[test]
    fn other_providers_are_refused_by_name() {
        assert_eq!("virtualbox".parse(), Ok(Provider::VirtualBox));
        assert_eq!("docker".parse(), Ok(Provider::Docker));
        for other in ["libvirt", "vmware_desktop", "VirtualBox"] {
            assert_eq!(
                other.parse::<Provider>().unwrap_err().to_string(),
                format!(
                    "{other:?} is not a provider that machines are made by here: write virtualbox or docker"
                )
            );
        }
    }
}
