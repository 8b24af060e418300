//! Where a request that changes something comes from.

use axum::http::header::HeaderName;
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

/// Whether nothing says that it was sent by a page of another origin: nobody may write in a user's name from there. A browser asks us
/// before it sends such a request for such a page, and hears nothing that allows it; this is for one that sends all the same.
pub fn is_from_here(headers: &HeaderMap) -> bool {
    match headers.get(FETCH_SITE).map(|value| value.as_bytes()) {
        None | Some(b"same-origin" | b"none") => true,
        Some(_) => false,
    }
}
