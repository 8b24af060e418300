//! What `doctor --fix` does on one machine, besides what `up` does.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

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

/// Does these, one after another; what fails holds no other up.
pub async fn mend(fixes: Vec<Fix>) -> Vec<Mended> {
    let mut all = Vec::new();
    for fix in fixes {
        let failure = one(&fix).await.err().as_ref().map(StepFailure::of);
        all.push(Mended { fix, failure });
    }
    all
}

async fn one(fix: &Fix) -> Result<()> {
    match fix {
        // Those are the whole deployment's, and not done here.
        Fix::Up | Fix::RenewCertificate => Ok(()),
        Fix::StartDocker => program("systemctl", &["enable", "--now", "docker"]).await,
        Fix::KeepClock => program("timedatectl", &["set-ntp", "true"]).await,
        Fix::Sysctl { key, value } => sysctl(key, value).await,
        Fix::Restart { container } => {
            Engine::connect(None)
                .await?
                .restart_container(container)
                .await
        }
    }
}

async fn sysctl(key: &str, value: &str) -> Result<()> {
    program("sysctl", &["-q", "-w", &format!("{key}={value}")]).await?;
    let directory = Path::new(SETTINGS);
    if !directory.is_dir() {
        return Ok(());
    }
    let name = format!("90-dtaas-{}.conf", key.rsplit('.').next().unwrap_or(key));
    let text = format!("# Set by dtaas doctor --fix.\n{key} = {value}\n");
    Tree::open(directory)?.write(Path::new(&name), 0o644, text.as_bytes())?;
    Ok(())
}

async fn program(name: &str, arguments: &[&str]) -> Result<()> {
    run(&find(name)?, arguments, None).await.map(|_| ())
}
