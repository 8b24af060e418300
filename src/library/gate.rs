//! Who is asking. The user's name counts only from the gateway, which proves itself with a secret.

use axum::http::{HeaderMap, HeaderName, StatusCode};
use subtle::ConstantTimeEq;

use crate::secrets::Secret;

use super::path::Viewer;

/// The header that carries what only the gateway and this server know.
pub const GATEWAY_HEADER: HeaderName = HeaderName::from_static("x-dtaas-gateway");
/// The header that carries the user's name, set by the gateway.
pub const USER_HEADER: HeaderName = HeaderName::from_static("x-forwarded-user");

/// Who may ask, and as whom.
#[derive(Debug, Clone)]
pub enum Gate {
    /// Anyone who reaches the server sees all of it, as in v0.2.
    Open,
    /// Only the gateway, in the name of its user.
    Gateway(Secret),
}

/// A request that is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// What it is answered with.
    pub status: StatusCode,
    /// What stands in `extensions.code`.
    pub code: &'static str,
    /// For whoever asked; holds nothing of what they sent.
    pub message: &'static str,
}

impl Gate {
    /// Whose eyes this request sees with. Headers that stand there twice count as none: nobody can tell which of
    /// them the gateway set.
    ///
    /// # Errors
    ///
    /// The answer to a request that did not come through the gateway, or that names no user.
    pub fn viewer(&self, headers: &HeaderMap) -> Result<Viewer, Denied> {
        let secret = match self {
            Gate::Open => return Ok(Viewer::Everyone),
            Gate::Gateway(secret) => secret,
        };
        let denied = |status, code, message| Denied {
            status,
            code,
            message,
        };
        let Some(shown) = only(headers, &GATEWAY_HEADER) else {
            return Err(denied(
                StatusCode::UNAUTHORIZED,
                "UNAUTHENTICATED",
                "the library is reached through the gateway",
            ));
        };
        if !bool::from(shown.ct_eq(secret.expose().as_bytes())) {
            return Err(denied(
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                "the library is reached through the gateway",
            ));
        }
        only(headers, &USER_HEADER)
            .and_then(|name| std::str::from_utf8(name).ok()?.parse().ok())
            .map(Viewer::User)
            .ok_or(denied(
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                "the request names no user",
            ))
    }
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn answer(headers: &[(HeaderName, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        match Gate::Gateway(Secret::new("s3cret")).viewer(&map) {
            Ok(Viewer::User(user)) => user.to_string(),
            Ok(Viewer::Everyone) => "EVERYONE".into(),
            Err(denied) => format!("{} {}", denied.status.as_u16(), denied.code),
        }
    }

    #[test]
    fn a_user_counts_only_from_the_gateway() {
        let gateway = |value| (GATEWAY_HEADER, value);
        let user = |value| (USER_HEADER, value);
        for (headers, expected) in [
            (vec![gateway("s3cret"), user("alice")], "alice"),
            (vec![user("alice")], "401 UNAUTHENTICATED"),
            (vec![gateway(""), user("alice")], "403 FORBIDDEN"),
            (vec![gateway("s3cre"), user("alice")], "403 FORBIDDEN"),
            (vec![gateway("s3cret2"), user("alice")], "403 FORBIDDEN"),
            (vec![gateway("s3cret")], "403 FORBIDDEN"),
            (vec![gateway("s3cret"), user("common")], "403 FORBIDDEN"),
            (vec![gateway("s3cret"), user("../bob")], "403 FORBIDDEN"),
            (
                vec![gateway("s3cret"), user("alice"), user("bob")],
                "403 FORBIDDEN",
            ),
            (
                vec![gateway("x"), gateway("s3cret"), user("alice")],
                "401 UNAUTHENTICATED",
            ),
        ] {
            assert_eq!(answer(&headers), expected, "{headers:?}");
        }
    }
}
