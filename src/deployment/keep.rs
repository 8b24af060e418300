//! Secrets and certificates: read where they are kept, made where they are missing.

use std::path::Path;

use anyhow::Context;
use time::OffsetDateTime;

use super::{Deployment, Missing, private};
use crate::certificate;
use crate::error::Failure;
use crate::platform::Certificate;
use crate::secrets::{DeploymentSecrets, Secret};
use crate::spec::model::Tls;

impl Deployment {
    /// The deployment's secrets; those that are missing are made.
    pub fn secrets(&self, missing: Missing) -> anyhow::Result<DeploymentSecrets> {
        DeploymentSecrets::read(|name, length| match self.read_secret(name)? {
            Some(secret) => Ok(secret),
            None => {
                let secret = Secret::generate(length);
                self.keep(missing, &[(name, secret.expose())])?;
                Ok(secret)
            }
        })
    }

    /// The gateway's certificate, made or renewed where that is ours to do; `None` without TLS.
    pub fn certificate(
        &self,
        missing: Missing,
        now: OffsetDateTime,
    ) -> anyhow::Result<Option<Certificate>> {
        match &self.spec.tls {
            Tls::Off => Ok(None),
            Tls::Files { cert, key } => self.operators_certificate(cert, key).map(Some),
            Tls::SelfSigned => self.own_certificate(missing, now).map(Some),
        }
    }

    fn own_certificate(
        &self,
        missing: Missing,
        now: OffsetDateTime,
    ) -> anyhow::Result<Certificate> {
        let kept = self.read_pair("tls/cert.pem", "tls/key.pem")?;
        if let Some(certificate) = kept
            && certificate::serves(&certificate.chain, &self.spec.domain, now)
        {
            return Ok(certificate);
        }
        let authority = match self.read_pair("tls/authority.pem", "tls/authority.key")? {
            Some(authority) if certificate::permits(&authority.chain, &self.spec.domain) => {
                authority
            }
            Some(_) | None => {
                let authority =
                    certificate::authority(self.spec.name.as_str(), &self.spec.domain, now)?;
                let (chain, key) = (authority.chain.as_str(), authority.key.expose());
                self.keep(
                    missing,
                    &[("tls/authority.key", key), ("tls/authority.pem", chain)],
                )?;
                authority
            }
        };
        let certificate = certificate::issue(&authority, &self.spec.domain, now)?;
        let (chain, key) = (certificate.chain.as_str(), certificate.key.expose());
        self.keep(missing, &[("tls/key.pem", key), ("tls/cert.pem", chain)])?;
        Ok(certificate)
    }

    fn operators_certificate(&self, cert: &Path, key: &Path) -> anyhow::Result<Certificate> {
        let read = |name: &str, path: &Path, mark: &str| {
            let path = self.root().join(path);
            let text = std::fs::read_to_string(&path).with_context(|| {
                Failure::usage(format!("tls.{name}: cannot read {}", path.display()))
                    .hint("name PEM files that are there in dtaas.yaml, absolute or relative to it")
            })?;
            if !text.contains(mark) {
                return Err(Failure::usage(format!(
                    "tls.{name}: {} holds no PEM {mark}",
                    path.display()
                ))
                .hint("name a PEM file; one that begins with -----BEGIN")
                .into());
            }
            anyhow::Ok(text)
        };
        Ok(Certificate {
            chain: read("cert", cert, "CERTIFICATE")?,
            key: Secret::new(read("key", key, "PRIVATE KEY")?),
        })
    }

    fn read_pair(&self, chain: &str, key: &str) -> anyhow::Result<Option<Certificate>> {
        Ok(match (self.read_secret(chain)?, self.read_secret(key)?) {
            (Some(chain), Some(key)) => Some(Certificate {
                chain: chain.expose().to_owned(),
                key,
            }),
            (None, _) | (_, None) => None,
        })
    }

    fn read_secret(&self, name: &str) -> anyhow::Result<Option<Secret>> {
        let path = Path::new("secrets").join(name);
        let Some(bytes) = self.tree.read(&path)? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes)
            .ok()
            .filter(|text| !text.trim().is_empty())
            .ok_or_else(|| {
                Failure::new(format!("{} is damaged", self.root().join(&path).display()))
            })?;
        // A secret is one line; a certificate ends with its line's end.
        Ok(Some(Secret::new(match text.contains("-----BEGIN") {
            true => text,
            false => text.trim_end().to_owned(),
        })))
    }

    fn keep(&self, missing: Missing, secrets: &[(&str, &str)]) -> anyhow::Result<()> {
        if missing == Missing::Pretend {
            return Ok(());
        }
        for directory in ["secrets", "secrets/tls"] {
            self.tree.make_dir(&private(directory))?;
        }
        for (name, text) in secrets {
            self.tree
                .write(&Path::new("secrets").join(name), 0o600, text.as_bytes())?;
        }
        Ok(())
    }
}
