//! What `init` is told about a deployment that exists already.

use std::path::{Path, PathBuf};

use super::Request;
use crate::spec::model::{Spec, Tls};

/// What a request says otherwise than a deployment that exists: key, what it is, what was asked for.
pub fn contradictions(spec: &Spec, request: &Request) -> Vec<String> {
    fn text(asked: &Option<impl ToString>) -> Option<String> {
        asked.as_ref().map(ToString::to_string)
    }
    // These may be empty.
    fn quoted(text: &str) -> String {
        format!("{text:?}")
    }
    let acme = spec.tls.acme();
    let nothing = || "not set".to_owned();
    let (cert, key) = match &spec.tls {
        Tls::Files { cert, key } => (Some(cert), Some(key)),
        Tls::Off | Tls::SelfSigned | Tls::Acme(_) => (None, None),
    };
    let path_text = |path: &Path| path.display().to_string();
    let path = |path: Option<&PathBuf>| path.map_or_else(nothing, |path| path_text(path));
    let keys = [
        ("domain", spec.domain.to_string(), text(&request.domain)),
        ("name", spec.name.to_string(), text(&request.name)),
        ("profile", spec.profile.clone(), text(&request.profile)),
        (
            "base_path",
            quoted(spec.base_path.as_str()),
            request.base_path.as_ref().map(|path| quoted(path.as_str())),
        ),
        ("bind", spec.bind.to_string(), text(&request.bind)),
        (
            "ports.http",
            spec.ports.http.to_string(),
            text(&request.http_port),
        ),
        (
            "ports.https",
            spec.ports.https.to_string(),
            text(&request.https_port),
        ),
        (
            "ports.auth",
            spec.ports.auth.to_string(),
            text(&request.auth_port),
        ),
        (
            "ports.website",
            spec.ports.website.to_string(),
            text(&request.website_port),
        ),
        (
            "ports.library",
            spec.ports.library.to_string(),
            text(&request.library_port),
        ),
        ("tls.mode", spec.tls.mode().to_owned(), text(&request.tls)),
        (
            "tls.cert",
            path(cert),
            request.tls_cert.as_deref().map(path_text),
        ),
        (
            "tls.key",
            path(key),
            request.tls_key.as_deref().map(path_text),
        ),
        (
            "tls.email",
            acme.map_or_else(nothing, |acme| acme.email.clone()),
            text(&request.tls_email),
        ),
        (
            "tls.ca_server",
            acme.and_then(|acme| acme.ca_server.clone())
                .unwrap_or_else(nothing),
            text(&request.tls_ca_server),
        ),
        (
            "tls.challenge",
            acme.map_or_else(nothing, |acme| acme.challenge.as_str().to_owned()),
            request
                .tls_challenge
                .map(|challenge| challenge.as_str().to_owned()),
        ),
        ("network.pool", spec.pool.to_string(), text(&request.pool)),
        (
            "auth",
            spec.auth.as_str().to_owned(),
            request.auth.map(|auth| auth.as_str().to_owned()),
        ),
        (
            "library.root",
            path_text(&spec.library.root),
            request.library_root.as_deref().map(path_text),
        ),
        (
            "images.prefix",
            quoted(&spec.image_prefix),
            request.image_prefix.as_deref().map(quoted),
        ),
    ];
    let mut all: Vec<String> = keys
        .into_iter()
        .filter_map(|(key, is, asked)| {
            let asked = asked.filter(|asked| *asked != is)?;
            Some(format!(
                "{key} is {is}, not {asked}: edit dtaas.yaml, then `dtaas up`"
            ))
        })
        .collect();
    let users = request.users.iter().map(|(name, _)| name);
    for name in users.chain(request.carried.iter().map(|one| &one.name)) {
        if !spec.users.contains_key(name) {
            all.push(format!(
                "there is no user {name} yet: `dtaas user add {name}`"
            ));
        }
    }
    all
}
