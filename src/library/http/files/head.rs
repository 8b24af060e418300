//! The headers of an answer that brings what users have put into the library: it must never act as a page of ours.

use std::borrow::Cow;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::super::media;

/// Who may show it as a part of their page: our own origin alone.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// A browser that shows it does so in an origin of its own, without scripts, forms or windows, and loads nothing for it
/// but the picture, sound or film that it is.
const SANDBOX: &str = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; \
                       style-src 'unsafe-inline'; frame-ancestors 'self'";
/// What RFC 8187 (attr-char) lets stand as it is in a parameter.
const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Adds what every such answer has. `name` is the file's, `kind` its media type.
pub fn describe(headers: &mut HeaderMap, name: &str, kind: &str) {
    let harmless = media::is_harmless(kind);
    set(headers, CONTENT_TYPE, kind);
    set(headers, CONTENT_DISPOSITION, &disposition(name, harmless));
    confine(headers);
}

/// Adds what keeps an answer from acting: also one that holds only names.
pub fn confine(headers: &mut HeaderMap) {
    set(headers, CONTENT_SECURITY_POLICY, SANDBOX);
    set(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, RESOURCE_POLICY, "same-origin");
    set(headers, REFERRER_POLICY, "no-referrer");
    // A browser may keep it, and asks each time whether it is still so.
    set(headers, CACHE_CONTROL, "private, no-cache");
}

/// Sets a header whose value holds what may stand in one.
pub fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// How a browser shall take it, and under which name it is saved (RFC 6266): for old clients in ASCII, for all others
/// exactly (RFC 8187).
fn disposition(name: &str, harmless: bool) -> String {
    let kind = if harmless { "inline" } else { "attachment" };
    let plain: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '/' | '%' => '_',
            ' '..='~' => c,
            _ => '_',
        })
        .collect();
    let exact: Cow<'_, str> = utf8_percent_encode(name, PARAMETER).into();
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_to_old_clients_and_to_new_ones() {
        for (name, harmless, expected) in [
            (
                "a.txt",
                true,
                "inline; filename=\"a.txt\"; filename*=UTF-8''a.txt",
            ),
            (
                "digital twin.html",
                false,
                "attachment; filename=\"digital twin.html\"; filename*=UTF-8''digital%20twin.html",
            ),
            (
                "Kran \"ä\"\\\r\n.csv",
                true,
                "inline; filename=\"Kran ______.csv\"; filename*=UTF-8''Kran%20%22%C3%A4%22%5C%0D%0A.csv",
            ),
            (
                "50%.md",
                true,
                "inline; filename=\"50_.md\"; filename*=UTF-8''50%25.md",
            ),
        ] {
            let said = disposition(name, harmless);
            assert_eq!(said, expected);
            assert!(HeaderValue::from_str(&said).is_ok());
        }
    }
}
