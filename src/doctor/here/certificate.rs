//! The gateway's certificate: that it is there, for the domain, and good for long enough.

use time::OffsetDateTime;

use crate::certificate::facts::{Facts, day};
use crate::deployment::Deployment;
use crate::doctor::{Finding, Fix, Severity};
use crate::spec::model::Tls;

pub(super) const NAME: &str = "certificate";

/// From so many days before its end it is renewed.
const SOON: i64 = 30;
/// The operator's own is told of when so many are left.
const SOON_BY_HAND: i64 = 14;

pub(super) fn check(deployment: &Deployment) -> Vec<Finding> {
    let spec = &deployment.spec;
    if !spec.tls.is_on() {
        let message = "TLS is off: passwords and files can be read on their way";
        let remedy = "set tls.mode in dtaas.yaml (self-signed, files or acme), then `dtaas up`; or have a proxy in front that speaks TLS";
        return match spec.domain.as_str() {
            "localhost" => Vec::new(),
            _ => vec![Finding::new(NAME, Severity::Warning, message, remedy)],
        };
    }
    let facts = match deployment.certificate_as_it_is() {
        Ok(Some((_, facts))) => facts,
        // `up` makes it, or Traefik does.
        Ok(None) => return Vec::new(),
        Err(error) => {
            let found = Finding::of(NAME, &error);
            return vec![match spec.tls {
                Tls::SelfSigned => found.fixed_by(Fix::RenewCertificate),
                Tls::Off | Tls::Files { .. } | Tls::Acme(_) => found,
            }];
        }
    };
    of_facts(deployment, &facts, OffsetDateTime::now_utc())
}

fn of_facts(deployment: &Deployment, facts: &Facts, now: OffsetDateTime) -> Vec<Finding> {
    let spec = &deployment.spec;
    let (soon, remedy, fix) = match &spec.tls {
        Tls::Off => return Vec::new(),
        Tls::SelfSigned => (SOON, "`dtaas cert renew`", Some(Fix::RenewCertificate)),
        Tls::Files { .. } => (
            SOON_BY_HAND,
            "replace the files that tls.cert and tls.key name, then `dtaas cert renew`",
            None,
        ),
        Tls::Acme(_) => (
            SOON_BY_HAND,
            "see why Traefik could not renew it: docker logs of the gateway; the ACME server must reach port 80 or 443",
            None,
        ),
    };
    let days = facts.days_left(now);
    let ends = format!(
        "it is good until {}, serial {}",
        day(facts.not_after),
        facts.serial
    );
    let mut found = Vec::new();
    let mut add = |severity, message: String, evidence: String| {
        let finding = Finding::new(NAME, severity, message, remedy).seen(evidence);
        found.push(match &fix {
            Some(fix) => finding.fixed_by(fix.clone()),
            None => finding,
        });
    };
    if !facts.is_for(&spec.domain) {
        let names = facts.names.join(", ");
        let message = format!("the certificate is not for {}", spec.domain);
        add(Severity::Error, message, format!("it is for {names}"));
    }
    if now >= facts.not_after {
        let message = format!("the certificate of {} has expired", spec.domain);
        add(Severity::Error, message, ends);
    } else if now < facts.not_before {
        let message = format!(
            "the certificate of {} is not good yet: it, or this clock, is wrong",
            spec.domain
        );
        let from = format!("it is good from {}", day(facts.not_before));
        add(Severity::Error, message, from);
    } else if days < soon {
        let message = format!("the certificate of {} ends in {days} days", spec.domain);
        add(Severity::Warning, message, ends);
    }
    found
}
