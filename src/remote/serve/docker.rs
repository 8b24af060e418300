//! Docker from the distribution's packages.

use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use super::facts;
use crate::error::Failure;
use crate::machine::docker::Engine;
use crate::ui::printable::printable;

/// How long another run of the package manager is waited for, in seconds.
const LOCK: &str = "DPkg::Lock::Timeout=600";
/// How long the engine may take to answer once it is installed.
const TO_ANSWER: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(250);
/// How many of the last lines an error carries.
const LINES: usize = 5;

/// Installs it, unless it answers already; answers the engine's version. Once begun it is finished: a package manager that is
/// stopped half-way is a machine half-way.
pub(super) async fn install(note: &(dyn Fn(&str) + Sync)) -> Result<String> {
    if Engine::is_there()
        && let Ok(engine) = Engine::connect(None).await
    {
        return Ok(engine.facts().engine.clone());
    }
    let (distribution, release) = facts::distribution();
    if !matches!(distribution.as_str(), "debian" | "ubuntu") {
        return Err(Failure::new(format!(
            "docker is installed by this program on Debian and Ubuntu only, and this is {distribution} {release}"
        ))
        .hint("install docker there as its distribution says, then run this again")
        .into());
    }
    note("looking which packages there are");
    if let Err(error) = apt(&["update"], note).await {
        // What is known of packages may do.
        note(&format!("{error:#}"));
    }
    note("installing docker.io");
    apt(
        &["install", "-y", "--no-install-recommends", "docker.io"],
        note,
    )
    .await?;
    answers().await
}

async fn apt(words: &[&str], note: &(dyn Fn(&str) + Sync)) -> Result<()> {
    let what = format!("apt-get {}", words.join(" "));
    let mut child = Command::new("apt-get")
        .args(["-q", "-o", LOCK])
        .args(words)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {what}"))?;
    let last = Mutex::new(Vec::new());
    let out = follow(child.stdout.take(), note, &last);
    let err = follow(child.stderr.take(), note, &last);
    let (status, (), ()) = tokio::join!(child.wait(), out, err);
    let status = status.with_context(|| format!("cannot run {what}"))?;
    if status.success() {
        return Ok(());
    }
    let last = last.into_inner().unwrap_or_else(PoisonError::into_inner);
    Err(
        Failure::new(format!("{what} failed ({status}): {}", last.join(" / ")))
            .hint("mend that on the machine (apt-get update && apt-get install docker.io), then run this again")
            .into(),
    )
}

/// Tells line by line what a program says, and keeps the last ones.
async fn follow(
    stream: Option<impl AsyncRead + Unpin>,
    note: &(dyn Fn(&str) + Sync),
    last: &Mutex<Vec<String>>,
) {
    let Some(stream) = stream else {
        return;
    };
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let line = printable(line.trim());
        if line.is_empty() {
            continue;
        }
        note(&line);
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LINES {
            last.remove(0);
        }
        last.push(line.into_owned());
    }
}

/// Waits until the engine answers.
async fn answers() -> Result<String> {
    let end = Instant::now() + TO_ANSWER;
    loop {
        match Engine::connect(None).await {
            Ok(engine) => return Ok(engine.facts().engine.clone()),
            Err(_) if Instant::now() < end => tokio::time::sleep(PAUSE).await,
            Err(error) => {
                return Err(error.context(
                    Failure::new("docker is installed, and does not answer")
                        .hint("start it there (systemctl enable --now docker; its log: journalctl -u docker), then run this again"),
                ));
            }
        }
    }
}
