//! What `doctor --fix` does on one machine, besides what `up` does.

use std::path::Path;

use anyhow::Result;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Fix;
use crate::machine::docker::Engine;
use crate::machine::event::StepFailure;
use crate::machine::files::Tree;
use crate::machine::firewall::{find, run};

/// Where systemd and procps look for settings of the kernel (sysctl.d(5)).
const SETTINGS: &str = "/etc/sysctl.d";

/// What came of a fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mended {
    /// What was to be done.
    pub fix: Fix,
    /// Why it could not be done.
    pub failure: Option<StepFailure>,
}

/// How many are done at a time.
const SIDE_BY_SIDE: usize = 8;

/// Does these; what fails holds no other up. Told to stop, what is under way is finished and no other begun.
pub async fn mend(fixes: Vec<Fix>, stop: watch::Receiver<bool>) -> Vec<Mended> {
    let all = fixes.into_iter().map(|fix| {
        let stop = stop.clone();
        async move {
            let failure = match *stop.borrow() {
                true => Some(StepFailure {
                    message: "interrupted before it was begun".to_owned(),
                    hint: None,
                }),
                false => None,
            };
            let failure = match failure {
                Some(failure) => Some(failure),
                None => one(&fix).await.err().as_ref().map(StepFailure::of),
            };
            Mended { fix, failure }
        }
    });
    futures_util::stream::iter(all)
        .buffered(SIDE_BY_SIDE)
        .collect()
        .await
}

async fn one(fix: &Fix) -> Result<()> {
    match fix {
        // Those are the whole deployment's, and not done here.
        Fix::Up | Fix::RenewCertificate => Ok(()),
        Fix::StartDocker => program("systemctl", &["enable", "--now", "docker"]).await,
        Fix::KeepClock => program("timedatectl", &["set-ntp", "true"]).await,
        Fix::Sysctl { key, value } => sysctl(key, value).await,
        Fix::Restart { container, owner } => {
            let engine = Engine::connect(None).await?;
            let own = engine.require_own(container, owner).await?;
            engine.restart_container(&own.id).await
        }
    }
}

async fn sysctl(key: &str, value: &str) -> Result<()> {
    program("sysctl", &["-q", "-w", &format!("{key}={value}")]).await?;
    let directory = Path::new(SETTINGS);
    if !directory.is_dir() {
        return Ok(());
    }
    let name = format!("99-zz-dtaas-{}.conf", key.rsplit('.').next().unwrap_or(key));
    let text = format!("# Set by dtaas doctor --fix.\n{key} = {value}\n");
    Tree::open(directory)?.write(Path::new(&name), 0o644, text.as_bytes())?;
    Ok(())
}

async fn program(name: &str, arguments: &[&str]) -> Result<()> {
    run(&find(name)?, arguments, None).await.map(|_| ())
}
