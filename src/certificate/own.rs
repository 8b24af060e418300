//! Certificates of our own making: an authority that can be trusted once, and the gateway's certificate signed by it.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::pem::parse_x509_pem;

use super::facts::Facts;
use super::{RENEW_DAYS, pair};
use crate::platform::Certificate;
use crate::secrets::Secret;
use crate::spec::names::Domain;

/// How long an authority is good for.
const AUTHORITY_DAYS: i64 = 3650;
/// How long a certificate is good for; browsers take no more than 398 days.
const CERTIFICATE_DAYS: i64 = 397;

/// Makes an authority: its certificate and key. `deployment` is what browsers show as its name. Whoever trusts it trusts it for
/// these names alone: it can sign for no others (RFC 5280, 4.2.1.10).
pub fn authority(
    deployment: &str,
    domains: &[Domain],
    now: OffsetDateTime,
) -> anyhow::Result<Certificate> {
    let key = KeyPair::generate().context("cannot make a key")?;
    let certificate = authority_params(deployment, domains, now)
        .self_signed(&key)
        .context("cannot make a certificate authority")?;
    Ok(Certificate {
        chain: certificate.pem(),
        key: Secret::new(key.serialize_pem()),
    })
}

/// Makes a key that words are signed with: ECDSA on P-256 (JWT's ES256), PKCS#8 in PEM.
pub fn signing_key() -> anyhow::Result<Secret> {
    let key = KeyPair::generate().context("cannot make a key")?;
    Ok(Secret::new(key.serialize_pem()))
}

/// The public part of a key, PEM.
///
/// # Errors
/// When the key cannot be read.
pub fn public_key(key: &Secret) -> anyhow::Result<String> {
    let key = KeyPair::from_pem(key.expose()).context("the key cannot be read")?;
    Ok(key.public_key_pem())
}

/// Makes a certificate for some names, signed by an authority that [`authority`] made and does not outlive. `deployment` stands in it.
pub fn issue(
    authority: &Certificate,
    deployment: &str,
    domains: &[Domain],
    now: OffsetDateTime,
) -> anyhow::Result<Certificate> {
    let authority_key =
        KeyPair::from_pem(authority.key.expose()).context("the authority's key cannot be read")?;
    let issuer = rcgen::Issuer::from_ca_cert_pem(&authority.chain, authority_key)
        .context("the authority's certificate cannot be read")?;
    let key = KeyPair::generate().context("cannot make a key")?;
    let mut params = CertificateParams::default();
    // Where no host name is among the names, OpenSSL takes the common name for one, and holds it to the constraints.
    let common_name = match domains.first() {
        Some(domain) if domain.address().is_none() => domain.as_str(),
        Some(_) | None => "DTaaS gateway",
    };
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
        .distinguished_name
        .push(DnType::OrganizationName, deployment);
    params.subject_alt_names = names(domains)?;
    params.not_before = now - Duration::hours(1);
    let ends =
        Facts::of_pem(&authority.chain).context("the authority's certificate cannot be read")?;
    params.not_after = (now + Duration::days(CERTIFICATE_DAYS)).min(ends.not_after);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params
        .signed_by(&key, &issuer)
        .context("cannot sign a certificate")?;
    Ok(Certificate {
        chain: certificate.pem(),
        key: Secret::new(key.serialize_pem()),
    })
}

/// Whether a certificate is this deployment's for these names, signed by this authority, and good for another 30 days. One
/// that cannot be read, or that has another's key, is not.
pub fn serves(
    certificate: &Certificate,
    authority: &Certificate,
    deployment: &str,
    domains: &[Domain],
    now: OffsetDateTime,
) -> bool {
    let facts = Facts::of_pem(&certificate.chain).zip(Facts::of_pem(&authority.chain));
    facts.is_some_and(|(facts, authority)| {
        domains.iter().all(|domain| facts.is_for(domain))
            && is_of(&certificate.chain, deployment)
            && facts.signer_id == authority.key_id
            && facts.days_left(now) >= RENEW_DAYS
    }) && pair::belong_together(certificate)
}

/// Whether an authority is good for another 30 days.
pub fn lasts(authority: &Certificate, now: OffsetDateTime) -> bool {
    Facts::of_pem(&authority.chain).is_some_and(|facts| facts.days_left(now) >= RENEW_DAYS)
}

/// Whether a deployment's name stands in a certificate.
fn is_of(chain: &str, deployment: &str) -> bool {
    look_at(chain, |certificate| {
        let mut names = certificate.subject().iter_organization();
        names.any(|name| name.as_str() == Ok(deployment))
    })
}

/// Whether an authority (PEM) may sign for these names, and for no others. One that cannot be read may not.
pub fn permits(authority: &str, domains: &[Domain]) -> bool {
    look_at(authority, |certificate| {
        let Ok(Some(constraints)) = certificate.name_constraints() else {
            return false;
        };
        let permitted = constraints.value.permitted_subtrees.iter().flatten();
        let found = permitted.map(|subtree| match &subtree.base {
            GeneralName::DNSName(name) => Some(Name::Host((*name).to_owned())),
            GeneralName::IPAddress([a, b, c, d, 255, 255, 255, 255]) => {
                Some(Name::Address(Ipv4Addr::new(*a, *b, *c, *d)))
            }
            _ => None,
        });
        found.collect::<Option<Vec<Name>>>() == Some(all_names(domains))
    })
}

/// What stands in a certificate.
#[derive(Debug, PartialEq)]
enum Name {
    Host(String),
    Address(Ipv4Addr),
}

/// What names a certificate for these has: localhost goes by its address as well.
fn all_names(domains: &[Domain]) -> Vec<Name> {
    let mut names = Vec::new();
    for domain in domains {
        match (domain.address(), domain.as_str()) {
            (Some(address), _) => names.push(Name::Address(address)),
            (None, "localhost") => names.extend([
                Name::Host("localhost".to_owned()),
                Name::Address(Ipv4Addr::LOCALHOST),
            ]),
            (None, host) => names.push(Name::Host(host.to_owned())),
        }
    }
    names
}

/// Whether the first certificate of a PEM text is as it should be. One that cannot be read is not.
fn look_at(pem: &str, is_so: impl FnOnce(&X509Certificate<'_>) -> bool) -> bool {
    let Ok((_, pem)) = parse_x509_pem(pem.as_bytes()) else {
        return false;
    };
    parse_x509_certificate(&pem.contents).is_ok_and(|(_, certificate)| is_so(&certificate))
}

/// These names, and nothing else: of a kind of names that is not permitted at all, every one is excluded, for constraints bind
/// only the kinds that they mention.
fn constraints(domains: &[Domain]) -> NameConstraints {
    let names = all_names(domains);
    let has_hosts = names.iter().any(|name| matches!(name, Name::Host(_)));
    let has_addresses = names.iter().any(|name| matches!(name, Name::Address(_)));
    let permitted_subtrees = names
        .into_iter()
        .map(|name| match name {
            Name::Host(host) => GeneralSubtree::DnsName(host),
            Name::Address(address) => {
                GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(address.octets(), 32))
            }
        })
        .collect();
    let mut excluded_subtrees = Vec::new();
    if !has_hosts {
        excluded_subtrees.push(GeneralSubtree::DnsName(String::new()));
    }
    if !has_addresses {
        excluded_subtrees.extend([
            GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])),
        ]);
    }
    NameConstraints {
        permitted_subtrees,
        excluded_subtrees,
    }
}

fn authority_params(
    deployment: &str,
    domains: &[Domain],
    now: OffsetDateTime,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(
        DnType::CommonName,
        format!("DTaaS authority of {deployment}"),
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.name_constraints = Some(constraints(domains));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::days(AUTHORITY_DAYS);
    params
}

fn names(domains: &[Domain]) -> anyhow::Result<Vec<SanType>> {
    let of = |name| match name {
        Name::Host(host) => anyhow::Ok(SanType::DnsName(
            host.try_into().context("not a name for a certificate")?,
        )),
        Name::Address(address) => Ok(SanType::IpAddress(IpAddr::V4(address))),
    };
    all_names(domains).into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_serves_its_domain_until_a_month_before_its_end() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let foo: [Domain; 1] = ["foo.com".parse().unwrap()];
        let authority = authority("foo.com", &foo, now).unwrap();
        let certificate = issue(&authority, "foo", &foo, now).unwrap();
        let serves = |certificate: &Certificate, name: &str, domain: &str, days: i64| {
            let domain = [domain.parse().unwrap()];
            serves(
                certificate,
                &authority,
                name,
                &domain,
                now + Duration::days(days),
            )
        };
        assert!(serves(&certificate, "foo", "foo.com", 0));
        assert!(serves(&certificate, "foo", "foo.com", 366));
        assert!(!serves(&certificate, "foo", "foo.com", 368));
        assert!(!serves(&certificate, "foo", "bar.com", 0));
        assert!(!serves(&certificate, "bar", "foo.com", 0));
        let rubbish = Certificate {
            chain: "rubbish".into(),
            ..certificate.clone()
        };
        assert!(!serves(&rubbish, "foo", "foo.com", 0));
        // A run that was killed between the two files.
        let others_key = Certificate {
            key: issue(&authority, "foo", &foo, now).unwrap().key,
            ..certificate.clone()
        };
        assert!(!serves(&others_key, "foo", "foo.com", 0));
    }

    #[test]
    fn a_certificate_is_its_authoritys_and_does_not_outlive_it() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let foo: [Domain; 1] = ["foo.com".parse().unwrap()];
        let [one, other] = [(); 2].map(|()| authority("foo", &foo, now).unwrap());
        let certificate = issue(&one, "foo", &foo, now).unwrap();
        assert!(serves(&certificate, &one, "foo", &foo, now));
        assert!(!serves(&certificate, &other, "foo", &foo, now));

        let late = now + Duration::days(AUTHORITY_DAYS - 100);
        let last = issue(&one, "foo", &foo, late).unwrap();
        let ends = |certificate: &Certificate| Facts::of_pem(&certificate.chain).unwrap().not_after;
        assert_eq!(ends(&last), ends(&one));
        assert!(lasts(&one, late));
        assert!(!lasts(&one, late + Duration::days(71)));
    }

    #[test]
    fn addresses_and_localhost_get_certificates_as_well() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        for domain in ["127.0.0.1", "localhost"] {
            let domain: [Domain; 1] = [domain.parse().unwrap()];
            let authority = authority("here", &domain, now).unwrap();
            let certificate = issue(&authority, "here", &domain, now).unwrap();
            assert!(serves(&certificate, &authority, "here", &domain, now));
        }
    }

    #[test]
    fn an_authority_is_for_its_domain_alone() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let domains = [
            "foo.com",
            "bar.foo.com",
            "localhost",
            "127.0.0.1",
            "10.1.2.3",
        ];
        for domain in domains {
            let authority = authority("here", &[domain.parse().unwrap()], now).unwrap();
            for other in domains {
                let permitted = permits(&authority.chain, &[other.parse().unwrap()]);
                assert_eq!(permitted, domain == other, "{other} by that of {domain}");
            }
            let (_, pem) = parse_x509_pem(authority.chain.as_bytes()).unwrap();
            let (_, certificate) = parse_x509_certificate(&pem.contents).unwrap();
            assert!(certificate.name_constraints().unwrap().unwrap().critical);
        }
        assert!(!permits("rubbish", &["foo.com".parse().unwrap()]));
    }

    #[test]
    fn several_names_have_one_authority_and_one_certificate() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let names = ["services.foo.com", "10.1.2.3", "foo.internal"];
        let names = names.map(|name| name.parse().unwrap());
        let authority = authority("here", &names, now).unwrap();
        assert!(permits(&authority.chain, &names));
        assert!(!permits(&authority.chain, &names[..2]));
        let certificate = issue(&authority, "here", &names, now).unwrap();
        assert!(serves(&certificate, &authority, "here", &names, now));
        let other = issue(&authority, "here", &names[1..], now).unwrap();
        assert!(!serves(&other, &authority, "here", &names, now));
    }

    #[test]
    fn openssl_takes_the_domains_certificate_and_refuses_anothers() {
        use std::process::Command;

        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED: openssl is not installed");
            return;
        }
        let now = OffsetDateTime::now_utc();
        let directory = tempfile::tempdir().unwrap();
        let domains = ["foo.com", "localhost", "10.1.2.3"];
        for domain in domains {
            let authority = authority("here", &[domain.parse().unwrap()], now).unwrap();
            let trusted = directory.path().join("authority.pem");
            std::fs::write(&trusted, &authority.chain).unwrap();
            for other in domains {
                let leaf = directory.path().join("leaf.pem");
                let issued = issue(&authority, "here", &[other.parse().unwrap()], now).unwrap();
                std::fs::write(&leaf, issued.chain).unwrap();
                let verified = Command::new("openssl")
                    .args(["verify", "-x509_strict", "-CAfile"])
                    .arg(&trusted)
                    .arg(&leaf)
                    .output()
                    .unwrap();
                assert_eq!(
                    verified.status.success(),
                    domain == other,
                    "{other} by that of {domain}: {verified:?}"
                );
            }
        }
    }
}
