//! Who is asking. The user's name counts only from the gateway.

use std::net::IpAddr;

use axum::http::header::HOST;
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
    /// Whoever is on this machine sees all of it. They ask by a name of this machine, or by one of these: a page from elsewhere
    /// can have its own name lead here (DNS rebinding), and would read the library as if it were its own.
    Local(Vec<String>),
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
        let denied = |status, code, message| Denied {
            status,
            code,
            message,
        };
        let secret = match self {
            Gate::Open => return Ok(Viewer::Everyone),
            Gate::Local(names) => {
                return match is_addressed(headers, names) {
                    true => Ok(Viewer::Everyone),
                    false => Err(denied(
                        StatusCode::MISDIRECTED_REQUEST,
                        "MISDIRECTED",
                        "this server is asked as localhost or 127.0.0.1; --host NAME adds a name, as of a proxy in front of it",
                    )),
                };
            }
            Gate::Gateway(secret) => secret,
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

/// Whether a request asks for this machine by itself, or for one of these names. One that names nobody (HTTP/1.0) comes from no
/// browser.
fn is_addressed(headers: &HeaderMap, names: &[String]) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => return true,
        (Some(host), None) => host.to_str().unwrap_or_default().to_ascii_lowercase(),
        (Some(_), Some(_)) => return false,
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host.as_str(),
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        || names.iter().any(|known| known.eq_ignore_ascii_case(name))
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
    fn this_machine_is_asked_by_its_own_names() {
        let gate = Gate::Local(vec!["Foo.com".to_owned()]);
        let asked = |hosts: &[&str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, HeaderValue::from_str(host).unwrap());
            }
            gate.viewer(&headers).is_ok()
        };
        for host in [
            "localhost",
            "localhost:4001",
            "LOCALHOST:4001",
            "127.0.0.1:4001",
            "127.8.8.8",
            "[::1]:4001",
            "foo.com",
            "FOO.com:443",
        ] {
            assert!(asked(&[host]), "{host}");
        }
        assert!(asked(&[]));
        for host in [
            "evil.com:4001",
            "localhost.evil.com",
            "127.0.0.1.evil.com",
            "10.0.0.1",
            "",
        ] {
            assert!(!asked(&[host]), "{host}");
        }
        assert!(!asked(&["localhost", "evil.com"]));
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
