//! What a check found.

use serde::{Deserialize, Serialize};

use crate::error::failure_of;
use crate::machine::event::StepFailure;
use crate::machine::observed::Owner;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something does not work, or someone can reach what they must not.
    Error,
    /// Something will stop working, or works worse than it could.
    Warning,
    /// Something to know.
    Note,
}

/// What `doctor --fix` does about a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Fix {
    /// What `up` does: nothing that loses someone's work.
    Up,
    /// Start the docker engine, and have it start with the machine.
    StartDocker,
    /// Set a value of the kernel's, now and at every start.
    Sysctl {
        /// Its name, such as `net.ipv4.ip_forward`.
        key: String,
        /// What it is set to.
        value: String,
    },
    /// Have systemd keep the clock right.
    KeepClock,
    /// Restart a container, which keeps what is in it.
    Restart {
        /// Its name.
        container: String,
        /// Whose it must be.
        owner: Owner,
    },
    /// Make the certificate anew.
    RenewCertificate,
}

impl Fix {
    /// Whether it is done on the machine itself, and not for the whole deployment.
    pub fn is_of_machine(&self) -> bool {
        match self {
            Fix::Up | Fix::RenewCertificate => false,
            Fix::StartDocker | Fix::Sysctl { .. } | Fix::KeepClock | Fix::Restart { .. } => true,
        }
    }

    /// What is done, as a verb.
    pub fn describe(&self) -> String {
        match self {
            Fix::Up => "does what `dtaas up` does".to_owned(),
            Fix::StartDocker => "starts docker (systemctl enable --now docker)".to_owned(),
            Fix::Sysctl { key, value } => format!("sets {key} to {value}, now and at every start"),
            Fix::KeepClock => "has systemd keep the clock (timedatectl set-ntp true)".to_owned(),
            Fix::Restart { container, .. } => format!("restarts {container}"),
            Fix::RenewCertificate => "makes the certificate anew (`dtaas cert renew`)".to_owned(),
        }
    }
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check that found it, such as `ports`.
    pub check: String,
    /// How bad it is.
    pub severity: Severity,
    /// On which machine, where there are several or another than this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// What was seen, word for word where it is short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// What to do next.
    pub remedy: String,
    /// What `--fix` does about it, where it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

impl Finding {
    /// A finding without evidence or fix.
    pub fn new(
        check: &str,
        severity: Severity,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            check: check.to_owned(),
            severity,
            machine: None,
            message: message.into(),
            evidence: None,
            remedy: remedy.into(),
            fix: None,
        }
    }

    /// An error that something else met.
    pub fn of(check: &str, error: &anyhow::Error) -> Self {
        let StepFailure { message, hint } = StepFailure::of(error);
        let remedy = hint.unwrap_or_else(|| match failure_of(error) {
            Some(_) => "mend that, then run `dtaas doctor` again".to_owned(),
            None => "see what the machine's log says of it (journalctl -e)".to_owned(),
        });
        Self::new(check, Severity::Error, message, remedy)
    }

    /// With what was seen.
    #[must_use]
    pub fn seen(mut self, evidence: impl Into<String>) -> Self {
        self.evidence = Some(evidence.into());
        self
    }

    /// With what `--fix` does.
    #[must_use]
    pub fn fixed_by(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}
