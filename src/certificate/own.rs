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
/// `domain` alone: it can sign for no other (RFC 5280, 4.2.1.10).
pub fn authority(
    deployment: &str,
    domain: &Domain,
    now: OffsetDateTime,
) -> anyhow::Result<Certificate> {
    let key = KeyPair::generate().context("cannot make a key")?;
    let certificate = authority_params(deployment, domain, now)
        .self_signed(&key)
        .context("cannot make a certificate authority")?;
    Ok(Certificate {
        chain: certificate.pem(),
        key: Secret::new(key.serialize_pem()),
    })
}

/// Makes a certificate for a domain, signed by an authority that [`authority`] made and does not outlive. `deployment` stands in it.
pub fn issue(
    authority: &Certificate,
    deployment: &str,
    domain: &Domain,
    now: OffsetDateTime,
) -> anyhow::Result<Certificate> {
    let authority_key =
        KeyPair::from_pem(authority.key.expose()).context("the authority's key cannot be read")?;
    let issuer = rcgen::Issuer::from_ca_cert_pem(&authority.chain, authority_key)
        .context("the authority's certificate cannot be read")?;
    let key = KeyPair::generate().context("cannot make a key")?;
    let mut params = CertificateParams::default();
    // Where no host name is among the names, OpenSSL takes the common name for one, and holds it to the constraints.
    let common_name = match domain.address() {
        Some(_) => "DTaaS gateway",
        None => domain.as_str(),
    };
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
        .distinguished_name
        .push(DnType::OrganizationName, deployment);
    params.subject_alt_names = names(domain)?;
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

/// Whether a certificate is this deployment's for this domain, signed by this authority, and good for another 30 days. One
/// that cannot be read, or that has another's key, is not.
pub fn serves(
    certificate: &Certificate,
    authority: &Certificate,
    deployment: &str,
    domain: &Domain,
    now: OffsetDateTime,
) -> bool {
    let facts = Facts::of_pem(&certificate.chain).zip(Facts::of_pem(&authority.chain));
    facts.is_some_and(|(facts, authority)| {
        facts.is_for(domain)
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

/// Whether an authority (PEM) may sign for the domain, and for no other. One that cannot be read may not.
pub fn permits(authority: &str, domain: &Domain) -> bool {
    look_at(authority, |certificate| {
        let Ok(Some(constraints)) = certificate.name_constraints() else {
            return false;
        };
        let permitted = constraints.value.permitted_subtrees.iter().flatten();
        let mut permitted = permitted.map(|subtree| &subtree.base);
        // The domain stands first; localhost's address behind it.
        permitted.next().is_some_and(|first| match first {
            GeneralName::DNSName(name) => *name == domain.as_str(),
            GeneralName::IPAddress(bytes) => domain
                .address()
                .is_some_and(|address| *bytes == [address.octets(), [255; 4]].concat()),
            _ => false,
        })
    })
}

/// Whether the first certificate of a PEM text is as it should be. One that cannot be read is not.
fn look_at(pem: &str, is_so: impl FnOnce(&X509Certificate<'_>) -> bool) -> bool {
    let Ok((_, pem)) = parse_x509_pem(pem.as_bytes()) else {
        return false;
    };
    parse_x509_certificate(&pem.contents).is_ok_and(|(_, certificate)| is_so(&certificate))
}

/// The domain, and nothing else: of a kind of names that is not permitted at all, every one is excluded, for constraints bind
/// only the kinds that they mention.
fn constraints(domain: &Domain) -> NameConstraints {
    let one = |address: Ipv4Addr| {
        GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(address.octets(), 32))
    };
    let no_address = [
        CidrSubnet::V4([0; 4], [0; 4]),
        CidrSubnet::V6([0; 16], [0; 16]),
    ];
    let name = GeneralSubtree::DnsName(domain.as_str().to_owned());
    let (permitted_subtrees, excluded_subtrees) = match (domain.address(), domain.as_str()) {
        (Some(address), _) => (
            vec![one(address)],
            vec![GeneralSubtree::DnsName(String::new())],
        ),
        (None, "localhost") => (vec![name, one(Ipv4Addr::LOCALHOST)], Vec::new()),
        (None, _) => (vec![name], no_address.map(GeneralSubtree::IpAddress).into()),
    };
    NameConstraints {
        permitted_subtrees,
        excluded_subtrees,
    }
}

fn authority_params(deployment: &str, domain: &Domain, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(
        DnType::CommonName,
        format!("DTaaS authority of {deployment}"),
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.name_constraints = Some(constraints(domain));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::days(AUTHORITY_DAYS);
    params
}

fn names(domain: &Domain) -> anyhow::Result<Vec<SanType>> {
    let name = |text: &str| {
        anyhow::Ok(SanType::DnsName(
            text.try_into().context("not a name for a certificate")?,
        ))
    };
    Ok(match (domain.address(), domain.as_str()) {
        (Some(address), _) => vec![SanType::IpAddress(IpAddr::V4(address))],
        (None, "localhost") => vec![
            name("localhost")?,
            SanType::IpAddress(IpAddr::V4([127, 0, 0, 1].into())),
        ],
        (None, domain) => vec![name(domain)?],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_serves_its_domain_until_a_month_before_its_end() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let foo: Domain = "foo.com".parse().unwrap();
        let authority = authority("foo.com", &foo, now).unwrap();
        let certificate = issue(&authority, "foo", &foo, now).unwrap();
        let serves = |certificate: &Certificate, name: &str, domain: &str, days: i64| {
            let domain = domain.parse().unwrap();
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
        let foo: Domain = "foo.com".parse().unwrap();
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
            let domain: Domain = domain.parse().unwrap();
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
            let authority = authority("here", &domain.parse().unwrap(), now).unwrap();
            for other in domains {
                let permitted = permits(&authority.chain, &other.parse().unwrap());
                assert_eq!(permitted, domain == other, "{other} by that of {domain}");
            }
            let (_, pem) = parse_x509_pem(authority.chain.as_bytes()).unwrap();
            let (_, certificate) = parse_x509_certificate(&pem.contents).unwrap();
            assert!(certificate.name_constraints().unwrap().unwrap().critical);
        }
        assert!(!permits("rubbish", &"foo.com".parse().unwrap()));
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
            let authority = authority("here", &domain.parse().unwrap(), now).unwrap();
            let trusted = directory.path().join("authority.pem");
            std::fs::write(&trusted, &authority.chain).unwrap();
            for other in domains {
                let leaf = directory.path().join("leaf.pem");
                let issued = issue(&authority, "here", &other.parse().unwrap(), now).unwrap();
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
