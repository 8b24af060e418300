//! A certificate chain and its key that somebody else made: what is wrong with them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::parse_x509_certificate;

use super::facts::{Facts, day};
use crate::platform::Certificate;
use crate::secrets::Secret;
use crate::spec::names::Domain;

/// A pair that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The chain, nothing else that stood in the file, and the key.
    pub certificate: Certificate,
    /// What the leaf says.
    pub facts: Facts,
    /// When the first certificate of the chain ends: from then on browsers refuse it.
    pub ends: OffsetDateTime,
}

/// What is wrong with a pair. Places in the chain count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The certificate's file holds something else.
    #[error("it holds no PEM CERTIFICATE")]
    NoCertificate,
    /// A certificate of it is damaged.
    #[error("certificate {place} of it cannot be read")]
    DamagedCertificate {
        /// Which one.
        place: usize,
    },
    /// The key's file holds something else, or a damaged key.
    #[error("it holds no PEM PRIVATE KEY that can be read")]
    NoKey,
    /// It takes a passphrase to use the key, and there is nobody to give it.
    #[error("its key is encrypted")]
    EncryptedKey,
    /// Such keys cannot be used.
    #[error("its key is of a kind that cannot be used")]
    KeyKind,
    /// The key belongs to another certificate.
    #[error("it is not the key of the certificate, which is for {subject}")]
    Mismatch {
        /// The certificate's.
        subject: String,
    },
    /// The key belongs to a certificate that is not the first.
    #[error("it is out of order: the key is that of certificate {place}")]
    LeafNotFirst {
        /// Where the leaf stands.
        place: usize,
    },
    /// A certificate is not followed by the one that signed it.
    #[error("it is out of order: certificate {place} was not signed by the one behind it")]
    OutOfOrder {
        /// The one that was signed.
        place: usize,
    },
    /// It was good.
    #[error("certificate {place} of it ({subject}) has expired on {on}")]
    Expired {
        /// Which one.
        place: usize,
        /// Whose.
        subject: String,
        /// Its last day.
        on: String,
    },
    /// It will be good.
    #[error("certificate {place} of it ({subject}) is good from {from} on, and not yet")]
    NotYet {
        /// Which one.
        place: usize,
        /// Whose.
        subject: String,
        /// Its first day.
        from: String,
    },
    /// It is somebody else's.
    #[error("it is not for {domain}, but for {}", named(.names))]
    OtherName {
        /// What it should be for.
        domain: Domain,
        /// What it is for.
        names: Vec<String>,
    },
}

impl Fault {
    /// Whether the key's file is to be mended, and not the certificate's.
    pub fn is_of_the_key(&self) -> bool {
        match self {
            Fault::NoKey | Fault::EncryptedKey | Fault::KeyKind | Fault::Mismatch { .. } => true,
            Fault::NoCertificate
            | Fault::DamagedCertificate { .. }
            | Fault::LeafNotFirst { .. }
            | Fault::OutOfOrder { .. }
            | Fault::Expired { .. }
            | Fault::NotYet { .. }
            | Fault::OtherName { .. } => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Fault::NoCertificate => {
                "name a PEM file; one that begins with -----BEGIN CERTIFICATE-----"
            }
            Fault::DamagedCertificate { .. } => "copy it again from whoever signed it",
            Fault::NoKey => "name a PEM file; one that begins with -----BEGIN PRIVATE KEY-----",
            Fault::EncryptedKey => {
                "take the passphrase off: openssl pkey -in encrypted.key -out plain.key; keep the result readable by root alone"
            }
            Fault::KeyKind => {
                "RSA of 2048 to 8192 bits, ECDSA on P-256 or P-384, and Ed25519 can be used"
            }
            Fault::Mismatch { .. } => "name the key that the certificate was requested with",
            Fault::LeafNotFirst { .. } | Fault::OutOfOrder { .. } => {
                "put the platform's certificate first, behind each the one that signed it"
            }
            Fault::Expired { .. } => "replace the files by new ones, then run this again",
            Fault::NotYet { .. } => "wait until then, or see whether this machine's clock is right",
            Fault::OtherName { .. } => {
                "get a certificate that has the domain among its names (subjectAltName), or correct domain"
            }
        }
    }
}

fn named(names: &[String]) -> String {
    match names {
        [] => "no host at all (it has no subjectAltName)".to_owned(),
        names => names.join(", "),
    }
}

/// Checks a chain (leaf first) and a key, both PEM; the key may be PKCS #1, PKCS #8 or SEC 1.
pub fn check(
    chain: &str,
    key: &Secret,
    domain: &Domain,
    now: OffsetDateTime,
) -> Result<Pair, Fault> {
    let certificates = certificates(chain)?;
    let parsed = parse(&certificates)?;
    let public = public_key(key)?;
    let is_keys = |certificate: &X509Certificate<'_>| certificate.public_key().raw == public;
    let first = parsed.first().ok_or(Fault::NoCertificate)?;
    if !is_keys(first) {
        return Err(match parsed.iter().position(is_keys) {
            Some(place) => Fault::LeafNotFirst { place: place + 1 },
            None => Fault::Mismatch {
                subject: facts(&certificates, 0)?.subject,
            },
        });
    }
    let signed =
        |two: &[X509Certificate<'_>]| two[0].issuer().as_raw() == two[1].subject().as_raw();
    if let Some(place) = parsed.windows(2).position(|two| !signed(two)) {
        return Err(Fault::OutOfOrder { place: place + 1 });
    }
    let leaf = facts(&certificates, 0)?;
    let mut ends = leaf.not_after;
    for index in 0..certificates.len() {
        let facts = facts(&certificates, index)?;
        let (place, subject) = (index + 1, facts.subject);
        if facts.not_after < now {
            let on = day(facts.not_after);
            return Err(Fault::Expired { place, subject, on });
        }
        if facts.not_before > now {
            let from = day(facts.not_before);
            return Err(Fault::NotYet {
                place,
                subject,
                from,
            });
        }
        ends = ends.min(facts.not_after);
    }
    if !leaf.is_for(domain) {
        return Err(Fault::OtherName {
            domain: domain.clone(),
            names: leaf.names,
        });
    }
    Ok(Pair {
        certificate: Certificate {
            // What else is in the file, such as the key, must not get into one that others may read.
            chain: certificates.iter().map(|der| pem(der)).collect(),
            key: key.clone(),
        },
        facts: leaf,
        ends,
    })
}

/// Whether a key (PEM) is that of the first certificate of a chain (PEM).
pub fn belong_together(certificate: &Certificate) -> bool {
    let Ok(certificates) = certificates(&certificate.chain) else {
        return false;
    };
    match (parse(&certificates), public_key(&certificate.key)) {
        (Ok(parsed), Ok(public)) => parsed
            .first()
            .is_some_and(|first| first.public_key().raw == public),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    if found.is_empty() {
        return Err(Fault::NoCertificate);
    }
    let each = found.into_iter().zip(1..);
    each.map(|(found, place)| found.map_err(|_| Fault::DamagedCertificate { place }))
        .collect()
}

fn parse<'a>(certificates: &'a [CertificateDer<'_>]) -> Result<Vec<X509Certificate<'a>>, Fault> {
    let each = certificates.iter().zip(1..);
    each.map(|(der, place)| {
        let parsed = parse_x509_certificate(der);
        parsed
            .map(|(_, certificate)| certificate)
            .map_err(|_| Fault::DamagedCertificate { place })
    })
    .collect()
}

fn facts(certificates: &[CertificateDer<'_>], index: usize) -> Result<Facts, Fault> {
    let found = certificates.get(index).and_then(|der| Facts::of(der));
    found.ok_or(Fault::DamagedCertificate { place: index + 1 })
}

/// The public half, as a certificate has it (SubjectPublicKeyInfo).
fn public_key(key: &Secret) -> Result<Vec<u8>, Fault> {
    let text = key.expose();
    // PKCS #8, and the older form of RFC 1421, 4.6.1.1.
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(Fault::EncryptedKey);
    }
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| Fault::NoKey)?;
    let key = any_supported_type(&key).map_err(|_| Fault::KeyKind)?;
    let public = key.public_key().ok_or(Fault::KeyKind)?;
    Ok(public.to_vec())
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for (place, letter) in text.chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem + "\n-----END CERTIFICATE-----\n"
}

#[cfg(test)]
mod tests;
