//! What the gateway says about a request, believed only when it proves to be the gateway.

use std::fs;
use std::path::Path;

use anyhow::Context;
use axum::http::HeaderMap;
use serde::Serialize;
use subtle::ConstantTimeEq;

use crate::error::Failure;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// Who is looking at the page, as the page is told.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Visitor {
    /// The user's name; `None` where nobody says it who is believed.
    pub user: Option<UserName>,
    /// The groups that the user is in.
    pub groups: Vec<String>,
}

/// The secret in a file, without white space at its ends.
///
/// # Errors
/// When the file cannot be read or is empty: an empty secret would let everyone be the gateway.
pub fn read_secret(path: &Path) -> anyhow::Result<Secret> {
    let text = fs::read_to_string(path).with_context(|| {
        Failure::new(format!(
            "website: the gateway's secret cannot be read from {}",
            path.display()
        ))
    })?;
    match text.trim() {
        "" => Err(Failure::new(format!("website: {} is empty", path.display())).into()),
        secret => Ok(Secret::new(secret)),
    }
}

/// Whether a request brings the gateway's secret.
pub fn is_from_gateway(headers: &HeaderMap, secret: &Secret) -> bool {
    headers
        .get("x-dtaas-gateway")
        .is_some_and(|value| value.as_bytes().ct_eq(secret.expose().as_bytes()).into())
}

/// Who the gateway says is asking.
pub fn visitor(headers: &HeaderMap) -> Visitor {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Visitor {
        user: text("x-forwarded-user").and_then(|name| name.parse().ok()),
        groups: text("x-forwarded-groups")
            .unwrap_or_default()
            .split(',')
            .filter(|group| !group.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}
