//! What a certificate says of itself.

use std::net::{Ipv4Addr, Ipv6Addr};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::OffsetDateTime;
use time::macros::format_description;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::parse_x509_certificate;

use crate::platform::desired::hex;
use crate::spec::names::Domain;
use sha2::{Digest, Sha256};

/// What a certificate says of itself, for people and for comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Whose it is, such as `CN=foo.com`.
    pub subject: String,
    /// The host names and addresses that it is for, lower-case; `*.foo.com` is a name.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// In upper-case hex, as `openssl x509 -serial` has it.
    pub serial: String,
    /// SHA-256 of the whole, as `openssl x509 -fingerprint -sha256` has it.
    pub sha256: String,
    /// From when on it is good.
    pub not_before: OffsetDateTime,
    /// Until when it is good.
    pub not_after: OffsetDateTime,
    /// The key that it is for (subject key identifier), in hex; empty when it does not say.
    pub key_id: String,
    /// The key that signed it (authority key identifier), in hex; empty when it does not say.
    pub signer_id: String,
}

impl Facts {
    /// Of a certificate in DER; `None` when it is none.
    pub fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(der).ok()?;
        let (mut key_id, mut signer_id) = (String::new(), String::new());
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => key_id = hex(id.0),
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    signer_id = id
                        .key_identifier
                        .as_ref()
                        .map_or(String::new(), |id| hex(id.0));
                }
                _ => {}
            }
        }
        let serial = hex(certificate.raw_serial()).to_uppercase();
        Some(Self {
            subject: printable(&certificate.subject().to_string()),
            names: names(&certificate),
            issuer: printable(&certificate.issuer().to_string()),
            serial: match serial.trim_start_matches("00") {
                "" => "00".to_owned(),
                serial => serial.to_owned(),
            },
            sha256: fingerprint(der),
            not_before: certificate.validity().not_before.to_datetime(),
            not_after: certificate.validity().not_after.to_datetime(),
            key_id,
            signer_id,
        })
    }

    /// Of the first certificate in a PEM text; `None` when there is none.
    pub fn of_pem(text: &str) -> Option<Self> {
        Self::of(&CertificateDer::from_pem_slice(text.as_bytes()).ok()?)
    }

    /// Whole days until its end; negative when that is past.
    pub fn days_left(&self, now: OffsetDateTime) -> i64 {
        days_until(self.not_after, now)
    }

    /// Whether it is for the domain: by name, by a name with `*` for one label (RFC 6125, 6.4.3), or by address.
    pub fn is_for(&self, domain: &Domain) -> bool {
        let domain_name = domain.as_str();
        let above = domain_name.split_once('.').map(|(_, above)| above);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(rest) => domain.address().is_none() && Some(rest) == above,
            None => name == domain_name,
        })
    }
}

/// Whole days until an end; negative when that is past.
pub fn days_until(end: OffsetDateTime, now: OffsetDateTime) -> i64 {
    (end - now).whole_seconds().div_euclid(24 * 60 * 60)
}

/// A day as people write it: `2026-01-31`, in UTC.
pub fn day(time: OffsetDateTime) -> String {
    let time = time.to_offset(time::UtcOffset::UTC);
    time.format(format_description!("[year]-[month]-[day]"))
        .unwrap_or_else(|_| time.to_string())
}

/// SHA-256 in pairs of upper-case hex digits.
fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(der)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    pairs.join(":")
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = names.value.general_names.iter();
    names
        .filter_map(|name| match name {
            // Browsers take an address only where it is written as one.
            GeneralName::DNSName(name) if name.parse::<Ipv4Addr>().is_ok() => None,
            GeneralName::DNSName(name) => Some(printable(&name.to_lowercase())),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).to_string());
    }
    let sixteen = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(sixteen).to_string())
}

/// Whoever made a certificate chose these texts; a terminal must not obey them.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "?")
}
