//! A request as whoever decides about it needs to see it, whether the gateway asks about it or it stands before us itself.

use std::fmt;
use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{ACCEPT, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method};
use ipnet::IpNet;

use crate::gate;

/// Where a visitor's request came to, as the gateway tells (Traefik, "ForwardAuth": the headers that it sends).
const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const ADDRESS: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What browsers say about where a request comes from (Fetch Metadata); no page can set them.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The most that the address of a page holds to which somebody comes back, in bytes. Written into another it may take three times as many.
pub const ADDRESS_MAX: usize = 4096;

/// Who stands between visitors and us.
#[derive(Debug, Clone)]
pub enum Front {
    /// The gateway, which says whom it saw; and the addresses of the proxies in front of it that are believed.
    Gateway(Vec<IpNet>),
    /// Nobody: every visitor is on this machine.
    Nobody,
}

/// A visitor's request.
pub struct Asked<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What it wants to do.
    pub method: Method,
    /// Whether it came over TLS, to the gateway or to a proxy in front that is believed.
    pub secure: bool,
    /// Path and query as they were sent.
    pub uri: String,
    /// Where it comes from; `None` where nobody says it.
    pub from: Option<IpAddr>,
    /// Whether that is this machine, and not a proxy on it that does not say whom it saw.
    here: bool,
    host: Option<&'a str>,
}

/// Without its headers: they hold cookies and passwords. What its address holds after the path may be as secret.
impl fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.uri.split('?').next().unwrap_or_default();
        f.debug_struct("Asked")
            .field("method", &self.method)
            .field("secure", &self.secure)
            .field("path", &path)
            .field("from", &self.from)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    gate::only(headers, name)?.to_str().ok()
}

impl Front {
    /// Who sent a request: from the end of what proxies added, the first address that is none of theirs.
    fn sender(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let Self::Gateway(proxies) = self else {
            return Some(IpAddr::from([127, 0, 0, 1]));
        };
        let mut last = None;
        for value in headers.get_all(&ADDRESS).iter().rev() {
            for address in value.to_str().ok()?.rsplit(',') {
                let Ok(address) = address.trim().parse::<IpAddr>() else {
                    return last;
                };
                last = Some(address);
                if !proxies.iter().any(|proxy| proxy.contains(&address)) {
                    return last;
                }
            }
        }
        last
    }

    /// Whether an address is this machine's, and a visitor's: a proxy on it that says of nobody whom it saw may stand for anybody.
    fn is_here(&self, address: IpAddr) -> bool {
        let proxy = match self {
            Self::Gateway(proxies) => proxies.iter().any(|proxy| proxy.contains(&address)),
            Self::Nobody => false,
        };
        address.is_loopback() && !proxy
    }

    fn secure(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Gateway(_) => matches!(one(headers, &PROTO), Some("https" | "wss")),
            Self::Nobody => false,
        }
    }

    /// The request that the gateway asks about: it stands in headers, and the request that asks has the visitor's own headers besides.
    pub fn about<'a>(&self, headers: &'a HeaderMap) -> Asked<'a> {
        let method = one(headers, &METHOD).and_then(|method| method.parse().ok());
        let from = self.sender(headers);
        Asked {
            headers,
            method: method.unwrap_or(Method::GET),
            secure: self.secure(headers),
            uri: one(headers, &URI).unwrap_or("/").to_owned(),
            from,
            here: from.is_some_and(|address| self.is_here(address)),
            host: one(headers, &FORWARDED_HOST),
        }
    }

    /// The request that stands before us.
    pub fn before<'a>(&self, request: &'a Request) -> Asked<'a> {
        let headers = request.headers();
        let uri = request.uri();
        let from = self.sender(headers);
        Asked {
            headers,
            method: request.method().clone(),
            secure: self.secure(headers),
            uri: uri
                .path_and_query()
                .map_or_else(|| uri.path(), |both| both.as_str())
                .to_owned(),
            from,
            here: from.is_some_and(|address| self.is_here(address)),
            host: one(headers, &HOST),
        }
    }
}

impl Asked<'_> {
    /// Whether the visitor is on this machine.
    pub fn is_from_here(&self) -> bool {
        self.here
    }

    /// The address of the platform as the visitor's browser knows it: scheme, host and port.
    pub fn origin(&self) -> Option<String> {
        let scheme = if self.secure { "https" } else { "http" };
        self.host.map(|host| format!("{scheme}://{host}"))
    }

    /// Whether it is a person's browser going to a page, and not a program, or a page that fetches something.
    pub fn wants_page(&self) -> bool {
        let reads = matches!(self.method, Method::GET | Method::HEAD);
        reads
            && match one(self.headers, &MODE) {
                Some(mode) => mode == "navigate",
                None => one(self.headers, &ACCEPT).is_some_and(|kinds| kinds.contains("text/html")),
            }
    }

    /// Whether a browser sends it at all, as far as that shows.
    pub fn is_browsers(&self) -> bool {
        self.headers.contains_key(&SITE) || self.headers.contains_key(&MODE)
    }

    /// Whether the platform itself, a program, or somebody who goes to a page has sent it, and not some other page in a browser
    /// behind its user's back. What a browser adds by itself (cookies, a remembered password) counts only then. A page that is sandboxed,
    /// as assets and shared programs are, is another page than ours.
    pub fn is_willing(&self) -> bool {
        match one(self.headers, &SITE) {
            Some("same-origin" | "none") => true,
            Some(_) => {
                let shown = one(self.headers, &DESTINATION) == Some("document");
                self.wants_page() && shown
            }
            None if self.headers.contains_key(&SITE) => false,
            None => self.is_own_origin(),
        }
    }

    /// For browsers that do not say the above: whoever is asked to change something is told the page's origin.
    fn is_own_origin(&self) -> bool {
        if !self.headers.contains_key(ORIGIN) {
            return true;
        }
        one(self.headers, &ORIGIN)
            .zip(self.origin())
            .is_some_and(|(said, own)| said.eq_ignore_ascii_case(&own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn gateway() -> Front {
        Front::Gateway(Vec::new())
    }

    #[test]
    fn the_sender_is_whom_the_gateway_saw() {
        let sent = |front: &Front, values: &[&str]| {
            let pairs: Vec<_> = values
                .iter()
                .map(|value| ("x-forwarded-for", *value))
                .collect();
            front
                .sender(&headers(&pairs))
                .map(|address| address.to_string())
        };
        let front = gateway();
        assert_eq!(sent(&front, &["192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(
            sent(&front, &["10.9.9.9, 192.0.2.1"]).as_deref(),
            Some("192.0.2.1")
        );
        assert_eq!(
            sent(&front, &["10.9.9.9", "192.0.2.1"]).as_deref(),
            Some("192.0.2.1")
        );
        assert_eq!(
            sent(&front, &["2001:db8::1"]).as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(sent(&front, &["unknown"]), None);
        assert_eq!(sent(&front, &[]), None);

        // A proxy that is believed says whom it saw; what stands before that anybody may have written.
        let front = Front::Gateway(vec!["192.0.2.0/24".parse().unwrap()]);
        assert_eq!(
            sent(&front, &["10.9.9.9, 198.51.100.7, 192.0.2.1"]).as_deref(),
            Some("198.51.100.7")
        );
        assert_eq!(sent(&front, &["192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(
            sent(&front, &["rubbish, 192.0.2.1"]).as_deref(),
            Some("192.0.2.1")
        );
    }

    #[test]
    fn a_proxy_on_this_machine_is_not_its_visitor() {
        let here = |front: &Front, values: &[&str]| {
            let pairs: Vec<_> = values
                .iter()
                .map(|value| ("x-forwarded-for", *value))
                .collect();
            let headers = headers(&pairs);
            front.about(&headers).is_from_here()
        };
        assert!(here(&gateway(), &["127.0.0.1"]));
        assert!(!here(&gateway(), &["192.0.2.1"]));
        let front = Front::Gateway(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(!here(&front, &["127.0.0.1"]));
        assert!(!here(&front, &["192.0.2.1, 127.0.0.1"]));
        assert!(here(&front, &["::1, 127.0.0.1"]));
        assert!(here(&Front::Nobody, &[]));
    }

    #[test]
    fn what_is_printed_of_a_request_holds_no_secret() {
        let shown = headers(&[
            ("cookie", "dtaas-session-foo=s3cret"),
            ("x-forwarded-uri", "/x?token=s3cret"),
            ("x-forwarded-host", "foo.com"),
        ]);
        let text = format!("{:?}", gateway().about(&shown));
        assert!(
            text.contains("\"/x\"") && !text.contains("s3cret"),
            "{text}"
        );
    }

    #[test]
    fn other_pages_are_told_from_our_own() {
        let willing = |pairs: &[(&str, &str)]| {
            let own = [
                ("x-forwarded-host", "foo.com"),
                ("x-forwarded-proto", "https"),
            ];
            let all = headers(&[&own, pairs].concat());
            gateway().about(&all).is_willing()
        };
        // A program, the address bar, the platform's own pages, a link from elsewhere:
        assert!(willing(&[]));
        assert!(willing(&[("sec-fetch-site", "none")]));
        assert!(willing(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "null")
        ]));
        let navigates = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
        ];
        let document = [("sec-fetch-dest", "document")];
        assert!(willing(&[&navigates[..], &document].concat()));
        assert!(willing(&[("origin", "https://foo.com")]));
        // Another page that posts, frames or fetches:
        let posts = [("x-forwarded-method", "POST")];
        assert!(!willing(&[&navigates[..], &document, &posts].concat()));
        assert!(!willing(
            &[&navigates[..], &[("sec-fetch-dest", "iframe")]].concat()
        ));
        assert!(!willing(&[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "cors")
        ]));
        assert!(!willing(&[
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-mode", "no-cors")
        ]));
        assert!(!willing(&[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-origin")
        ]));
        for origin in [
            "null",
            "https://evil.example",
            "http://foo.com",
            "https://foo.com:8443",
        ] {
            assert!(!willing(&[("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn a_person_goes_to_a_page() {
        let wants = |pairs: &[(&str, &str)]| gateway().about(&headers(pairs)).wants_page();
        assert!(wants(&[("sec-fetch-mode", "navigate")]));
        assert!(wants(&[("accept", "text/html,*/*;q=0.8")]));
        assert!(!wants(&[
            ("accept", "text/html"),
            ("sec-fetch-mode", "cors")
        ]));
        assert!(!wants(&[("accept", "*/*")]));
        assert!(!wants(&[
            ("accept", "text/html"),
            ("x-forwarded-method", "POST")
        ]));
    }
}
