//! What a directory holds: for programs as JSON, or all of it as a zip.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;

use axum::extract::Request;
use axum::http::header::{ACCEPT, ACCEPT_RANGES, CONTENT_TYPE, HeaderValue, VARY};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use rustix::fs::AtFlags;
use serde_json::json;

use super::super::super::aside::is_aside;
use super::super::super::contain::{Found, Root};
use super::super::super::details::{Details, Kind};
use super::super::super::entries::shown;
use super::super::super::path::Place;
use super::super::super::refusal::{Reason, Refusal};
use super::super::super::walk::names;
use super::stream::{Pieces, body};
use super::{Asked, Wrong, file, head, lists, zip};

/// Answers GET and HEAD of a directory.
pub async fn get(asked: Asked<'_>, request: Request) -> Result<Response, Wrong> {
    let wants_zip =
        asked.parameter("zip").is_some() || lists(request.headers(), ACCEPT, "application/zip");
    let reads = *request.method() == Method::GET;
    let mut response = match wants_zip {
        true => zip::answer(&asked, reads).await?,
        false => listing(&asked, reads).await?,
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
    Ok(response)
}

/// A list of `{name, type, size, modified}`, sorted by the bytes of the names. Links are not followed; `size` is null but
/// for files, and `modified` where the time cannot be said.
async fn listing(asked: &Asked<'_>, reads: bool) -> Result<Response, Wrong> {
    let place = asked.place.clone();
    let listing = asked
        .local
        .off_thread(move |root| Listing::of(root, &place))
        .await
        .unwrap_or_else(|| Err(Refusal::new("", Reason::Unreadable)))?;
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("application/json");
    headers.insert(CONTENT_TYPE, kind);
    head::confine(&mut headers);
    let contents = match reads {
        true => body(
            asked.local,
            asked.local.flow().turn(),
            listing,
            file::told(asked),
        ),
        false => axum::body::Body::empty(),
    };
    let mut response = Response::new(contents);
    *response.headers_mut() = headers;
    Ok(response)
}

/// A listing, as far as it has been written.
struct Listing {
    directory: OwnedFd,
    names: std::vec::IntoIter<CString>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    Begun,
    Done,
}

impl Listing {
    fn of(root: &Root, place: &Place) -> Result<Self, Refusal> {
        let (directory, names) = match place {
            Place::Top(only) => {
                top(root, only.as_deref()).map_err(|_| Refusal::new("/", Reason::Unreadable))?
            }
            Place::Inside(inside) => match root.find(inside)? {
                Found::Directory(directory) => {
                    let found = names(&directory);
                    let found = found.map_err(|_| inside.refuse(Reason::Unreadable))?;
                    (directory, found.into_iter().map(|(name, _)| name).collect())
                }
                Found::File(..) | Found::Other => {
                    return Err(inside.refuse(Reason::NotADirectory));
                }
            },
        };
        Ok(Self {
            directory,
            names: names.into_iter(),
            state: State::Fresh,
        })
    }
}

fn top(root: &Root, only: Option<&[String]>) -> io::Result<(OwnedFd, Vec<CString>)> {
    let directory = root.top()?;
    let found = match only {
        None => names(&directory)?
            .into_iter()
            .map(|(name, _)| name)
            .collect(),
        Some(only) => {
            let mut found: Vec<CString> = only
                .iter()
                .filter_map(|name| CString::new(name.as_str()).ok())
                .collect();
            found.sort_unstable();
            found
        }
    };
    Ok((directory, found))
}

impl Pieces for Listing {
    fn next(&mut self, size: usize) -> io::Result<Option<Vec<u8>>> {
        let mut text = Vec::new();
        if self.state == State::Fresh {
            text.push(b'[');
        }
        while self.state != State::Done && text.len() < size {
            let Some(name) = self.names.next() else {
                text.extend_from_slice(b"]\n");
                self.state = State::Done;
                break;
            };
            if is_aside(name.to_bytes()) {
                continue;
            }
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let Ok(stat) = rustix::fs::statat(&self.directory, &name, flags) else {
                // Gone since, or never there.
                continue;
            };
            if self.state == State::Begun {
                text.extend_from_slice(b",\n");
            }
            self.state = State::Begun;
            let details = Details::of(&stat);
            let entry = json!({
                "name": shown(&name.into_bytes()),
                "type": details.kind.word(),
                "size": (details.kind == Kind::File).then_some(details.size),
                "modified": details.modified_text(),
            });
            serde_json::to_writer(&mut text, &entry)?;
        }
        Ok((!text.is_empty()).then_some(text))
    }
}
