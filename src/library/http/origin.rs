//! Where a request that changes something comes from.

use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, StatusCode};

use super::super::gate::Denied;

/// What a browser says of where a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The answer to what comes from elsewhere.
pub const CROSS_SITE: Denied = Denied {
    status: StatusCode::FORBIDDEN,
    code: "CROSS_SITE",
    message: "a page of another origin may not change the library",
};

/// Whether nothing says that it was sent by a page of another origin: nobody may write in a user's name from there, also from an
/// origin whose pages may read. To an address of plain http browsers send no `Sec-Fetch-Site`; there `Origin` tells (the Fetch
/// standard, "Origin header"), which they send with all but GET and HEAD. What sends neither is no page.
pub fn is_from_here(headers: &HeaderMap) -> bool {
    match headers.get(FETCH_SITE).map(|value| value.as_bytes()) {
        Some(b"same-origin" | b"none") => true,
        Some(_) => false,
        None => is_of_host(headers),
    }
}

/// Whether `Origin`, where it is sent, is of the host that is asked. Schemes are not compared: behind a proxy that ends TLS the
/// server does not know its own.
fn is_of_host(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return true;
    };
    let (Ok(origin), None) = (origin.to_str(), origins.next()) else {
        return false;
    };
    let Some(("http" | "https", authority)) = origin.split_once("://") else {
        // Such as `null`: a page that hides where it is from.
        return false;
    };
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn is_from_here_with(headers: &[(HeaderName, &'static str)]) -> bool {
        let mut map = HeaderMap::from_iter([(HOST, HeaderValue::from_static("lab.foo.com:4001"))]);
        for (name, value) in headers {
            map.append(name, HeaderValue::from_static(value));
        }
        is_from_here(&map)
    }

    #[test]
    fn without_a_word_on_the_site_the_origin_tells() {
        assert!(is_from_here_with(&[]));
        for here in ["http://lab.foo.com:4001", "https://LAB.foo.com:4001"] {
            assert!(is_from_here_with(&[(ORIGIN, here)]), "{here}");
        }
        for elsewhere in [
            "http://evil.com",
            "http://lab.foo.com",
            "http://lab.foo.com:4002",
            "http://lab.foo.com:4001.evil.com",
            "ftp://lab.foo.com:4001",
            "lab.foo.com:4001",
            "null",
            "",
        ] {
            assert!(!is_from_here_with(&[(ORIGIN, elsewhere)]), "{elsewhere:?}");
        }
        let twice = [
            (ORIGIN, "http://lab.foo.com:4001"),
            (ORIGIN, "http://evil.com"),
        ];
        assert!(!is_from_here_with(&twice));
    }

    #[test]
    fn a_word_on_the_site_counts_more_than_names() {
        // Given a proxy that asks by another name, the browser knows better.
        let behind = [(ORIGIN, "https://foo.com"), (FETCH_SITE, "same-origin")];
        assert!(is_from_here_with(&behind));
        let elsewhere = [
            (ORIGIN, "http://lab.foo.com:4001"),
            (FETCH_SITE, "same-site"),
        ];
        assert!(!is_from_here_with(&elsewhere));
    }
}
