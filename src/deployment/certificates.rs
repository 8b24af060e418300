//! The gateway's certificate: made or renewed where that is ours to do, checked where it is the operator's.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use time::OffsetDateTime;

use super::converge::paths_plan;
use super::{Deployment, Missing};
use crate::certificate::facts::{Facts, day, days_until};
use crate::certificate::pair::{self, Pair};
use crate::certificate::{RENEW_DAYS, own};
use crate::error::{Failure, failure_of};
use crate::machine::diff::Scope;
use crate::machine::plan::Plan;
use crate::platform::desired::Desired;
use crate::platform::{Certificate, gateway};
use crate::secrets::Secret;
use crate::spec::model::Tls;
use crate::spec::names::Domain;

/// Our authority's certificate, relative to the deployment: what browsers are to trust.
pub const AUTHORITY: &str = "secrets/tls/authority.pem";
/// Our own certificate, relative to the deployment.
pub const OWN: &str = "secrets/tls/cert.pem";

/// So many days before its end the operator is told that the authority will have to be trusted anew.
const AUTHORITY_DAYS: i64 = 90;

/// Traefik renews 30 days before the end; with fewer days left than this, something keeps it from that.
const ACME_DAYS: i64 = 20;

/// A certificate or a key is a few kB; more is something else.
const LARGEST: u64 = 1 << 20;

/// What of our own making is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renew {
    /// What is near its end, or does not fit any more.
    Due,
    /// The certificate.
    Certificate,
    /// The authority, and with it the certificate.
    Authority,
}

impl Deployment {
    /// The gateway's certificate, made or renewed where that is ours to do; `None` without TLS, and where Traefik comes by it
    /// itself. What the operator should know is noted.
    ///
    /// # Errors
    /// A usage failure when the operator's files cannot be used.
    pub fn certificate(
        &self,
        missing: Missing,
        now: OffsetDateTime,
    ) -> anyhow::Result<Option<Certificate>> {
        match &self.spec.tls {
            Tls::Off => Ok(None),
            Tls::Acme(_) => {
                self.note_traefiks_own(now);
                Ok(None)
            }
            Tls::Files { cert, key } => {
                let pair = operators(self.root(), &self.spec.domain, cert, key, now)?;
                let days = days_until(pair.ends, now);
                if days < RENEW_DAYS {
                    self.note(format!(
                        "the certificate in {} ends in {} ({}); replace tls.cert and tls.key, then run `dtaas cert renew`",
                        self.root().join(cert).display(),
                        in_days(days),
                        day(pair.ends)
                    ));
                }
                Ok(Some(pair.certificate))
            }
            Tls::SelfSigned => self.own_certificate(missing, Renew::Due, now).map(Some),
        }
    }

    /// Says when Traefik has no certificate, or should have renewed it long ago. Who cannot read its file is told nothing.
    fn note_traefiks_own(&self, now: OffsetDateTime) {
        match self.certificate_as_it_is() {
            Ok(None) => self.note(
                "Traefik has no certificate yet: it asks the ACME server when the platform is up, and until then browsers are \
                 shown one that they refuse; `dtaas cert show` says when it is there"
                    .to_owned(),
            ),
            Ok(Some((_, facts))) if facts.days_left(now) < 0 => self.note(format!(
                "Traefik's certificate has expired on {}; the gateway's log says why it was not renewed",
                day(facts.not_after)
            )),
            Ok(Some((_, facts))) if facts.days_left(now) < ACME_DAYS => self.note(format!(
                "Traefik's certificate ends in {} ({}), and should have been renewed by now; the gateway's log says why it was not",
                in_days(facts.days_left(now)),
                day(facts.not_after)
            )),
            Ok(Some(_)) | Err(_) => {}
        }
    }

    /// Our own certificate, with what was asked for made anew.
    pub fn own_certificate(
        &self,
        missing: Missing,
        renew: Renew,
        now: OffsetDateTime,
    ) -> anyhow::Result<Certificate> {
        let (name, domains) = (
            self.spec.name.as_str(),
            std::slice::from_ref(&self.spec.domain),
        );
        let authority = self.authority(missing, renew, now)?;
        let kept = self.read_pair("tls/cert.pem", "tls/key.pem")?;
        if let (Renew::Due, Some(certificate)) = (renew, kept)
            && own::serves(&certificate, &authority, name, domains, now)
        {
            return Ok(certificate);
        }
        let certificate = own::issue(&authority, name, domains, now)?;
        let (chain, key) = (certificate.chain.as_str(), certificate.key.expose());
        self.keep(missing, &[("tls/key.pem", key), ("tls/cert.pem", chain)])?;
        Ok(certificate)
    }

    fn authority(
        &self,
        missing: Missing,
        renew: Renew,
        now: OffsetDateTime,
    ) -> anyhow::Result<Certificate> {
        let kept = self.read_pair("tls/authority.pem", "tls/authority.key")?;
        let domains = std::slice::from_ref(&self.spec.domain);
        let reason = match &kept {
            None => None,
            Some(_) if renew == Renew::Authority => Some("as was asked for"),
            Some(kept) if !own::permits(&kept.chain, domains) => {
                Some("for the domain is another one")
            }
            // A run that was killed between the two files.
            Some(kept) if !pair::belong_together(kept) => {
                Some("for the old one's files do not belong together")
            }
            Some(kept) if !own::lasts(kept, now) => Some("before the old one ends"),
            Some(kept) => {
                if let Some(facts) = Facts::of_pem(&kept.chain)
                    && facts.days_left(now) < AUTHORITY_DAYS
                {
                    self.note(format!(
                        "the authority in {} ends in {} ({}), and a new one will have to be trusted anew; \
                         `dtaas cert renew --authority` makes it when that suits",
                        self.root().join(AUTHORITY).display(),
                        in_days(facts.days_left(now)),
                        day(facts.not_after)
                    ));
                }
                return Ok(kept.clone());
            }
        };
        let authority = own::authority(self.spec.name.as_str(), domains, now)?;
        let (chain, key) = (authority.chain.as_str(), authority.key.expose());
        self.keep(
            missing,
            &[("tls/authority.key", key), ("tls/authority.pem", chain)],
        )?;
        if let Some(reason) = reason {
            let (made, must) = match missing {
                Missing::Keep => ("was made", "must trust"),
                Missing::Pretend => ("would be made", "would have to trust"),
            };
            self.note(format!(
                "a new authority {made}, {reason}: browsers {must} {} anew",
                self.root().join(AUTHORITY).display()
            ));
        }
        Ok(authority)
    }

    /// What was rendered last for the gateway; `None` where nothing was.
    pub fn rendered_certificate(&self) -> anyhow::Result<Option<Certificate>> {
        let read = |name: &str| -> anyhow::Result<Option<String>> {
            let bytes = self.tree.read(&Path::new(gateway::PAIR).join(name))?;
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        Ok(match (read("cert.pem")?, read("key.pem")?) {
            (Some(chain), Some(key)) => Some(Certificate {
                chain,
                key: Secret::new(key),
            }),
            (None, _) | (_, None) => None,
        })
    }

    /// Whether a gateway that is up can take a certificate of what the spec says now: it was rendered with one for this domain.
    pub fn takes_certificate(&self) -> anyhow::Result<bool> {
        let rendered = self.rendered_certificate()?;
        let facts = rendered.and_then(|pair| Facts::of_pem(&pair.chain));
        Ok(facts.is_some_and(|facts| facts.is_for(&self.spec.domain)))
    }

    /// Writes the certificate for the gateway, and nothing else; it is live shortly afterwards.
    pub fn render_certificate(&self, certificate: &Certificate) -> anyhow::Result<Plan> {
        self.apply_paths(&self.desired_certificate(certificate)?, &Scope::All)
    }

    /// Whether the gateway's files hold this certificate, and the gateway was told to read it.
    pub fn is_rendered(&self, certificate: &Certificate) -> anyhow::Result<bool> {
        let desired = self.desired_certificate(certificate)?;
        Ok(paths_plan(&desired, &Scope::All)?.is_empty())
    }

    fn desired_certificate(&self, certificate: &Certificate) -> anyhow::Result<Desired> {
        let render = crate::platform::certificate;
        self.with_input(
            &self.all_here(),
            Missing::Keep,
            Some(certificate),
            "",
            render,
        )
    }

    /// Renews our own certificate in its last days, live where one is in use, and looks at the operator's files. Whatever is
    /// wrong with a certificate holds nothing else up: it is noted.
    pub fn keep_certificate(&self, now: OffsetDateTime) {
        let kept = || -> anyhow::Result<()> {
            if !self.takes_certificate()? {
                return Ok(());
            }
            let certificate = self.certificate(Missing::Keep, now)?;
            match (&self.spec.tls, certificate) {
                (Tls::SelfSigned, Some(certificate)) => {
                    self.render_certificate(&certificate).map(|_| ())
                }
                // New files of the operator's count when the operator says so.
                (Tls::Off | Tls::Files { .. } | Tls::Acme(_) | Tls::SelfSigned, _) => Ok(()),
            }
        };
        if let Err(error) = kept() {
            self.note(complaint(&error));
        }
    }

    /// The pair for looking at the rest: what cannot be used any more is noted, and what was rendered last stands in for it.
    pub(super) fn certificate_to_look(
        &self,
        now: OffsetDateTime,
    ) -> anyhow::Result<Option<Certificate>> {
        match (
            self.certificate(Missing::Pretend, now),
            self.rendered_certificate()?,
        ) {
            (Err(error), Some(rendered)) => {
                self.note(complaint(&error));
                Ok(Some(rendered))
            }
            (found, _) => found,
        }
    }

    /// The certificate that there is for the gateway, whether it can be used or not, and where it is kept; `None` where there
    /// is none yet. Makes and writes nothing.
    pub fn certificate_as_it_is(&self) -> anyhow::Result<Option<(PathBuf, Facts)>> {
        let (path, chain) = match &self.spec.tls {
            Tls::Off => return Ok(None),
            Tls::SelfSigned => match self.read_secret("tls/cert.pem")? {
                Some(chain) => (self.root().join(OWN), chain.expose().to_owned()),
                None => return Ok(None),
            },
            Tls::Files { cert, .. } => {
                let path = self.root().join(cert);
                let text = read("cert", &path)?;
                (path, text)
            }
            Tls::Acme(_) => {
                let file = Path::new(gateway::ACME).join(gateway::ACME_FILE);
                let path = self.root().join(&file);
                let Some(chain) = self
                    .tree
                    .read(&file)?
                    .and_then(|bytes| of_acme(&bytes, &self.spec.domain))
                else {
                    return Ok(None);
                };
                (path, chain)
            }
        };
        match Facts::of_pem(&chain) {
            Some(facts) => Ok(Some((path, facts))),
            None => Err(Failure::new(format!("{} holds no certificate that can be read", path.display()))
                .hint("`dtaas cert renew` makes ours anew; the operator's own is the operator's to replace")
                .into()),
        }
    }

    /// Our authority's certificate, PEM; `None` where there is none.
    pub fn authority_pem(&self) -> anyhow::Result<Option<String>> {
        let found = self.read_secret("tls/authority.pem")?;
        Ok(found.map(|pem| pem.expose().to_owned()))
    }

    pub(super) fn read_pair(&self, chain: &str, key: &str) -> anyhow::Result<Option<Certificate>> {
        Ok(match (self.read_secret(chain)?, self.read_secret(key)?) {
            (Some(chain), Some(key)) => Some(Certificate {
                chain: chain.expose().to_owned(),
                key,
            }),
            (None, _) | (_, None) => None,
        })
    }
}

/// The operator's pair, checked; the paths are relative to `root`, or absolute.
///
/// # Errors
/// A usage failure that names the file and what is wrong with it.
pub fn operators(
    root: &Path,
    domain: &Domain,
    cert: &Path,
    key: &Path,
    now: OffsetDateTime,
) -> anyhow::Result<Pair> {
    let (cert, key) = (root.join(cert), root.join(key));
    let chain = read("cert", &cert)?;
    let secret = Secret::new(read("key", &key)?);
    pair::check(&chain, &secret, domain, now).map_err(|fault| {
        let (name, path) = match fault.is_of_the_key() {
            true => ("key", &key),
            false => ("cert", &cert),
        };
        Failure::usage(format!("tls.{name}: {}: {fault}", path.display()))
            .hint(fault.hint())
            .into()
    })
}

fn read(name: &str, path: &Path) -> anyhow::Result<String> {
    let refused = || {
        Failure::usage(format!("tls.{name}: cannot read {}", path.display()))
            .hint("name PEM files that are there in dtaas.yaml, absolute or relative to it")
    };
    // Opening a FIFO would wait for whoever writes to it.
    let found = std::fs::metadata(path).with_context(refused)?;
    if !found.is_file() || found.len() > LARGEST {
        return Err(anyhow::anyhow!("it is no file of a certificate's size").context(refused()));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
        .with_context(refused)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is wrong and what to do, in one sentence.
fn complaint(error: &anyhow::Error) -> String {
    match failure_of(error).and_then(Failure::remedy) {
        Some(hint) => format!("{error:#}; {hint}"),
        None => format!("{error:#}"),
    }
}

fn in_days(days: i64) -> String {
    match days {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// The part of Traefik's file that we read: by resolver, the certificates (PEM, in base64) and what they are for.
type AcmeFile = std::collections::BTreeMap<String, AcmeAccount>;

#[derive(Deserialize)]
struct AcmeAccount {
    #[serde(rename = "Certificates")]
    certificates: Option<Vec<AcmeCertificate>>,
}

#[derive(Deserialize)]
struct AcmeCertificate {
    certificate: String,
}

fn of_acme(bytes: &[u8], domain: &Domain) -> Option<String> {
    let file: AcmeFile = serde_json::from_slice(bytes).ok()?;
    let certificates = file.get(gateway::RESOLVER)?.certificates.as_ref()?;
    certificates.iter().find_map(|found| {
        let pem = String::from_utf8(STANDARD.decode(&found.certificate).ok()?).ok()?;
        Facts::of_pem(&pem).filter(|facts| facts.is_for(domain))?;
        Some(pem)
    })
}
