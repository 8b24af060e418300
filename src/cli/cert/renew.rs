//! `dtaas cert renew`: a new certificate, live without a restart.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use time::OffsetDateTime;

use super::{address, elsewhere, shown_now};
use crate::certificate::facts::{Facts, day};
use crate::certificate::shown::Shown;
use crate::cli::report::Report;
use crate::cli::run;
use crate::deployment::certificates;
use crate::deployment::{Deployment, Missing};
use crate::error::Failure;
use crate::platform::Certificate;
use crate::spec::model::Tls;
use crate::ui;
use crate::ui::prompt;

/// How long Traefik may take to show what was written.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Make a new certificate, or take the operator's new files over, and wait until the gateway shows it. Nothing is restarted.
#[derive(Debug, Args)]
pub struct Renew {
    /// Only when it is due: in its last 30 days, or when the gateway does not have it yet; for cron and timers.
    #[arg(long)]
    if_due: bool,
    /// Make a new authority as well, which browsers have to trust anew.
    #[arg(long, conflicts_with = "if_due")]
    authority: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

impl Renew {
    /// The certificate alone, without a question.
    pub fn now() -> Self {
        Self {
            if_due: false,
            authority: false,
            yes: true,
        }
    }

    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let deployment = Deployment::open(directory)?;
        if let Some(why_not) = self.nothing_to_renew(&deployment)? {
            ui::say(why_not);
            return Ok(());
        }
        if self.authority {
            prompt::confirm(
                "Make a new authority? (Browsers that trust the old one refuse the platform until they trust the new one.)",
                self.yes,
            )?;
        }
        let engine = run::engine_if_there(&deployment, "dtaas cert renew").await?;
        let (deployment, _lock) = Deployment::locked(directory, "dtaas cert renew", None)?;
        let is_up = match &engine {
            Some(engine) => deployment.is_up(engine).await?,
            None => false,
        };
        if is_up && !deployment.takes_certificate()? {
            return Err(Failure::new(format!(
                "the platform that is up was not made with tls.mode {} for {}",
                deployment.spec.tls.mode(),
                deployment.spec.domain
            ))
            .hint("`dtaas up` makes it so, certificate included; nothing was changed")
            .into());
        }
        let Some(renewed) = self.renewed(&deployment, OffsetDateTime::now_utc())? else {
            return Ok(());
        };
        let answers = is_up && shown_now(&deployment) != Shown::Nobody;
        deployment
            .render_certificate(&renewed.certificate)
            .context("the certificate was not written for the gateway")?;
        run::say_own_notes(&deployment, &Report::new(false));
        let end = match (is_up, answers) {
            _ if elsewhere(&deployment).is_some() => {
                "`dtaas up` brings it to the gateway's machine."
            }
            (true, true) => {
                wait(&deployment, &renewed.facts)?;
                "The gateway shows it."
            }
            (true, false) => "The gateway does not answer; `dtaas up` starts it with this one.",
            (false, _) => "The platform is down; `dtaas up` brings it up with this one.",
        };
        let facts = &renewed.facts;
        ui::say(format!(
            "The certificate of {} is serial {}, good until {}. {end}",
            deployment.spec.domain,
            facts.serial,
            day(facts.not_after)
        ));
        Ok(())
    }

    /// Why there is nothing for us to renew.
    fn nothing_to_renew(&self, deployment: &Deployment) -> anyhow::Result<Option<String>> {
        let of_ours = || {
            Failure::usage(format!(
                "with tls.mode {} there is no authority of ours",
                deployment.spec.tls.mode()
            ))
            .hint("leave out --authority")
        };
        match &deployment.spec.tls {
            Tls::SelfSigned => Ok(None),
            Tls::Off => Err(Failure::usage("tls.mode is off: there is no certificate")
                .hint("set tls.mode in dtaas.yaml, then run `dtaas up`")
                .into()),
            Tls::Files { .. } | Tls::Acme(_) if self.authority => Err(of_ours().into()),
            Tls::Files { .. } => Ok(None),
            Tls::Acme(_) => Ok(Some(
                "Traefik renews the certificate itself, 30 days before it ends; nothing was changed.".to_owned(),
            )),
        }
    }

    /// The certificate that the gateway is to show; `None` when all is well, which is said then.
    fn renewed(
        &self,
        deployment: &Deployment,
        now: OffsetDateTime,
    ) -> anyhow::Result<Option<Renewed>> {
        let certificate = match &deployment.spec.tls {
            Tls::SelfSigned => {
                let renew = match (self.authority, self.if_due) {
                    (true, _) => certificates::Renew::Authority,
                    (false, true) => certificates::Renew::Due,
                    (false, false) => certificates::Renew::Certificate,
                };
                Some(deployment.own_certificate(Missing::Keep, renew, now)?)
            }
            Tls::Files { .. } => deployment.certificate(Missing::Keep, now)?,
            Tls::Off | Tls::Acme(_) => None,
        };
        let Some(certificate) = certificate else {
            return Ok(None);
        };
        let facts = Facts::of_pem(&certificate.chain)
            .ok_or_else(|| Failure::new("the certificate cannot be read"))?;
        if deployment.is_rendered(&certificate)? {
            run::say_own_notes(deployment, &Report::new(false));
            let (until, left) = (day(facts.not_after), facts.days_left(now));
            ui::say(match &deployment.spec.tls {
                Tls::Files { .. } => format!(
                    "The files hold what the gateway has already, good until {until} ({left} days); nothing was changed."
                ),
                Tls::SelfSigned | Tls::Off | Tls::Acme(_) => {
                    format!(
                        "Not due: the certificate is good until {until} ({left} days); nothing was changed."
                    )
                }
            });
            return Ok(None);
        }
        Ok(Some(Renewed { certificate, facts }))
    }
}

struct Renewed {
    certificate: Certificate,
    facts: Facts,
}

/// Waits until a new connection is shown the certificate.
fn wait(deployment: &Deployment, facts: &Facts) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let shown = match shown_now(deployment) {
            Shown::Certificate(shown) if shown.sha256 == facts.sha256 => return Ok(()),
            Shown::Certificate(shown) => format!("it shows serial {}", shown.serial),
            Shown::Nobody => "nothing answers".to_owned(),
            Shown::Nothing(reason) => reason,
        };
        if begun.elapsed() >= PATIENCE {
            return Err(Failure::new(format!(
                "the certificate is written, and the gateway at {} does not show it within {} s: {shown}",
                address(deployment),
                PATIENCE.as_secs()
            ))
            .hint("`dtaas status` says how the gateway is, and its log why")
            .into());
        }
        std::thread::sleep(PAUSE);
    }
}
