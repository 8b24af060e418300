//! Docker from the distribution's packages, on Debian and Ubuntu.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::process::Command;

use crate::error::Failure;
use crate::machine::docker::Engine;

/// How long the engine may take to answer once it is installed.
const TO_ANSWER: Duration = Duration::from_secs(60);
/// How often it is asked.
const LOOK: Duration = Duration::from_millis(250);

/// Installs docker and waits until its engine answers. `say` is told what is done.
///
/// # Errors
/// On another distribution, and when the package manager or the engine fails.
pub(super) async fn install(say: &(dyn Fn(&str) + Sync)) -> anyhow::Result<()> {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !is_known(&release) {
        return Err(Failure::new(format!(
            "docker is installed here on Debian and Ubuntu alone, and this is {}",
            name(&release)
        ))
        .hint("install docker on that machine by its own means, then run the same command again")
        .into());
    }
    say("installing docker from the distribution's packages");
    apt(&["update", "-q"]).await?;
    apt(&[
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        "docker.io",
        "iptables",
        "ca-certificates",
    ])
    .await?;
    let begun = Instant::now();
    loop {
        match Engine::connect(None).await {
            Ok(_) => return Ok(()),
            Err(error) if begun.elapsed() > TO_ANSWER => {
                return Err(error.context(
                    Failure::new("docker is installed, and its engine does not answer").hint(
                        "see why on that machine: systemctl status docker, journalctl -u docker",
                    ),
                ));
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

fn value<'a>(release: &'a str, key: &str) -> Option<&'a str> {
    release
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .map(|value| value.trim_matches('"'))
}

fn is_known(release: &str) -> bool {
    matches!(value(release, "ID"), Some("debian" | "ubuntu"))
}

fn name(release: &str) -> &str {
    value(release, "PRETTY_NAME").unwrap_or("something else")
}

async fn apt(words: &[&str]) -> anyhow::Result<()> {
    let ran = Command::new("apt-get")
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(words)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("NEEDRESTART_SUSPEND", "1")
        .stdin(Stdio::null())
        .kill_on_drop(false)
        .output()
        .await
        .context("apt-get cannot be run")?;
    if ran.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    let last = said.lines().last().unwrap_or("it said nothing");
    Err(Failure::new(format!("apt-get {} failed: {last}", words.join(" ")))
        .hint("mend that on the machine (its package sources, its disk), then run the same command again")
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_told_apart() {
        assert!(is_known("NAME=x\nID=debian\n"));
        assert!(is_known("ID=\"ubuntu\"\n"));
        assert!(!is_known("ID=fedora\nID_LIKE=debian\n"));
        assert_eq!(name("PRETTY_NAME=\"Fedora Linux 43\"\n"), "Fedora Linux 43");
    }
}
