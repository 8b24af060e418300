//! Where a request that changes something comes from.

use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};

use super::super::gate::Denied;

/// What a browser says of where a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The answer to what comes from elsewhere.
pub const CROSS_SITE: Denied = Denied {
    status: StatusCode::FORBIDDEN,
    code: "CROSS_SITE",
    message: "a page of another origin may not change the library",
};

/// Whether nothing says that it was sent by a page of another origin: nobody may write in a user's name from there. A browser asks us
/// before it sends such a request for such a page, and hears nothing that allows it; this is for one that sends all the same.
pub fn is_from_here(headers: &HeaderMap) -> bool {
    match headers.get(FETCH_SITE).map(|value| value.as_bytes()) {
        Some(b"same-origin" | b"none") => true,
        Some(_) => false,
        // Browsers say it to https and to this machine alone (W3C, "Fetch Metadata Request Headers"). They always say of which origin a page
        // is that changes something; who says neither is no browser.
        None => match headers.get(ORIGIN) {
            None => true,
            Some(origin) => is_hosts(origin, headers.get(HOST)),
        },
    }
}

/// Whether an origin is that of the host that is asked. Which scheme it was asked by is not known here.
fn is_hosts(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_ascii_lowercase);
    let (Some(origin), Some(host)) = (text(origin), host.and_then(text)) else {
        return false;
    };
    let usual = [("https://", ":443"), ("http://", ":80")];
    usual.into_iter().any(|(scheme, port)| {
        let bare = |authority: &str| authority.trim_end_matches(port).to_owned();
        let authority = origin.strip_prefix(scheme);
        authority.is_some_and(|authority| bare(authority) == bare(&host))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_origin_is_not_from_here() {
        let is_from_here = |said: &[(HeaderName, &'static str)]| {
            let said = said.iter().cloned();
            let said = said.map(|(name, value)| (name, HeaderValue::from_static(value)));
            is_from_here(&said.collect())
        };
        let host = |host| (HOST, host);
        let origin = |origin| (ORIGIN, origin);
        let site = |site| (FETCH_SITE, site);
        assert!(is_from_here(&[host("foo.com")]));
        assert!(is_from_here(&[host("foo.com"), site("same-origin")]));
        assert!(!is_from_here(&[host("foo.com"), site("same-site")]));
        for (asked, page) in [
            ("foo.com", "https://foo.com"),
            ("foo.com:443", "https://foo.com"),
            ("Foo.com", "http://foo.com"),
            ("10.0.0.1:4001", "http://10.0.0.1:4001"),
            ("[::1]:4001", "http://[::1]:4001"),
        ] {
            assert!(is_from_here(&[host(asked), origin(page)]), "{asked} {page}");
        }
        for (asked, page) in [
            ("foo.com", "https://evil.com"),
            ("foo.com:4001", "http://foo.com"),
            ("foo.com", "http://foo.com:8080"),
            ("foo.com", "https://foo.com.evil.com"),
            ("foo.com", "null"),
        ] {
            assert!(
                !is_from_here(&[host(asked), origin(page)]),
                "{asked} {page}"
            );
        }
        assert!(!is_from_here(&[origin("https://foo.com")]));
    }
}
