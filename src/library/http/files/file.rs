//! A file, or a part of it, on its way to a client.
//!
//! It is read by its descriptor, so that what is sent is one file, whatever has its name by then. Its size is promised
//! before it is read. A file that becomes shorter, or is written anew at the same size, makes the connection end before all
//! of it was sent. One that becomes longer is taken as appended to, as logs are: what was there is sent.

use std::fs::File;
use std::io;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderValue, LAST_MODIFIED,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use time::OffsetDateTime;

use super::super::super::conditions::{Conditions, Outcome, range_applies};
use super::super::super::contain::{Found, Root};
use super::super::super::details::Details;
use super::super::super::log::Level;
use super::super::super::media;
use super::super::super::path::{Inside, Place, Viewer};
use super::super::super::refusal::{Reason, Refusal};
use super::stream::{Pieces, body};
use super::{Asked, Wrong, directory, head, range};

/// How often a file that was changed this moment is looked at again before it is served without a strong tag.
const LOOKS: usize = 3;
/// What is read of a file together with opening it, in bytes: most files are no larger.
const FIRST: u64 = 64 << 10;

/// Answers GET and HEAD.
pub async fn get(asked: Asked<'_>, request: Request) -> Result<Response, Wrong> {
    let Place::Inside(place) = &asked.place else {
        return directory::get(asked, request).await;
    };
    let question = Question {
        conditions: Conditions::of(request.headers()),
        headers: request.headers().clone(),
        reads: *request.method() == Method::GET,
    };
    let reads = question.reads;
    match find(&asked, place, question).await? {
        Met::File(plan) => send(&asked, place, *plan, reads),
        Met::Directory => directory::get(asked, request).await,
        Met::Fresh(_) => Err(place.refuse(Reason::Unreadable).into()),
    }
}

/// What decides how a file is answered.
#[derive(Clone)]
struct Question {
    conditions: Conditions,
    headers: HeaderMap,
    /// Whether the file itself is wanted, not only what is known of it.
    reads: bool,
}

enum Met {
    Directory,
    File(Box<Plan>),
    /// It was changed this moment: its tag would not be strong before so much time has passed.
    Fresh(std::time::Duration),
}

/// How a file is answered.
struct Plan {
    details: Details,
    now: OffsetDateTime,
    verdict: Verdict,
}

enum Verdict {
    NotModified,
    Failed,
    NoSuchPart,
    Send {
        /// The first byte and the last one, where it is a part.
        part: Option<(u64, u64)>,
        first: Vec<u8>,
        rest: FilePieces,
    },
}

async fn find(asked: &Asked<'_>, place: &Inside, question: Question) -> Result<Met, Wrong> {
    for look in (0..LOOKS).rev() {
        let (place, question) = (place.clone(), question.clone());
        let looked = asked
            .local
            .off_thread(asked.whose, move |root| {
                look_at(root, &place, &question, look > 0)
            })
            .await
            .unwrap_or_else(|| Err(Refusal::new("", Reason::Unreadable)));
        match looked? {
            Met::Fresh(wait) => tokio::time::sleep(wait).await,
            met => return Ok(met),
        }
    }
    Err(place.refuse(Reason::Unreadable).into())
}

/// Opens a file, decides what shall be sent of it, and reads the begin of that: all that most files take.
fn look_at(
    root: &Root,
    place: &Inside,
    question: &Question,
    may_wait: bool,
) -> Result<Met, Refusal> {
    let file = match root.find(place)? {
        Found::File(file, _) => file,
        Found::Directory(_) => return Ok(Met::Directory),
        Found::Other => return Err(place.refuse(Reason::NotAFile)),
    };
    let unreadable = |_| place.refuse(Reason::Unreadable);
    let stat = rustix::fs::fstat(&file).map_err(unreadable)?;
    let (details, now) = (Details::of(&stat), OffsetDateTime::now_utc());
    if let Some(wait) = details.settles_in(now)
        && may_wait
    {
        return Ok(Met::Fresh(wait));
    }
    let verdict = match question.conditions.read(now, &details) {
        Outcome::NotModified => Verdict::NotModified,
        Outcome::Failed => Verdict::Failed,
        Outcome::Fulfilled => {
            let size = details.size;
            let wanted = match question.reads && range_applies(&question.headers, now, &details) {
                true => range::asked(&question.headers, size),
                false => range::Asked::Whole,
            };
            let (part, from, to) = match wanted {
                range::Asked::Whole => (None, 0, size),
                range::Asked::Part { first, last } => (Some((first, last)), first, last + 1),
                range::Asked::Nothing => {
                    return Ok(Met::File(Box::new(Plan {
                        details,
                        now,
                        verdict: Verdict::NoSuchPart,
                    })));
                }
            };
            let mut rest = FilePieces {
                file,
                at: from,
                end: to,
                size,
                modified: details.modified,
            };
            let first = match question.reads {
                true => rest.read(FIRST),
                false => Ok(Vec::new()),
            };
            let first = first.map_err(|_| place.refuse(Reason::Unreadable))?;
            Verdict::Send { part, first, rest }
        }
    };
    Ok(Met::File(Box::new(Plan {
        details,
        now,
        verdict,
    })))
}

fn send(asked: &Asked<'_>, place: &Inside, plan: Plan, reads: bool) -> Result<Response, Wrong> {
    let Plan {
        details,
        now,
        verdict,
    } = plan;
    let mut headers = HeaderMap::new();
    if let Some(tag) = details.tag(now) {
        head::set(&mut headers, ETAG, &tag.to_string());
    }
    if let Some(date) = details.last_modified(now) {
        head::set(&mut headers, LAST_MODIFIED, &date);
    }
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    head::confine(&mut headers);
    let (part, first, rest) = match verdict {
        Verdict::Failed => return Err(place.refuse(Reason::Changed).into()),
        Verdict::NoSuchPart => return Err(no_such_part(place, details.size)),
        Verdict::NotModified => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.headers_mut() = headers;
            return Ok(response);
        }
        Verdict::Send { part, first, rest } => (part, first, rest),
    };
    let name = place.name();
    head::describe(&mut headers, name, &media::type_of(name));
    let length = rest.end - rest.at + first.len() as u64;
    headers.insert(CONTENT_LENGTH, length.into());
    let status = match part {
        Some((first, last)) => {
            let said = format!("bytes {first}-{last}/{}", details.size);
            head::set(&mut headers, CONTENT_RANGE, &said);
            StatusCode::PARTIAL_CONTENT
        }
        None => StatusCode::OK,
    };
    let contents = if !reads {
        Body::empty()
    } else if rest.at == rest.end {
        Body::from(first)
    } else {
        let pieces = Begun { first, rest };
        let turn = asked.local.flow().turn();
        body(asked.local, asked.whose, turn, pieces, told(asked))
    };
    let mut response = Response::new(contents);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn no_such_part(place: &Inside, size: u64) -> Wrong {
    let message = format!("{:?} has {size} bytes and not these", place.shown);
    let wrong = Wrong::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "RANGE_NOT_SATISFIABLE",
        message,
    );
    match HeaderValue::from_str(&format!("bytes */{size}")) {
        Ok(value) => wrong.with(CONTENT_RANGE, value),
        Err(_) => wrong,
    }
}

/// What the log says of a body that ended short.
pub fn told(asked: &Asked<'_>) -> impl FnOnce(&io::Error) + Send + 'static {
    let log = asked.service.log;
    let user = match asked.viewer {
        Viewer::User { name, .. } => name.to_string(),
        Viewer::Everyone => String::from("-"),
    };
    let path = asked.path.clone();
    move |error| {
        let line = format_args!("{user} GET {path:?} ended short: {error}");
        log.write(Level::Warn, line);
    }
}

/// What is left to be read of a file.
struct FilePieces {
    file: File,
    /// Where the next byte is.
    at: u64,
    /// Where the first byte is that is not wanted.
    end: u64,
    /// The size of the file when it was opened.
    size: u64,
    /// When it had been changed last by then.
    modified: OffsetDateTime,
}

impl FilePieces {
    /// The next `size` bytes, or what is left. Less is an error.
    fn read(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let wanted = usize::try_from(size.min(self.end - self.at)).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(wanted);
        while bytes.len() < wanted {
            let spare = rustix::buffer::spare_capacity(&mut bytes);
            match rustix::io::pread(&self.file, spare, self.at) {
                Ok(0) => {
                    return Err(io::Error::other(
                        "the file became shorter while it was read",
                    ));
                }
                Ok(read) => self.at += read as u64,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // The capacity may be more than was asked for.
        let over = bytes.len() - wanted;
        self.at -= over as u64;
        bytes.truncate(wanted);
        let now = Details::of(&rustix::fs::fstat(&self.file)?);
        let rewritten = now.size == self.size && now.modified != self.modified;
        if now.size < self.size || rewritten {
            return Err(io::Error::other("the file was changed while it was read"));
        }
        Ok(bytes)
    }
}

impl Pieces for FilePieces {
    fn next(&mut self, size: usize) -> io::Result<Option<Vec<u8>>> {
        match self.at < self.end {
            true => self.read(size as u64).map(Some),
            false => Ok(None),
        }
    }
}

/// A file of which the begin has been read.
struct Begun {
    first: Vec<u8>,
    rest: FilePieces,
}

impl Pieces for Begun {
    fn next(&mut self, size: usize) -> io::Result<Option<Vec<u8>>> {
        match self.first.is_empty() {
            true => self.rest.next(size),
            false => Ok(Some(std::mem::take(&mut self.first))),
        }
    }
}
