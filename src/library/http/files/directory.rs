//! What a directory holds: for programs as JSON, or all of it as a zip.

use std::io;
use std::ops::ControlFlow;

use axum::extract::Request;
use axum::http::header::{ACCEPT, ACCEPT_RANGES, CONTENT_TYPE, HeaderValue, VARY};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde_json::json;

use super::super::super::allowance::Allowance;
use super::super::super::contain::Root;
use super::super::super::details::Kind;
use super::super::super::entries::shown;
use super::super::super::folder::Folder;
use super::super::super::path::Place;
use super::super::super::refusal::{Reason, Refusal};
use super::stream::{Pieces, body};
use super::{Asked, Wrong, file, head, lists, zip};
use crate::serve::Scarce;

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
/// for files, and `modified` where the time cannot be said. The names take room like those of any answer.
async fn listing(asked: &Asked<'_>, reads: bool) -> Result<Response, Wrong> {
    let (place, path) = (asked.place.clone(), asked.path.clone());
    let allowance = asked.service.allowance(asked.whose);
    let listing = asked
        .local
        .off_thread(asked.whose, move |root| {
            Listing::of(root, &place, &path, allowance)
        })
        .await
        .unwrap_or_else(|| Err(Refusal::new("", Reason::Unreadable)))?;
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("application/json");
    headers.insert(CONTENT_TYPE, kind);
    head::confine(&mut headers);
    let bytes = listing.allowance.holds();
    let contents = match reads {
        true => {
            let turn = asked.local.flow().turn();
            body(asked.local, asked.whose, turn, listing, file::told(asked))
        }
        false => axum::body::Body::empty(),
    };
    let mut response = Response::new(contents);
    *response.headers_mut() = headers;
    if bytes > 0 {
        response.extensions_mut().insert(Scarce { bytes });
    }
    Ok(response)
}

/// What a name takes besides its bytes until it has been sent.
const KEPT: u64 = 64;
/// So many bytes of names are read before they are counted.
const COUNTED: u64 = 64 << 10;

/// A listing, as far as it has been written.
struct Listing {
    folder: Folder,
    names: std::vec::IntoIter<Vec<u8>>,
    /// Counts the names as long as they are here.
    allowance: Allowance,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    Begun,
    Done,
}

impl Listing {
    fn of(root: &Root, place: &Place, path: &str, allowance: Allowance) -> Result<Self, Refusal> {
        let folder = Folder::open(root, place)?;
        let (mut names, mut uncounted, mut refused) = (Vec::new(), 0, None);
        folder.visit(|name, _| {
            uncounted += name.len() as u64 + KEPT;
            if uncounted > COUNTED {
                refused = allowance.take(std::mem::take(&mut uncounted), path).err();
            }
            names.push(name.to_vec());
            match refused {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        })?;
        if let Some(refused) = refused {
            return Err(refused);
        }
        allowance.take(uncounted, path)?;
        names.sort_unstable();
        Ok(Self {
            folder,
            names: names.into_iter(),
            allowance,
            state: State::Fresh,
        })
    }
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
            let Some(details) = self.folder.details(&name) else {
                // Gone since, or never there.
                continue;
            };
            if self.state == State::Begun {
                text.extend_from_slice(b",\n");
            }
            self.state = State::Begun;
            let entry = json!({
                "name": shown(&name),
                "type": details.kind.word(),
                "size": (details.kind == Kind::File).then_some(details.size),
                "modified": details.modified_text(),
            });
            serde_json::to_writer(&mut text, &entry)?;
        }
        Ok((!text.is_empty()).then_some(text))
    }
}
