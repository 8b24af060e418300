//! Who is asking. The user's name counts only from the gateway.

use axum::http::{HeaderMap, StatusCode};

use crate::gate::{self, Proof};
use crate::secrets::Secret;

use super::path::Viewer;

/// The group whose members may write the shared folder.
const PUBLISHERS: &str = "publishers";

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
    /// Whose eyes this request sees with.
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
        const THROUGH: &str = "the library is reached through the gateway";
        match gate::proof(headers, secret) {
            Proof::Right => {
                let publisher = gate::groups(headers)
                    .iter()
                    .any(|group| group == PUBLISHERS);
                gate::user(headers)
                    .map(|name| Viewer::User { name, publisher })
                    .ok_or(denied(
                        StatusCode::FORBIDDEN,
                        "FORBIDDEN",
                        "the request names no user",
                    ))
            }
            Proof::Wrong => Err(denied(StatusCode::FORBIDDEN, "FORBIDDEN", THROUGH)),
            Proof::Missing => Err(denied(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", THROUGH)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};
    use gate::{GATEWAY_HEADER, GROUPS_HEADER, USER_HEADER};

    fn answer(headers: &[(HeaderName, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        match Gate::Gateway(Secret::new("s3cret")).viewer(&map) {
            Ok(Viewer::User { name, publisher }) => match publisher {
                true => format!("{name}, a publisher"),
                false => name.to_string(),
            },
            Ok(Viewer::Everyone) => "EVERYONE".into(),
            Err(denied) => format!("{} {}", denied.status.as_u16(), denied.code),
        }
    }

    #[test]
    fn a_user_counts_only_from_the_gateway() {
        let gateway = |value| (GATEWAY_HEADER, value);
        let user = |value| (USER_HEADER, value);
        let groups = |value| (GROUPS_HEADER, value);
        for (headers, expected) in [
            (vec![gateway("s3cret"), user("alice")], "alice"),
            (
                vec![
                    gateway("s3cret"),
                    user("alice"),
                    groups("admins,publishers"),
                ],
                "alice, a publisher",
            ),
            (
                vec![gateway("s3cret"), user("alice"), groups("publishersx")],
                "alice",
            ),
            (
                vec![user("alice"), groups("publishers")],
                "401 UNAUTHENTICATED",
            ),
            (vec![gateway("s3cre"), user("alice")], "403 FORBIDDEN"),
            (vec![gateway("s3cret")], "403 FORBIDDEN"),
        ] {
            assert_eq!(answer(&headers), expected, "{headers:?}");
        }
    }
}
