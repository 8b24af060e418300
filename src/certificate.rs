//! Certificates of our own making: an authority that can be trusted once, and the gateway's certificate signed by it.

use std::net::IpAddr;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::pem::parse_x509_pem;

use crate::platform::Certificate;
use crate::secrets::Secret;
use crate::spec::names::Domain;

/// How long an authority is good for.
const AUTHORITY_DAYS: i64 = 3650;
/// How long a certificate is good for; browsers take no more than 398 days.
const CERTIFICATE_DAYS: i64 = 397;
/// With fewer days left than this, a certificate is made anew.
const RENEW_DAYS: i64 = 30;

/// Makes an authority: its certificate and key. `deployment` is what browsers show as its name.
pub fn authority(deployment: &str, now: OffsetDateTime) -> anyhow::Result<Certificate> {
    let key = KeyPair::generate().context("cannot make a key")?;
    let certificate = authority_params(deployment, now)
        .self_signed(&key)
        .context("cannot make a certificate authority")?;
    Ok(Certificate {
        chain: certificate.pem(),
        key: Secret::new(key.serialize_pem()),
    })
}

/// Makes a certificate for a domain, signed by an authority that [`authority`] made.
pub fn issue(
    authority: &Certificate,
    domain: &Domain,
    now: OffsetDateTime,
) -> anyhow::Result<Certificate> {
    let authority_key =
        KeyPair::from_pem(authority.key.expose()).context("the authority's key cannot be read")?;
    let issuer = rcgen::Issuer::from_ca_cert_pem(&authority.chain, authority_key)
        .context("the authority's certificate cannot be read")?;
    let key = KeyPair::generate().context("cannot make a key")?;
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, domain.as_str());
    params.subject_alt_names = names(domain)?;
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::days(CERTIFICATE_DAYS);
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

/// Whether a certificate (PEM, leaf first) names the domain and is good for another 30 days. One that cannot be read is not.
pub fn serves(chain: &str, domain: &Domain, now: OffsetDateTime) -> bool {
    let Ok((_, pem)) = parse_x509_pem(chain.as_bytes()) else {
        return false;
    };
    let Ok((_, certificate)) = parse_x509_certificate(&pem.contents) else {
        return false;
    };
    let last = certificate.validity().not_after.timestamp();
    let named = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .is_some_and(|names| {
            names.value.general_names.iter().any(|name| match name {
                GeneralName::DNSName(name) => *name == domain.as_str(),
                GeneralName::IPAddress(bytes) => domain
                    .address()
                    .is_some_and(|address| *bytes == address.octets()),
                _ => false,
            })
        });
    named && last >= (now + Duration::days(RENEW_DAYS)).unix_timestamp()
}

fn authority_params(deployment: &str, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(
        DnType::CommonName,
        format!("DTaaS authority of {deployment}"),
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
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
        let authority = authority("foo.com", now).unwrap();
        let foo: Domain = "foo.com".parse().unwrap();
        let certificate = issue(&authority, &foo, now).unwrap();
        assert!(serves(&certificate.chain, &foo, now));
        assert!(!serves(
            &certificate.chain,
            &"bar.com".parse().unwrap(),
            now
        ));
        assert!(!serves(&certificate.chain, &foo, now + Duration::days(368)));
        assert!(!serves("rubbish", &foo, now));
    }

    #[test]
    fn addresses_and_localhost_get_certificates_as_well() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let authority = authority("here", now).unwrap();
        for domain in ["127.0.0.1", "localhost"] {
            let domain: Domain = domain.parse().unwrap();
            assert!(serves(
                &issue(&authority, &domain, now).unwrap().chain,
                &domain,
                now
            ));
        }
    }
}
