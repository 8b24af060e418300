//! The `Authorization: Basic` header.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::gate;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// Longer headers are not decoded. A name and a password that are accepted need a tenth of it.
const HEADER_MAX: usize = 4096;

/// A name and a password, as they came.
#[derive(Debug)]
pub struct Credentials {
    /// A name that is safe in a path; whether it is a user's is not known yet.
    pub user: UserName,
    /// What was typed.
    pub password: Secret,
}

/// The credentials of a request (RFC 7617, UTF-8); `None` when there are none, more than one, or they cannot be anyone's.
pub fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    parse(gate::only(headers, &AUTHORIZATION)?)
}

fn parse(value: &HeaderValue) -> Option<Credentials> {
    if value.len() > HEADER_MAX {
        return None;
    }
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim_matches(' ')).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credentials {
        user: user.parse().ok()?,
        password: Secret::new(password),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(value: &str) -> Option<(String, String)> {
        parse(&HeaderValue::from_str(value).unwrap())
            .map(|c| (c.user.to_string(), c.password.expose().to_owned()))
    }

    #[test]
    fn a_header_is_taken_apart_at_the_first_colon() {
        let alice = |password: &str| Some(("alice".to_owned(), password.to_owned()));
        assert_eq!(parsed("Basic YWxpY2U6aHVudGVyMg=="), alice("hunter2"));
        assert_eq!(parsed("bAsIc   YWxpY2U6aHVudGVyMg== "), alice("hunter2"));
        assert_eq!(parsed("Basic YWxpY2U6YTpiOg=="), alice("a:b:"));
        assert_eq!(parsed("Basic YWxpY2U6cMOkc3M="), alice("päss"));
    }

    #[test]
    fn what_cannot_be_anyones_is_none() {
        for value in [
            "",
            "Basic",
            "Basic ",
            "Basic YWxpY2U=",
            "Basic YWxpY2U6aHVudGVyMg",
            "Bearer YWxpY2U6aHVudGVyMg==",
            "Basic YWxpY2U6cORzcw==",
            "Basic Li4vYWxpY2U6eA==",
            "Basic QWxpY2U6eA==",
            "BasicYWxpY2U6aHVudGVyMg==",
        ] {
            assert_eq!(parsed(value), None, "{value:?}");
        }
        assert_eq!(parsed(&format!("Basic {}", "YWxp".repeat(2000))), None);
        let mut twice = HeaderMap::new();
        for _ in 0..2 {
            twice.append(
                AUTHORIZATION,
                HeaderValue::from_static("Basic YWxpY2U6eA=="),
            );
        }
        assert!(credentials(&twice).is_none());
    }

    proptest! {
        #[test]
        fn no_header_brings_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let _ = parse(&value);
            }
            let encoded = format!("Basic {}", STANDARD.encode(&bytes));
            if let Some((user, _)) = parsed(&encoded) {
                prop_assert!(!user.contains(['/', '\0', '%']));
            }
        }
    }
}
