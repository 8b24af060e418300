//! A deployment directory: read whole, checked, and turned into what its machine should have.

pub mod converge;
pub mod init;
pub mod users;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use time::OffsetDateTime;

use crate::auth::store;
use crate::certificate;
use crate::error::Failure;
use crate::machine::files::Tree;
use crate::machine::image;
use crate::platform::desired::{Component, Desired, Directory};
use crate::platform::{self, Certificate, Input, naming};
use crate::profile::{self, Profile};
use crate::render::Templates;
use crate::secrets::{DeploymentSecrets, Secret};
use crate::spec::load;
use crate::spec::model::{Spec, Tls};
use crate::spec::names::UserName;

/// Whether secrets and certificates that are missing may be written. A plan makes them in memory only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Make them and keep them.
    Keep,
    /// Make them for this once.
    Pretend,
}

/// A deployment that was read and checked.
pub struct Deployment {
    /// Its directory.
    pub tree: Tree,
    /// What the operator wrote.
    pub spec: Spec,
    /// Where everything runs.
    pub profile: Profile,
    templates: Templates,
}

impl Deployment {
    /// Reads the deployment in a directory.
    ///
    /// # Errors
    /// A usage failure that lists everything that is wrong with the spec.
    pub fn open(directory: &Path) -> anyhow::Result<Self> {
        let spec = load::load(directory)?;
        Self::with_spec(directory, spec)
    }

    /// The same for a spec that is not written yet.
    pub fn with_spec(directory: &Path, spec: Spec) -> anyhow::Result<Self> {
        let root = std::fs::canonicalize(directory)
            .with_context(|| format!("cannot open {}", directory.display()))?;
        let (profile, templates) = Self::beside(&root, &spec)?;
        Ok(Self {
            tree: Tree::open(&root)?,
            spec,
            profile,
            templates,
        })
    }

    /// What counts besides the spec: its profile, and the operator's own templates. The directory need not exist.
    fn beside(directory: &Path, spec: &Spec) -> anyhow::Result<(Profile, Templates)> {
        let profile = profile::load(directory, &spec.profile)?;
        let templates = Templates::new(&replacements(directory)?).map_err(Failure::from)?;
        Ok((profile, templates))
    }

    /// Its directory, absolute.
    pub fn root(&self) -> &Path {
        self.tree.root()
    }

    /// Users' htpasswd entries, without the line's end.
    ///
    /// # Errors
    /// When one is damaged: its file and the reason.
    pub fn entries(&self) -> anyhow::Result<BTreeMap<UserName, Secret>> {
        let directory = self.root().join("auth");
        let listing = match store::list(&directory) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(BTreeMap::new());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", directory.display()));
            }
        };
        if let Some(problem) = listing.problems.first() {
            return Err(Failure::new(problem.to_string())
                .hint(
                    "set the user's password anew with `dtaas user passwd`, or move the file away",
                )
                .into());
        }
        let entry = |entry: store::Entry| {
            let line = format!("{}:{}", entry.user, entry.hash.expose());
            (entry.user, Secret::new(line))
        };
        Ok(listing.entries.into_iter().map(entry).collect())
    }

    /// The deployment's secrets; those that are missing are made.
    pub fn secrets(&self, missing: Missing) -> anyhow::Result<DeploymentSecrets> {
        DeploymentSecrets::read(|name| {
            let length = DeploymentSecrets::FILES
                .iter()
                .find(|(known, _)| *known == name)
                .map_or(40, |(_, length)| *length);
            match self.read_secret(name)? {
                Some(secret) => Ok(secret),
                None => {
                    let secret = Secret::generate(length);
                    self.keep(missing, &[(name, secret.expose())])?;
                    Ok(secret)
                }
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

    /// What the machine should have.
    pub fn desired(&self, missing: Missing) -> anyhow::Result<Desired> {
        self.with_input(missing, platform::machine)
    }

    /// What the machine should have of one user.
    pub fn desired_of(&self, user: &UserName, missing: Missing) -> anyhow::Result<Desired> {
        self.with_input(missing, |input| platform::user(input, user))
    }

    /// The website's address.
    pub fn page(&self) -> String {
        let base = self.spec.base_path.path("");
        let url = platform::url(&self.spec);
        match base.strip_prefix('/') {
            Some(base) => format!("{url}{base}/"),
            None => url,
        }
    }

    /// The address of a user's workspace.
    pub fn workspace_page(&self, user: &UserName) -> String {
        format!("{}{user}/lab", self.page())
    }

    /// Fails where what the platform's containers read is not root's: they run as root without the right to read others' files.
    pub fn require_roots_own(&self) -> anyhow::Result<()> {
        for name in ["auth", "secrets", "config"] {
            if let Some(found) = self.tree.stat(Path::new(name))?
                && found.owner.0 != 0
            {
                let path = self.root().join(name);
                return Err(Failure::new(format!(
                    "{} belongs to user {}, not to root",
                    path.display(),
                    found.owner.0
                ))
                .hint(format!(
                    "chown -R root:root {}",
                    ["auth", "secrets", "config"]
                        .map(|name| self.root().join(name).display().to_string())
                        .join(" ")
                ))
                .into());
            }
        }
        Ok(())
    }

    /// The gateway's container.
    pub fn gateway_container(&self) -> String {
        naming::container(&self.spec.name, Component::Gateway, None)
    }

    /// Where users' files are, absolute.
    pub fn library_root(&self) -> PathBuf {
        self.root().join(&self.spec.library_root)
    }

    fn with_input<T>(
        &self,
        missing: Missing,
        build: impl FnOnce(&Input<'_>) -> Result<T, crate::render::RenderError>,
    ) -> anyhow::Result<T> {
        let secrets = self.secrets(missing)?;
        let entries = self.entries()?;
        let certificate = self.certificate(missing, OffsetDateTime::now_utc())?;
        let own_image = image::own_reference(&self.spec.name)?;
        let input = Input {
            spec: &self.spec,
            secrets: &secrets,
            entries: &entries,
            certificate: certificate.as_ref(),
            templates: &self.templates,
            root: self.root(),
            own_image: &own_image,
        };
        build(&input).map_err(|error| Failure::from(error).into())
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
            Some(authority) => authority,
            None => {
                let authority = certificate::authority(self.spec.name.as_str(), now)?;
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

/// A directory of the deployment that only its owner enters.
fn private(path: &str) -> Directory {
    Directory {
        path: path.into(),
        mode: 0o700,
        owner: None,
        enforce: true,
        user: None,
    }
}

/// The operator's own templates: `templates/**/*.hbs` in the deployment, by name without the ending.
fn replacements(root: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    if !root.is_dir() {
        return Ok(found);
    }
    let base = root.join("templates");
    let mut open = vec![base.clone()];
    while let Some(directory) = open.pop() {
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", directory.display()));
            }
        };
        for entry in entries {
            let path = entry
                .with_context(|| format!("cannot read {}", directory.display()))?
                .path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(&base).unwrap_or(&path).to_string_lossy();
            if let Some(name) = name.strip_suffix(".hbs") {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                found.insert(name.to_owned(), text);
            }
        }
    }
    Ok(found)
}
