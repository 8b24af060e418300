//! Running programs of the machine: the packet filter's, `ip`, `systemctl`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::error::Failure;

/// How long a command may take; it may have to wait for another's lock.
const TO_RUN: Duration = Duration::from_secs(60);

/// Finds a program where root's programs are, whatever the PATH of whoever runs us.
pub(crate) fn find(program: &str) -> Result<PathBuf> {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let mut path = own.clone();
    path.push(":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin");
    which::which_in_global(program, Some(path))
        .ok()
        .and_then(|mut found| found.next())
        .ok_or_else(|| {
            Failure::new(format!("{program} is not installed"))
                .hint(format!(
                    "install it with: apt-get install {}",
                    package(program)
                ))
                .into()
        })
}

/// The package of Debian and Ubuntu that has a program.
fn package(program: &str) -> &'static str {
    match program {
        "ip" => "iproute2",
        "systemctl" => "systemd",
        // All else that is looked for here is the packet filter's.
        _ => "iptables",
    }
}

/// Runs a program to its end; answers with what it wrote.
pub(crate) async fn run(program: &Path, arguments: &[&str], input: Option<&str>) -> Result<String> {
    let shown = || format!("{} {}", program.display(), arguments.join(" "));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {}", shown()))?;
    let pipe = child.stdin.take();
    let finished = async {
        if let (Some(mut pipe), Some(input)) = (pipe, input) {
            // A program that ends early says why by itself.
            let _ = pipe.write_all(input.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(TO_RUN, finished).await {
        Ok(output) => output.with_context(|| format!("cannot run {}", shown()))?,
        Err(_) => {
            return Err(Failure::new(format!(
                "{} did not end within {} s",
                shown(),
                TO_RUN.as_secs()
            ))
            .into());
        }
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("{} failed: {}", shown(), said.trim())).into())
}
