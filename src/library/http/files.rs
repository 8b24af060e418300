//! The files of the library as files, below `<endpoint>/files/`.
//!
//! | request | does |
//! |---|---|
//! | `GET`, `HEAD` of a file | the file, or the one part of it that `Range` asks for |
//! | `GET`, `HEAD` of a directory | what it holds, as JSON; with `?zip` or `Accept: application/zip` all of it as a zip |
//! | `PUT` | makes or replaces a file: [`put`] |
//! | `DELETE` | removes a file or an empty directory; `?recursive` also one that holds something |
//! | `MOVE` | to the path in `Destination`; `Overwrite: F` replaces nothing (RFC 4918, section 9.9) |
//! | `MKCOL` | makes a directory (RFC 4918, section 9.3) |
//!
//! `If-Match`, `If-None-Match`, `If-Modified-Since`, `If-Unmodified-Since` and `If-Range` count as RFC 9110 has them. What
//! writes is refused unless the server was told to take it, and always when a browser says that another site sent it. What is
//! refused for now says in `Retry-After` when to come again.

mod directory;
mod file;
mod head;
mod put;
mod range;
mod stream;
mod write;
mod zip;
mod zip_name;

use axum::extract::{Query, Request};
use axum::http::header::{ALLOW, HeaderName, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use percent_encoding::percent_decode_str;

use super::super::local::Local;
use super::super::path::{Inside, Place, Viewer, resolve};
use super::super::refusal::{Reason, Refusal};
use super::super::whose::Whose;
use super::graphql::{Outcome, respond};
use super::{Entry, Service};

/// Where the files are, below the endpoint.
pub const PREFIX: &str = "/files";
/// What an address of one of them begins with.
pub const BELOW: &str = "/files/";

/// What is served, as `Allow` says it.
const READING: &str = "GET, HEAD, OPTIONS";
const WRITING: &str = "GET, HEAD, OPTIONS, PUT, DELETE, MOVE, MKCOL";

/// A request that is turned away: how, and why.
#[derive(Debug)]
struct Wrong {
    status: StatusCode,
    code: &'static str,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Wrong {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            headers: Vec::new(),
        }
    }

    fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Self {
        let wrong = Self::new(refusal.status(), refusal.code(), refusal.to_string());
        match refusal.reason() {
            Reason::Busy => wrong.with(RETRY_AFTER, HeaderValue::from_static("1")),
            Reason::Crowded(_) => wrong.with(RETRY_AFTER, HeaderValue::from_static("5")),
            _ => wrong,
        }
    }
}

/// What a request is about, beside its headers.
struct Asked<'a> {
    service: &'a Service,
    local: &'a Local,
    viewer: &'a Viewer,
    whose: Whose,
    /// The path as it was asked for, decoded.
    path: String,
    place: Place,
    parameters: Vec<(String, String)>,
}

impl Asked<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A place that may be changed at all: not the top level.
    fn inside(&self) -> Result<Inside, Wrong> {
        match &self.place {
            Place::Inside(inside) => Ok(inside.clone()),
            Place::Top(_) => Err(Refusal::new("/", Reason::Forbidden).into()),
        }
    }
}

/// Answers a request for a file or a directory.
pub async fn answer(service: &Service, viewer: &Viewer, request: Request) -> (Response, Entry) {
    let method = request.method().clone();
    let path = path_of(service, request.uri());
    let shown = path.as_deref().unwrap_or_else(|_| request.uri().path());
    let mut summary = format!("{method} {shown:?}");
    if let Some(destination) = request.headers().get(write::DESTINATION) {
        summary.push_str(&format!(" {destination:?}"));
    }
    let outcome = match path {
        Ok(path) => dispatch(service, viewer, path, request).await,
        Err(wrong) => Err(wrong),
    };
    match outcome {
        Ok(response) => {
            let status = response.status();
            let entry = Entry {
                summary,
                status,
                error: None,
            };
            (response, entry)
        }
        Err(wrong) => {
            let outcome = Outcome::refused(wrong.status, wrong.code, &wrong.message);
            let entry = Entry {
                summary,
                status: wrong.status,
                error: Some((wrong.code.to_owned(), wrong.message)),
            };
            let mut response = respond(outcome);
            for (name, value) in wrong.headers {
                response.headers_mut().insert(name, value);
            }
            (response, entry)
        }
    }
}

async fn dispatch(
    service: &Service,
    viewer: &Viewer,
    path: String,
    request: Request,
) -> Result<Response, Wrong> {
    let place = resolve(viewer, &path)?;
    let Some(local) = service.source.disk() else {
        return Err(Refusal::new(&path, Reason::NotSupported).into());
    };
    let Query(parameters) = Query::try_from_uri(request.uri())
        .map_err(|_| Wrong::bad_request("the part behind the question mark cannot be read"))?;
    let asked = Asked {
        service,
        local,
        whose: Whose::of(viewer),
        viewer,
        path,
        place,
        parameters,
    };
    match request.method().as_str() {
        "GET" | "HEAD" => file::get(asked, request).await,
        "OPTIONS" => Ok(options(local)),
        "PUT" => put::put(asked, request).await,
        "DELETE" => write::delete(asked, request.headers()).await,
        "MOVE" => write::rename(asked, request.headers()).await,
        "MKCOL" => write::make_directory(asked, request).await,
        _ => Err(Wrong::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "BAD_REQUEST",
            "files know GET, HEAD, PUT, DELETE, MOVE and MKCOL",
        )
        .with(ALLOW, allowed(local))),
    }
}

fn allowed(local: &Local) -> HeaderValue {
    HeaderValue::from_static(match local.limits() {
        Some(_) => WRITING,
        None => READING,
    })
}

/// What may be done here. Nothing is said that would let pages of another origin do it (CORS).
fn options(local: &Local) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allowed(local));
    response
}

/// The path that an address names: what follows `<endpoint>/files`, decoded once.
fn path_of(service: &Service, uri: &Uri) -> Result<String, Wrong> {
    below(service, uri.path()).unwrap_or_else(|| Ok(String::new()))
}

/// The same for any path; `None` for one that is not of the files.
fn below(service: &Service, path: &str) -> Option<Result<String, Wrong>> {
    let rest = path.strip_prefix(service.path.as_str())?;
    let encoded = match rest.strip_prefix(BELOW) {
        Some(encoded) => encoded,
        None if rest == PREFIX => "",
        None => return None,
    };
    let decoded = percent_decode_str(encoded).decode_utf8();
    Some(match decoded {
        Ok(text) if !text.contains('\0') => Ok(text.into_owned()),
        Ok(_) | Err(_) => Err(Wrong::bad_request("the path is not UTF-8, or holds a NUL")),
    })
}

/// Whether a header's list names a value, whatever parameters it has there.
fn lists(headers: &HeaderMap, name: HeaderName, value: &str) -> bool {
    let lines = headers.get_all(name).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|item| item.split(';').next())
        .any(|item| item.trim().eq_ignore_ascii_case(value))
}
