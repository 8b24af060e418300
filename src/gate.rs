//! What the gateway says about a request, believed only when it proves to be the gateway.

use std::fs;
use std::path::Path;

use anyhow::Context;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use subtle::ConstantTimeEq;

use crate::error::Failure;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// The header that carries what only the gateway and those behind it know.
pub const GATEWAY_HEADER: HeaderName = HeaderName::from_static("x-dtaas-gateway");
/// The header that carries the user's name.
pub const USER_HEADER: HeaderName = HeaderName::from_static("x-forwarded-user");
/// The header that carries the gateway's word for Grafana: who the user is, signed.
pub const ASSERTION_HEADER: HeaderName = HeaderName::from_static("x-jwt-assertion");
/// Whom that word is for.
pub const GRAFANA: &str = "dtaas-grafana";
/// The header that carries the groups that the user is in, with commas between.
pub const GROUPS_HEADER: HeaderName = HeaderName::from_static("x-forwarded-groups");

/// How a request stands to the gateway's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It brings it.
    Right,
    /// It brings another one.
    Wrong,
    /// It brings none, or several.
    Missing,
}

/// Whether a request comes from the gateway.
pub fn proof(headers: &HeaderMap, secret: &Secret) -> Proof {
    match only(headers, &GATEWAY_HEADER) {
        None => Proof::Missing,
        Some(shown) if shown.as_bytes().ct_eq(secret.expose().as_bytes()).into() => Proof::Right,
        Some(_) => Proof::Wrong,
    }
}

/// Who is asking; `None` where nobody says it, or what is said is no user's name.
pub fn user(headers: &HeaderMap) -> Option<UserName> {
    only(headers, &USER_HEADER)?.to_str().ok()?.parse().ok()
}

/// The groups of whoever is asking.
pub fn groups(headers: &HeaderMap) -> Vec<String> {
    only(headers, &GROUPS_HEADER)
        .and_then(|groups| groups.to_str().ok())
        .unwrap_or_default()
        .split(',')
        .filter(|group| !group.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A header that stands there twice counts as none: nobody can tell which of them the gateway set.
pub fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        (None, _) | (Some(_), Some(_)) => None,
    }
}

/// The secret in a file, without white space at its ends.
///
/// # Errors
/// A usage failure when the file cannot be read or is empty: an empty secret would let everyone be the gateway.
pub fn read_secret(file: &Path) -> anyhow::Result<Secret> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .with_context(|| Failure::usage(format!("cannot read the gateway's secret from {name}")))?;
    match text.trim() {
        "" => Err(Failure::usage(format!("{name} is empty"))
            .hint("put the secret that the gateway sends into it")
            .into()),
        secret => Ok(Secret::new(secret)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(headers: &[(HeaderName, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn only_the_one_right_secret_proves_the_gateway() {
        let secret = Secret::new("s3cret");
        for (values, expected) in [
            (vec!["s3cret"], Proof::Right),
            (vec!["s3cre"], Proof::Wrong),
            (vec!["s3cret2"], Proof::Wrong),
            (vec![""], Proof::Wrong),
            (vec![], Proof::Missing),
            (vec!["s3cret", "s3cret"], Proof::Missing),
            (vec!["x", "s3cret"], Proof::Missing),
        ] {
            let shown: Vec<_> = values
                .iter()
                .map(|value| (GATEWAY_HEADER, *value))
                .collect();
            assert_eq!(proof(&headers(&shown), &secret), expected, "{values:?}");
        }
    }

    #[test]
    fn what_is_said_twice_is_not_said() {
        let once = headers(&[
            (USER_HEADER, "alice"),
            (GROUPS_HEADER, "admins,,publishers"),
        ]);
        assert_eq!(user(&once).unwrap().as_str(), "alice");
        assert_eq!(groups(&once), ["admins", "publishers"]);

        let twice = headers(&[
            (USER_HEADER, "alice"),
            (USER_HEADER, "bob"),
            (GROUPS_HEADER, "admins"),
            (GROUPS_HEADER, ""),
        ]);
        assert_eq!(user(&twice), None);
        assert_eq!(groups(&twice), [""; 0]);

        for name in ["common", "../bob", ""] {
            assert_eq!(user(&headers(&[(USER_HEADER, name)])), None, "{name}");
        }
    }
}
