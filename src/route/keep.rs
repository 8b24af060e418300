//! What keeps the routes in order across DHCP renewals and reboots: systemd where it runs, or else cron.
//!
//! Both run a copy of this executable that is root's own, in `/usr/local/lib/dtaas`: the file that the operator ran may lie in a
//! home directory, where somebody else could replace what root runs, or be gone after the next update.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::interface::Interface;
use crate::error::Failure;
use crate::machine::files::{Tree, Written};
use crate::machine::firewall::{find, run};

/// The unit's name.
pub const UNIT: &str = "dtaas-route.service";
const UNITS: &str = "/etc/systemd/system";
const WANTS: &str = "multi-user.target.wants";
const CRONTABS: &str = "/etc/cron.d";
const CRONTAB: &str = "dtaas-route";
const HOME: &str = "/usr/local/lib/dtaas";

const OTHER_VERSION: &str = "it was installed by another version";

/// What is run. `scripts/route.sh` puts itself where this executable would be; either takes over from, and takes away, the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Executable,
    Script,
}

impl Program {
    const ALL: [Program; 2] = [Program::Executable, Program::Script];

    fn file(self) -> &'static str {
        match self {
            Program::Executable => "dtaas",
            Program::Script => "route.sh",
        }
    }

    fn path(self) -> PathBuf {
        Path::new(HOME).join(self.file())
    }

    /// The command line that stays and watches, or looks once.
    fn command(self, once: bool, interface: Option<&Interface>) -> String {
        let path = self.path();
        let mut line = match self {
            Program::Executable => format!("{} route watch", path.display()),
            Program::Script => format!("/bin/bash {} watch", path.display()),
        };
        if once {
            line += " --once";
        }
        if let Some(interface) = interface {
            line += &format!(" --interface {interface}");
        }
        line
    }
}

/// What keeps the routes in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keeper {
    /// A service, at once.
    Systemd,
    /// A line for every minute.
    Cron,
    /// Nothing.
    Nothing,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// By what.
    pub by: Keeper,
    /// The interface that the operator named, if they did.
    pub interface: Option<Interface>,
    /// Why it does not work, or not as this version would have it.
    pub trouble: Option<String>,
}

/// How it stands just now.
pub(super) async fn observe() -> Kept {
    let read = |directory: &str, name: &str| fs::read_to_string(Path::new(directory).join(name));
    let (by, found) = match (read(UNITS, UNIT), read(CRONTABS, CRONTAB)) {
        (Ok(unit), _) => (Keeper::Systemd, unit),
        (Err(_), Ok(crontab)) => (Keeper::Cron, crontab),
        (Err(_), Err(_)) => (Keeper::Nothing, String::new()),
    };
    let interface = interface_in(&found);
    let program = Program::ALL.into_iter().find(|program| match by {
        Keeper::Systemd => found == unit(*program, interface.as_ref()),
        Keeper::Cron => found == crontab(*program, interface.as_ref()),
        Keeper::Nothing => true,
    });
    let trouble = match (program, by) {
        (_, Keeper::Nothing) => None,
        (None, _) => Some(OTHER_VERSION.to_owned()),
        (Some(program), _) if !program.path().exists() => {
            Some(format!("{} is missing", program.path().display()))
        }
        (Some(_), Keeper::Systemd) => trouble_of_unit().await,
        (Some(_), Keeper::Cron) => (!cron_is_there()).then(|| "cron is not installed".to_owned()),
    };
    Kept {
        by,
        interface,
        trouble,
    }
}

async fn trouble_of_unit() -> Option<String> {
    if !systemd_runs() {
        Some("systemd does not run here".to_owned())
    } else if !is_enabled() {
        Some(format!("{UNIT} is not enabled"))
    } else if !is_active().await {
        Some(format!("it does not run (journalctl -u {UNIT})"))
    } else {
        None
    }
}

/// Has the routes kept in order from now on. Answers by what, and whether anything was changed for it.
pub(super) async fn install(interface: Option<&Interface>) -> Result<(Keeper, bool)> {
    let keeper = usable();
    if keeper == Keeper::Nothing {
        return Ok((keeper, false));
    }
    let own = Program::Executable;
    let executable = fs::read("/proc/self/exe").context("cannot read this executable")?;
    let copied = Tree::create(Path::new(HOME))?.write(Path::new(own.file()), 0o755, &executable)?;
    let mut changed = copied != Written::Unchanged;
    match keeper {
        Keeper::Systemd => {
            let text = unit(own, interface);
            let written =
                Tree::open(Path::new(UNITS))?.write(Path::new(UNIT), 0o644, text.as_bytes())?;
            changed |= written != Written::Unchanged;
            if changed || !is_enabled() || !is_active().await {
                changed = true;
                for arguments in [
                    ["daemon-reload"].as_slice(),
                    &["enable", UNIT],
                    &["restart", UNIT],
                ] {
                    systemctl(arguments).await?;
                }
            }
            changed |= remove(&Path::new(CRONTABS).join(CRONTAB))?;
        }
        Keeper::Cron => {
            let text = crontab(own, interface);
            let written = Tree::open(Path::new(CRONTABS))?.write(
                Path::new(CRONTAB),
                0o644,
                text.as_bytes(),
            )?;
            changed |= written != Written::Unchanged;
        }
        Keeper::Nothing => {}
    }
    changed |= remove(&Program::Script.path())?;
    Ok((keeper, changed))
}

/// Takes all of it away. Answers whether there was anything.
pub(super) async fn uninstall() -> Result<bool> {
    let unit = Path::new(UNITS).join(UNIT);
    let mut removed = false;
    if fs::symlink_metadata(&unit).is_ok() {
        if systemd_runs() {
            systemctl(&["disable", "--now", UNIT]).await?;
        } else {
            remove(&Path::new(UNITS).join(WANTS).join(UNIT))?;
        }
        removed |= remove(&unit)?;
        if systemd_runs() {
            systemctl(&["daemon-reload"]).await?;
        }
    }
    removed |= remove(&Path::new(CRONTABS).join(CRONTAB))?;
    for program in Program::ALL {
        removed |= remove(&program.path())?;
    }
    // Something else of ours may be in it.
    let _ = fs::remove_dir(HOME);
    Ok(removed)
}

/// What runs the copy on a machine that has neither: whoever looks after it starts this by themselves.
pub(super) fn by_hand(interface: Option<&Interface>) -> String {
    let mut words = vec!["dtaas route watch".to_owned()];
    words.extend(interface.map(|interface| format!("--interface {interface}")));
    words.join(" ")
}

/// v0.2's line in root's crontab, which would take away the route that is kept behind the others.
pub(super) fn line_of_v02() -> Option<String> {
    let text = fs::read_to_string("/var/spool/cron/crontabs/root").ok()?;
    text.lines()
        .map(str::trim)
        .find(|line| !line.starts_with('#') && line.contains("route del default"))
        .map(str::to_owned)
}

/// What can be had here.
fn usable() -> Keeper {
    if systemd_runs() {
        Keeper::Systemd
    } else if Path::new(CRONTABS).is_dir() && cron_is_there() {
        Keeper::Cron
    } else {
        Keeper::Nothing
    }
}

/// Whether systemd runs this machine (sd_booted(3)).
fn systemd_runs() -> bool {
    fs::exists("/run/systemd/system").unwrap_or(false)
}

fn is_enabled() -> bool {
    fs::symlink_metadata(Path::new(UNITS).join(WANTS).join(UNIT)).is_ok()
}

async fn is_active() -> bool {
    systemctl(&["is-active", "--quiet", UNIT]).await.is_ok()
}

fn cron_is_there() -> bool {
    find("cron").is_ok() || find("crond").is_ok()
}

async fn systemctl(arguments: &[&str]) -> Result<()> {
    run(&find("systemctl")?, arguments, None).await.map(|_| ())
}

/// It starts as early as it can, and again whenever it ends: a look costs nothing when all is well. It may change the network and
/// nothing else.
fn unit(program: Program, interface: Option<&Interface>) -> String {
    format!(
        "[Unit]\nDescription=Keeps the default route of a virtual machine's NAT behind the others\n\
         After=network-pre.target\nStartLimitIntervalSec=0\n\n\
         [Service]\nExecStart={}\nRestart=always\nRestartSec=1\n\
         CapabilityBoundingSet=CAP_NET_ADMIN\nNoNewPrivileges=yes\nProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\n\n\
         [Install]\nWantedBy=multi-user.target\n",
        program.command(false, interface)
    )
}

fn crontab(program: Program, interface: Option<&Interface>) -> String {
    format!(
        "# Keeps the default route of a virtual machine's NAT behind the others; `dtaas route remove` or `route.sh remove` takes this away.\n\
         * * * * * root {}\n",
        program.command(true, interface)
    )
}

/// What was named on the command line that a unit or a crontab runs.
fn interface_in(text: &str) -> Option<Interface> {
    let mut words = text.split_whitespace();
    words.find(|word| *word == "--interface")?;
    words.next()?.parse().ok()
}

fn remove(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(anyhow::Error::new(error)
            .context(Failure::new(format!("cannot remove {}", path.display())))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // systemd itself is not run by any test: what is known of the unit is its text.
    #[test]
    fn the_unit_runs_roots_own_copy_and_says_what_the_operator_named() {
        let named: Interface = "enp0s3".parse().unwrap();
        let text = unit(Program::Executable, Some(&named));
        assert_eq!(
            text,
            "[Unit]\n\
             Description=Keeps the default route of a virtual machine's NAT behind the others\n\
             After=network-pre.target\n\
             StartLimitIntervalSec=0\n\n\
             [Service]\n\
             ExecStart=/usr/local/lib/dtaas/dtaas route watch --interface enp0s3\n\
             Restart=always\n\
             RestartSec=1\n\
             CapabilityBoundingSet=CAP_NET_ADMIN\n\
             NoNewPrivileges=yes\n\
             ProtectSystem=strict\n\
             ProtectHome=yes\n\
             PrivateTmp=yes\n\n\
             [Install]\n\
             WantedBy=multi-user.target\n"
        );
        assert_eq!(interface_in(&text), Some(named));
        assert_eq!(interface_in(&unit(Program::Executable, None)), None);
    }

    #[test]
    fn without_systemd_cron_looks_every_minute() {
        assert_eq!(
            crontab(Program::Executable, "eth0".parse().ok().as_ref()),
            "# Keeps the default route of a virtual machine's NAT behind the others; `dtaas route remove` or `route.sh remove` takes this away.\n\
             * * * * * root /usr/local/lib/dtaas/dtaas route watch --once --interface eth0\n"
        );
    }
}
