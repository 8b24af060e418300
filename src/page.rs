//! Pages and their files, which the executable carries: how they are sent, and what a browser may do with them.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::platform::desired::digest;

/// Nothing from elsewhere, nothing inline: a page that shows users' names and files runs no script but its own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'";

/// `Content-Type` of a page.
pub const HTML: &str = "text/html; charset=utf-8";
/// `Content-Type` of a script.
pub const SCRIPT: &str = "text/javascript; charset=utf-8";
/// `Content-Type` of a style sheet.
pub const STYLE: &str = "text/css; charset=utf-8";

/// A file that the executable carries.
pub struct Asset {
    /// What it is called below the folder of its kind.
    pub name: &'static str,
    content_type: &'static str,
    body: &'static str,
    /// Quotes included.
    etag: String,
}

impl Asset {
    /// A file of this name, kind and contents.
    pub fn new(name: &'static str, content_type: &'static str, body: &'static str) -> Self {
        Self {
            name,
            content_type,
            body,
            etag: format!("\"{}\"", &digest([body])[..32]),
        }
    }

    /// The answer to a request with these headers. A browser keeps the file and asks each time whether it is still the one:
    /// another version of the executable may have another.
    pub fn send(&self, headers: &HeaderMap) -> Response {
        let known = headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .any(|tag| {
                matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == self.etag
            });
        let caching = [(ETAG, self.etag.as_str()), (CACHE_CONTROL, "no-cache")];
        if known {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        (caching, [(CONTENT_TYPE, self.content_type)], self.body).into_response()
    }
}

/// Adds what every answer of ours to a browser bears; a policy of its own stays. What says nothing about keeping it is not kept.
pub fn guard(response: &mut Response) {
    let headers = response.headers_mut();
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(POLICY));
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}
