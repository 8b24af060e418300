//! What the services need besides the spec: where each is, a secret for each user, and certificates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::sites::Site;
use super::{Deployment, Missing};
use crate::certificate::{own, pair};
use crate::error::Failure;
use crate::platform::Certificate;
use crate::platform::desired::Component;
use crate::platform::services::custom::Place;
use crate::platform::services::{ALL, HERE, Services};
use crate::secrets::Secret;
use crate::spec::load;
use crate::spec::names::{Domain, UserName};

/// Where users' secrets lie, below `secrets/`.
const ACCOUNTS: &str = "accounts";
/// Where the services' certificates lie, below `secrets/`.
const CERTIFICATES: &str = "tls/services";
/// Where the secrets of the operator's own services lie, likewise.
const CUSTOM: &str = "services";
/// Where the key lies that the gateway's word for Grafana is signed with, likewise.
const KEY: &str = "vis.key";
/// How many letters a secret has.
const LENGTH: usize = 40;

impl Deployment {
    /// What the services on a machine need, and users there of all services. Nothing, where there are none.
    pub(super) fn services(&self, site: &Site, missing: Missing) -> anyhow::Result<Services> {
        let hosts = self.service_hosts();
        let custom = self.custom_services(site, missing)?;
        if !self.sites.iter().any(|site| self.needs_certificate(site)) {
            return Ok(Services {
                custom,
                ..Services::default()
            });
        }
        let is_gateways = site.is_users();
        let now = OffsetDateTime::now_utc();
        let authority = self.services_authority(missing, now)?;
        // What is rendered for no machine in particular is so as for the first that has any.
        let site = match site.name.is_empty() {
            true => self.sites.iter().find(|site| self.needs_certificate(site)),
            false => Some(site).filter(|site| self.needs_certificate(site)),
        };
        let certificate = site
            .map(|site| self.services_certificate(site, &authority, missing, now))
            .transpose()?;
        Ok(Services {
            hosts,
            custom,
            accounts: self.accounts(missing)?,
            tokens: self.tokens()?,
            addresses: self.addresses(),
            gateway_key: self.gateway_key(missing)?,
            vis_key: match is_gateways {
                true => self.vis_key(missing)?,
                false => None,
            },
            authority: authority.chain,
            certificate,
        })
    }

    /// Machines with services, besides that of the workspaces.
    pub fn service_sites(&self) -> impl Iterator<Item = &Site> {
        self.sites
            .iter()
            .filter(|site| self.needs_certificate(site) && !site.is_users())
    }

    /// Whether a machine has services that users have accounts at, or that show a certificate.
    fn needs_certificate(&self, site: &Site) -> bool {
        let own = self.spec.custom.values().filter(|custom| {
            let named = custom.machine.as_deref();
            named.map_or(site.is_users(), |named| named == site.name)
        });
        let mut own = own.filter(|one| one.accounts.is_some() || one.certificate_group.is_some());
        services(site).next().is_some() || own.next().is_some()
    }

    /// The operator's own services, as a machine has to do with them.
    fn custom_services(
        &self,
        site: &Site,
        missing: Missing,
    ) -> anyhow::Result<BTreeMap<String, Place>> {
        let mut places = BTreeMap::new();
        for (name, custom) in &self.spec.custom {
            let its = match &custom.machine {
                Some(machine) => self.sites.iter().find(|site| site.name == *machine),
                None => self.users_site(),
            };
            let Some(its) = its else { continue };
            let secrets = custom.secrets.iter().map(|secret| {
                let file = format!("{CUSTOM}/{name}/{secret}");
                let value = match self.read_secret(&file)? {
                    Some(value) => value,
                    None => {
                        let value = Secret::generate(LENGTH);
                        self.keep(missing, &[(&file, value.expose())])?;
                        value
                    }
                };
                anyhow::Ok((secret.clone(), value))
            });
            let (host, from_gateway) = match its.is_users() {
                true => (HERE.to_owned(), "127.0.0.1".to_owned()),
                false => (its.hostname.clone(), in_an_address(&its.hostname)),
            };
            let place = Place {
                host,
                from_gateway,
                // What is rendered for no machine in particular has all of them.
                here: site.name.is_empty() || its.name == site.name,
                secrets: secrets.collect::<anyhow::Result<_>>()?,
            };
            places.insert(name.clone(), place);
        }
        Ok(places)
    }

    /// Has a user's passwords at the services be others from now on.
    pub fn rotate_account(&self, name: &UserName) -> anyhow::Result<()> {
        self.require_user(name)?;
        // Without it another one is made.
        self.tree.remove(&Self::token_file(name))?;
        self.make_account(name, Missing::Keep).map(|_| ())
    }

    /// Whether there is any service.
    pub fn has_services(&self) -> bool {
        self.sites.iter().any(|site| self.needs_certificate(site))
    }

    /// What workspaces call the machine of each service.
    fn service_hosts(&self) -> BTreeMap<Component, String> {
        let of = |site: &Site| match site.is_users() {
            true => HERE.to_owned(),
            false => site.hostname.clone(),
        };
        let sites = self.sites.iter();
        sites
            .flat_map(|site| services(site).map(move |component| (component, of(site))))
            .collect()
    }

    /// What each service's machine is called by the other machines, which is in its certificate.
    fn addresses(&self) -> BTreeMap<Component, String> {
        let sites = self.sites.iter();
        sites
            .flat_map(|site| {
                services(site).map(move |component| (component, site.hostname.clone()))
            })
            .collect()
    }

    /// The public key by which Grafana knows the gateway's word, PEM; nothing where there is no Grafana.
    fn gateway_key(&self, missing: Missing) -> anyhow::Result<String> {
        match self.vis_key(missing)? {
            Some(key) => own::public_key(&key),
            None => Ok(String::new()),
        }
    }

    /// The key by which the gateway says to Grafana who somebody is, PEM; `None` where there is no Grafana.
    fn vis_key(&self, missing: Missing) -> anyhow::Result<Option<Secret>> {
        let is_there = self
            .sites
            .iter()
            .any(|site| site.placed.contains(&Component::Grafana));
        if !is_there {
            return Ok(None);
        }
        if let Some(key) = self.read_secret(KEY)? {
            return Ok(Some(key));
        }
        let key = own::signing_key()?;
        self.keep(missing, &[(KEY, key.expose())])?;
        Ok(Some(key))
    }

    fn accounts(&self, missing: Missing) -> anyhow::Result<BTreeMap<UserName, Secret>> {
        let users = self.spec.users.keys();
        users
            .map(|name| {
                let known = self.read_secret(&format!("{ACCOUNTS}/{name}"))?;
                let secret = match known {
                    Some(secret) => secret,
                    None => self.make_account(name, missing)?,
                };
                Ok((name.clone(), secret))
            })
            .collect()
    }

    fn make_account(&self, name: &UserName, missing: Missing) -> anyhow::Result<Secret> {
        let secret = Secret::generate(LENGTH);
        let file = format!("{ACCOUNTS}/{name}");
        self.keep(missing, &[(&file, secret.expose())])?;
        Ok(secret)
    }

    /// Where a user's secret lies, relative to the deployment.
    pub(super) fn account_file(name: &UserName) -> PathBuf {
        Path::new("secrets").join(ACCOUNTS).join(name.as_str())
    }

    /// The authority of the services alone: whoever trusts the website's does not trust them by that, nor the other way round.
    fn services_authority(
        &self,
        missing: Missing,
        now: OffsetDateTime,
    ) -> anyhow::Result<Certificate> {
        let mut names = BTreeSet::new();
        for site in self
            .sites
            .iter()
            .filter(|site| self.needs_certificate(site))
        {
            names.extend(service_names(site)?.map(|name| name.to_string()));
        }
        let names: Vec<Domain> = names
            .into_iter()
            .map(|name| domain(&name))
            .collect::<anyhow::Result<_>>()?;
        let [chain, key] = ["authority.pem", "authority.key"].map(in_certificates);
        if let Some(kept) = self.read_pair(&chain, &key)?
            && own::permits(&kept.chain, &names)
            && own::lasts(&kept, now)
            && pair::belong_together(&kept)
        {
            return Ok(kept);
        }
        let deployment = format!("{} (services)", self.spec.name);
        let authority = own::authority(&deployment, &names, now)?;
        let files = [
            (key.as_str(), authority.key.expose()),
            (chain.as_str(), authority.chain.as_str()),
        ];
        self.keep(missing, &files)?;
        Ok(authority)
    }

    /// The certificate of a machine's services, and the first of its names.
    fn services_certificate(
        &self,
        site: &Site,
        authority: &Certificate,
        missing: Missing,
        now: OffsetDateTime,
    ) -> anyhow::Result<(Certificate, String)> {
        let names = service_names(site)?.collect::<Vec<Domain>>();
        let first = names.first().map(Domain::to_string).unwrap_or_default();
        let deployment = self.spec.name.as_str();
        let [chain, key] =
            ["pem", "key"].map(|ending| in_certificates(format!("machine-{}.{ending}", site.name)));
        if let Some(kept) = self.read_pair(&chain, &key)?
            && own::serves(&kept, authority, deployment, &names, now)
        {
            return Ok((kept, first));
        }
        let certificate = own::issue(authority, deployment, &names, now)?;
        let files = [
            (key.as_str(), certificate.key.expose()),
            (chain.as_str(), certificate.chain.as_str()),
        ];
        self.keep(missing, &files)?;
        Ok((certificate, first))
    }
}

fn in_certificates(name: impl std::fmt::Display) -> String {
    format!("{CERTIFICATES}/{name}")
}

fn services(site: &Site) -> impl Iterator<Item = Component> + '_ {
    ALL.into_iter()
        .filter(|component| site.placed.contains(component))
}

/// What a machine's services are called: by the workspaces of the same machine, and by everyone else.
fn service_names(site: &Site) -> anyhow::Result<impl Iterator<Item = Domain>> {
    let here = match site.is_users() {
        true => Some(domain(HERE)?),
        false => None,
    };
    let hostname = domain(&site.hostname).map_err(|_| {
        Failure::usage(format!(
            "{}: machines.{}: services on it need a certificate, and {:?} is neither a host name nor an IPv4 address",
            load::FILE,
            site.name,
            site.hostname
        ))
        .hint(format!(
            "write machines.{}.hostname: what workspaces call it",
            site.name
        ))
    })?;
    Ok(std::iter::once(hostname).chain(here))
}

fn domain(name: &str) -> anyhow::Result<Domain> {
    Ok(Domain::try_from(name.to_owned())?)
}

/// A host as it stands in a URL (RFC 3986, section 3.2.2).
fn in_an_address(host: &str) -> String {
    match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    }
}
