//! Whose certificates GitLab may show.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The certificates in a file of PEM form.
///
/// # Errors
///
/// Why there are none, in words.
pub fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = std::fs::read(file).map_err(|error| format!("cannot be read ({error})"))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| format!("cannot be read ({error})"))?;
    if found.is_empty() {
        return Err("no certificate is in it".to_owned());
    }
    let mut roots = RootCertStore::empty();
    for certificate in &found {
        roots
            .add(certificate.clone())
            .map_err(|error| format!("a certificate in it is no good ({error})"))?;
    }
    Ok(found)
}

/// TLS towards GitLab: trust in `only` where they are named, else in what this machine trusts, else (in a container made from
/// scratch there is nothing else) in the authorities of Mozilla's list that the program carries.
///
/// # Errors
///
/// Why TLS cannot be set up.
pub fn config(only: Option<&[CertificateDer<'static>]>) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    match only {
        Some(authorities) => {
            for certificate in authorities {
                roots.add(certificate.clone())?;
            }
        }
        None => {
            // A store with one broken certificate is still a store.
            let machine = rustls_native_certs::load_native_certs().certs;
            roots.add_parsable_certificates(machine);
            if roots.is_empty() {
                roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
