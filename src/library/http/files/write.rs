//! Removing, moving and making directories over HTTP.

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{ALLOW, HOST, HeaderName};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;

use super::super::super::conditions::Conditions;
use super::super::super::path::{Place, resolve};
use super::super::super::refusal::{Reason, Refusal};
use super::super::origin::{CROSS_SITE, is_from_here};
use super::put;
use super::{Asked, Wrong, allowed, below};

/// Where something is moved to.
pub const DESTINATION: HeaderName = HeaderName::from_static("destination");
/// Whether a move may replace something.
const OVERWRITE: HeaderName = HeaderName::from_static("overwrite");

/// Lets nobody write in a user's name from a page of another origin.
pub fn from_here(headers: &HeaderMap) -> Result<(), Wrong> {
    match is_from_here(headers) {
        true => Ok(()),
        false => Err(Wrong::new(
            CROSS_SITE.status,
            CROSS_SITE.code,
            CROSS_SITE.message,
        )),
    }
}

/// Removes something.
pub async fn delete(asked: Asked<'_>, headers: &HeaderMap) -> Result<Response, Wrong> {
    from_here(headers)?;
    let place = asked.inside()?;
    if let Some(upload) = put::upload_name(&asked)? {
        let total = put::total(headers)?;
        asked
            .local
            .give_up(asked.viewer, place, upload, total)
            .await?;
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    let recursive = asked.parameter("recursive").is_some();
    let conditions = Conditions::of(headers);
    let removed = asked
        .local
        .remove(asked.viewer, place, recursive, conditions);
    removed.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Moves something.
pub async fn rename(asked: Asked<'_>, headers: &HeaderMap) -> Result<Response, Wrong> {
    from_here(headers)?;
    let from = asked.inside()?;
    let path = destination(&asked, headers)?;
    let Place::Inside(to) = resolve(asked.viewer, &path)? else {
        return Err(Refusal::new("/", Reason::Forbidden).into());
    };
    let overwrite = match headers.get(OVERWRITE).map(|value| value.as_bytes()) {
        None | Some(b"T" | b"t") => true,
        Some(b"F" | b"f") => false,
        Some(_) => return Err(Wrong::bad_request("Overwrite is T or F")),
    };
    let shown = to.shown.clone();
    let moved = asked
        .local
        .rename(asked.viewer, from, to, overwrite, Conditions::of(headers))
        .await;
    let replaced = moved.map_err(|refusal| {
        let at_target = refusal.path() == shown;
        let status = match (refusal.reason(), at_target) {
            // RFC 4918, section 9.9.4: the directory above is missing; something is there that shall not be replaced.
            (Reason::NotFound, true) => StatusCode::CONFLICT,
            (Reason::Exists, true) if !overwrite => StatusCode::PRECONDITION_FAILED,
            _ => refusal.status(),
        };
        Wrong::from(refusal).status(status)
    })?;
    Ok(empty(match replaced {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::CREATED,
    }))
}

/// The path that `Destination` names: the address of a file here, with or without the server's name.
fn destination(asked: &Asked<'_>, headers: &HeaderMap) -> Result<String, Wrong> {
    let missing = || Wrong::bad_request("MOVE takes the new address in the header Destination");
    let text = headers.get(DESTINATION).ok_or_else(missing)?;
    let uri: Uri = Uri::try_from(text.as_bytes()).map_err(|_| missing())?;
    let elsewhere = || {
        Wrong::new(
            StatusCode::BAD_GATEWAY,
            "BAD_REQUEST",
            "Destination is not an address of this library's files",
        )
    };
    if let Some(authority) = uri.authority() {
        let host = headers.get(HOST).map(|host| host.as_bytes());
        if host != Some(authority.as_str().as_bytes()) {
            return Err(elsewhere());
        }
    }
    below(asked.service, uri.path()).ok_or_else(elsewhere)?
}

/// Makes a directory.
pub async fn make_directory(asked: Asked<'_>, request: Request) -> Result<Response, Wrong> {
    from_here(request.headers())?;
    let place = asked.inside()?;
    if !request.body().is_end_stream() {
        return Err(Wrong::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "BAD_REQUEST",
            "MKCOL takes no body",
        ));
    }
    let made = asked.local.make_directory(asked.viewer, place).await;
    made.map_err(|refusal| match refusal.reason() {
        // RFC 4918, section 9.3.1.
        Reason::NotFound => Wrong::from(refusal).status(StatusCode::CONFLICT),
        Reason::Exists => Wrong::from(refusal)
            .status(StatusCode::METHOD_NOT_ALLOWED)
            .with(ALLOW, allowed(asked.local)),
        _ => refusal.into(),
    })?;
    Ok(empty(StatusCode::CREATED))
}

pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
