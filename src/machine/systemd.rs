//! A unit of systemd that puts the packet filter's rules back after a reboot, before the engine starts any workspace.

pub mod healing;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::machine::files::Tree;
use crate::machine::firewall::{self, Spoofing, find, run};
use crate::machine::observed::Boot;
use crate::platform::desired::{Desired, Directory};

const UNITS: &str = "/etc/systemd/system";
/// Where systemd links the units that it starts by themselves.
const WANTS: &str = "multi-user.target.wants";
const RULES: &str = "config/firewall";

/// What the packet filter's programs are fed with at the next start.
pub(super) struct Rules {
    pub(super) v4: String,
    pub(super) v6: Option<String>,
}

impl Rules {
    fn files(&self) -> impl Iterator<Item = (PathBuf, &str)> {
        [("v4.rules", Some(&self.v4)), ("v6.rules", self.v6.as_ref())]
            .into_iter()
            .filter_map(|(name, text)| Some((Path::new(RULES).join(name), text?.as_str())))
    }
}

/// Whether systemd runs this machine (sd_booted(3)).
fn runs() -> bool {
    fs::exists("/run/systemd/system").unwrap_or(false)
}

fn unit_name(desired: &Desired) -> String {
    format!("dtaas-{}-firewall.service", desired.deployment)
}

/// How things stand. Rules of either way to find spoofed sources are as they should be.
pub(super) fn observe(desired: &Desired) -> Boot {
    if !runs() {
        return Boot::NoSystemd;
    }
    let Ok(unit_found) = fs::read_to_string(Path::new(UNITS).join(unit_name(desired))) else {
        return Boot::Missing;
    };
    let Some(wanted) = &desired.firewall else {
        return Boot::Differs;
    };
    // A run that was killed before it enabled the unit, or somebody who disabled it.
    let enabled = Path::new(UNITS).join(WANTS).join(unit_name(desired));
    if fs::symlink_metadata(enabled).is_err() {
        return Boot::Differs;
    }
    let kept = |name: &str| fs::read_to_string(desired.root.join(RULES).join(name)).ok();
    let (v4, v6) = (kept("v4.rules"), kept("v6.rules"));
    let as_wanted = [Spoofing::ReversePath, Spoofing::Pool]
        .into_iter()
        .any(|spoofing| {
            let rules = firewall::at_boot(desired, wanted, spoofing, v6.is_some());
            v4.as_deref() == Some(rules.v4.as_str())
                && v6 == rules.v6
                && unit(desired, &rules).is_ok_and(|unit| unit == unit_found)
        });
    if as_wanted {
        Boot::Installed
    } else {
        Boot::Differs
    }
}

/// Writes rules and unit, and enables it. Does nothing where systemd does not run.
pub(super) async fn install(desired: &Desired, rules: &Rules) -> Result<()> {
    if !runs() {
        return Ok(());
    }
    let tree = Tree::create(&desired.root)?;
    for path in ["config", RULES] {
        tree.make_dir(&Directory::plain(path))?;
    }
    for (path, text) in rules.files() {
        tree.write(&path, 0o644, text.as_bytes())?;
    }
    let name = unit_name(desired);
    Tree::open(Path::new(UNITS))?.write(
        Path::new(&name),
        0o644,
        unit(desired, rules)?.as_bytes(),
    )?;
    systemctl(&["daemon-reload"]).await?;
    systemctl(&["enable", &name]).await
}

/// Takes the unit away, and the rules that were kept for it.
pub(super) async fn remove(desired: &Desired) -> Result<()> {
    let name = unit_name(desired);
    let place = Path::new(UNITS).join(&name);
    if fs::exists(&place).unwrap_or(false) {
        if runs() {
            systemctl(&["disable", &name]).await?;
        }
        fs::remove_file(&place).with_context(|| format!("cannot remove {}", place.display()))?;
        if runs() {
            systemctl(&["daemon-reload"]).await?;
        }
    }
    let kept = desired.root.join(RULES);
    match fs::remove_dir_all(&kept) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", kept.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn unit(desired: &Desired, rules: &Rules) -> Result<String> {
    let mut starts = String::new();
    for (path, _) in rules.files() {
        let program = match path.file_name().and_then(|name| name.to_str()) {
            Some("v6.rules") => find("ip6tables-restore")?,
            Some(_) | None => find("iptables-restore")?,
        };
        starts += &format!(
            "ExecStart={} -w --noflush {}\n",
            program.display(),
            quoted(&desired.root.join(path)).replace('$', "$$")
        );
    }
    Ok(format!(
        "[Unit]\nDescription=Firewall of the workspaces of {}\nRequiresMountsFor={}\n\
         Wants=network-pre.target\n\
         After=network-pre.target netfilter-persistent.service nftables.service firewalld.service\n\
         Before=docker.service\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\n{starts}\n\
         [Install]\nWantedBy=multi-user.target\n",
        desired.deployment,
        quoted(&desired.root)
    ))
}

/// A path as one word of a unit (systemd.syntax(7)). In commands a `$` is doubled besides.
fn quoted(path: &Path) -> String {
    let text = path
        .to_string_lossy()
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%");
    format!("\"{text}\"")
}

async fn systemctl(arguments: &[&str]) -> Result<()> {
    run(&find("systemctl")?, arguments, None).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_sets_both_families_before_the_engine_starts() {
        let desired = Desired::nothing("foo.com".parse().unwrap(), "/srv/100% foo".into());
        let rules = Rules {
            v4: "*mangle".into(),
            v6: Some("*mangle".into()),
        };
        let (v4, v6) = (find("iptables-restore"), find("ip6tables-restore"));
        let (Ok(v4), Ok(v6)) = (v4, v6) else {
            eprintln!("SKIPPED: needs iptables");
            return;
        };
        assert_eq!(
            unit(&desired, &rules).unwrap(),
            format!(
                "[Unit]\n\
                 Description=Firewall of the workspaces of foo.com\n\
                 RequiresMountsFor=\"/srv/100%% foo\"\n\
                 Wants=network-pre.target\n\
                 After=network-pre.target netfilter-persistent.service nftables.service firewalld.service\n\
                 Before=docker.service\n\n\
                 [Service]\n\
                 Type=oneshot\n\
                 RemainAfterExit=yes\n\
                 ExecStart={} -w --noflush \"/srv/100%% foo/config/firewall/v4.rules\"\n\
                 ExecStart={} -w --noflush \"/srv/100%% foo/config/firewall/v6.rules\"\n\n\
                 [Install]\n\
                 WantedBy=multi-user.target\n",
                v4.display(),
                v6.display()
            )
        );
    }
}
