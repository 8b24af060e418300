//! `dtaas cert show`: what the certificate says, and whether it is what the gateway shows.

use std::path::Path;

use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{address, shown_now};
use crate::certificate::facts::Facts;
use crate::certificate::shown::Shown;
use crate::deployment::Deployment;
use crate::deployment::certificates::AUTHORITY;
use crate::error::Failure;
use crate::spec::model::Tls;
use crate::ui;

/// Show the gateway's certificate: for whom, by whom, until when, and whether the running gateway shows it. Writes nothing.
#[derive(Debug, Args)]
pub struct Show {
    /// Give it as JSON.
    #[arg(long, conflicts_with = "authority")]
    json: bool,
    /// Give the authority's certificate (PEM) instead: what browsers are to trust.
    #[arg(long)]
    authority: bool,
}

#[derive(Serialize)]
struct Report {
    mode: &'static str,
    /// The domain that it is to be for.
    domain: String,
    certificate: Option<Described>,
    gateway: Gateway,
    authority: Option<Described>,
}

/// A certificate, for people and programs.
#[derive(Serialize)]
struct Described {
    path: String,
    subject: String,
    names: Vec<String>,
    issuer: String,
    serial: String,
    sha256: String,
    not_before: String,
    not_after: String,
    days_left: i64,
}

/// What the running gateway does with it.
#[derive(Serialize)]
struct Gateway {
    /// Where it was asked; absent without TLS.
    address: Option<String>,
    state: State,
    /// The serial of what it shows.
    serial: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// It shows this certificate.
    Same,
    /// It shows another one.
    Other,
    /// It is not up.
    Down,
    /// It shows none: the reason.
    Silent(String),
    /// There is no TLS.
    Off,
}

impl Show {
    /// Runs the command.
    pub fn run(self, directory: &Path) -> anyhow::Result<()> {
        let deployment = Deployment::open(directory)?;
        if self.authority {
            return authority(&deployment);
        }
        let report = report(&deployment)?;
        if self.json {
            return ui::json(&report);
        }
        ui::data(text(&report));
        talk(&deployment, &report);
        Ok(())
    }
}

fn authority(deployment: &Deployment) -> anyhow::Result<()> {
    let found = match &deployment.spec.tls {
        Tls::SelfSigned => deployment.authority_pem()?,
        Tls::Off | Tls::Files { .. } | Tls::Acme(_) => {
            return Err(Failure::usage(format!(
                "with tls.mode {} there is no authority of ours",
                deployment.spec.tls.mode()
            ))
            .hint("it is made with tls.mode self-signed")
            .into());
        }
    };
    let Some(pem) = found else {
        return Err(Failure::new("there is no authority yet")
            .hint("`dtaas render` or `dtaas up` makes it")
            .into());
    };
    ui::data(pem.trim_end());
    Ok(())
}

fn report(deployment: &Deployment) -> anyhow::Result<Report> {
    let now = OffsetDateTime::now_utc();
    let spec = &deployment.spec;
    let found = deployment.certificate_as_it_is()?;
    let authority = match &spec.tls {
        Tls::SelfSigned => deployment.authority_pem()?,
        Tls::Off | Tls::Files { .. } | Tls::Acme(_) => None,
    };
    let authority = authority.and_then(|pem| Facts::of_pem(&pem));
    Ok(Report {
        mode: spec.tls.mode(),
        domain: spec.domain.to_string(),
        gateway: gateway(deployment, found.as_ref().map(|(_, facts)| facts)),
        certificate: found.map(|(path, facts)| described(&path, facts, now)),
        authority: authority.map(|facts| described(&deployment.root().join(AUTHORITY), facts, now)),
    })
}

fn gateway(deployment: &Deployment, facts: Option<&Facts>) -> Gateway {
    if !deployment.spec.tls.is_on() {
        return Gateway {
            address: None,
            state: State::Off,
            serial: None,
        };
    }
    let (state, serial) = match shown_now(deployment) {
        Shown::Certificate(shown) => {
            let same = facts.is_some_and(|facts| facts.sha256 == shown.sha256);
            let state = if same { State::Same } else { State::Other };
            (state, Some(shown.serial))
        }
        Shown::Nobody => (State::Down, None),
        Shown::Nothing(reason) => (State::Silent(reason), None),
    };
    Gateway {
        address: Some(address(deployment)),
        state,
        serial,
    }
}

fn described(path: &Path, facts: Facts, now: OffsetDateTime) -> Described {
    let time = |time: OffsetDateTime| time.format(&Rfc3339).unwrap_or_else(|_| time.to_string());
    Described {
        path: path.display().to_string(),
        not_before: time(facts.not_before),
        not_after: time(facts.not_after),
        days_left: facts.days_left(now),
        subject: facts.subject,
        names: facts.names,
        issuer: facts.issuer,
        serial: facts.serial,
        sha256: facts.sha256,
    }
}

fn text(report: &Report) -> String {
    let mut lines = vec![format!("mode         {}", report.mode)];
    match &report.certificate {
        Some(certificate) => lines.extend(rows("certificate", certificate)),
        None if report.gateway.state == State::Off => {}
        None => lines.push("certificate  none yet".to_owned()),
    }
    let at = report.gateway.address.as_deref().unwrap_or_default();
    let serial = report.gateway.serial.as_deref().unwrap_or_default();
    lines.push(match &report.gateway.state {
        State::Same => format!("gateway      shows this one at {at}"),
        State::Other => format!("gateway      shows another one at {at}, serial {serial}"),
        State::Down => format!("gateway      nothing answers at {at}: the platform is down"),
        State::Silent(reason) => format!("gateway      shows none at {at}: {reason}"),
        State::Off => {
            "gateway      speaks plain http: passwords and files can be read on their way"
                .to_owned()
        }
    });
    if let Some(authority) = &report.authority {
        lines.push(String::new());
        lines.extend(rows("authority", authority));
    }
    lines.join("\n")
}

fn rows(name: &str, described: &Described) -> Vec<String> {
    let left = match described.days_left {
        i64::MIN..=-1 => "  it has expired".to_owned(),
        1 => "  1 day left".to_owned(),
        days => format!("  {days} days left"),
    };
    [
        (name, described.path.clone()),
        ("  subject", described.subject.clone()),
        ("  names", described.names.join(", ")),
        ("  issuer", described.issuer.clone()),
        ("  serial", described.serial.clone()),
        ("  sha256", described.sha256.clone()),
        ("  from", described.not_before.clone()),
        ("  until", format!("{}{left}", described.not_after)),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| format!("{name:<11}  {value}"))
    .collect()
}

/// What can be done next.
fn talk(deployment: &Deployment, report: &Report) {
    match (&report.gateway.state, &deployment.spec.tls) {
        (State::Other, Tls::SelfSigned | Tls::Files { .. }) => {
            ui::say("`dtaas cert renew` makes the gateway show what is in the deployment.");
        }
        (State::Other, Tls::Acme(_)) => {
            ui::say(
                "Traefik shows another one until the ACME server has signed; what keeps it from that is in the gateway's log.",
            );
        }
        (State::Same | State::Down | State::Silent(_) | State::Off, _)
        | (State::Other, Tls::Off) => {}
    }
    if let Some(authority) = &report.authority {
        let name = &deployment.spec.name;
        ui::say(format!(
            "To trust the authority: compare its sha256 on the other machine. On Debian and Ubuntu copy it to \
             /usr/local/share/ca-certificates/dtaas-{name}.crt and run update-ca-certificates; Firefox and Chromium \
             import it in their settings, under certificates, authorities. It signs for {} alone. \
             `dtaas cert show --authority` prints it, from {}.",
            report.domain, authority.path
        ));
    }
}
