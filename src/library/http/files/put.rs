//! Files that come in.
//!
//! `PUT <path>` brings a file whole. It is written aside and takes its name once it is there (`201` for a new one, `204`
//! where it replaced one, with its `ETag`); directories that are missing on the way are made. A link of that name is
//! replaced, not followed. A new file has mode 0644, or 0755 with `?executable`; one that replaces another keeps that one's.
//!
//! `PUT <path>?upload=<name>` with `Content-Range: bytes <first>-<last>/<total>` brings a part of one. The name is the
//! sender's choice, 1 to 64 of `A-Z a-z 0-9 . _ -`: two uploads of different names do not meet, and whoever knows the name
//! goes on with it, also after this server was restarted, within 24 hours. Parts come in order:
//!
//! - `308` with `Range: bytes=0-<n>`: so much is there, or nothing without a `Range`. The next part begins behind it.
//! - `201` or `204` with `ETag`: the file is whole, and has its name.
//! - `409` with `Range`: the part begins elsewhere. At 0 an upload starts over.
//! - `409` with `Retry-After`: another request is writing the same upload.
//! - `409` without either: the directory was moved or removed meanwhile. What arrived of a named upload went with it.
//! - `408`: nothing came for as long as the server waits, or less than a KiB a second.
//! - `503` with `Retry-After`: too many files are being sent at that moment, by all or by this user.
//!
//! `Content-Range: bytes */<total>` and no body asks how much is there: `308` as above. With `Repr-Digest` the answer is
//! `204` where the file of that sum has its name already, so that a lost last answer is found again. A part that breaks off
//! counts as far as it came. `DELETE` with the same name and `Content-Range` gives an upload up.
//!
//! `Repr-Digest: sha-256=:…:` is the sum of the whole file and `Content-Digest` that of what this request brings (RFC
//! 9530); where what arrived has another one, it is dropped and the answer is `400`.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG, EXPECT, RANGE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;

use super::super::super::conditions::Conditions;
use super::super::super::details::Details;
use super::super::super::path::Inside;
use super::super::super::upload::{Announced, Part, Placed, Stopped, Sum, Upload};
use super::range::{Sent, sent};
use super::write::{empty, from_here};
use super::{Asked, Wrong, head};
use crate::serve::{Behind, GRACE, LEAST};

/// The sum of the whole file.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// The sum of what a request brings.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
/// The longest name of an upload.
const MAX_NAME: usize = 64;
/// What is still read of a body that is not wanted, in bytes, and for how long: many clients look at the answer only once
/// they have sent everything.
const UNWANTED: usize = 16 << 20;
const UNWANTED_TIME: Duration = Duration::from_secs(10);

/// Answers PUT.
pub async fn put(asked: Asked<'_>, request: Request) -> Result<Response, Wrong> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    let waits = headers.contains_key(EXPECT);
    match announce(&asked, &headers) {
        Ok(Meant::Question(place, upload, total, sum)) => {
            ask(&asked, place, upload, total, sum).await
        }
        Ok(Meant::File(place, announced)) => {
            match asked
                .local
                .take(asked.viewer, place.clone(), announced)
                .await
            {
                Ok(upload) => receive(&asked, &place, upload, body).await,
                Err(stopped) => {
                    read_on(body, waits);
                    Err(told(&place, stopped))
                }
            }
        }
        Err(wrong) => {
            read_on(body, waits);
            Err(wrong)
        }
    }
}

/// What a PUT means.
enum Meant {
    /// How much of an upload of that name and whole size is there, or whether the file of that sum is.
    Question(Inside, String, u64, Option<Sum>),
    /// Here comes a file, or a part of one.
    File(Inside, Announced),
}

/// Reads what the headers announce.
fn announce(asked: &Asked<'_>, headers: &HeaderMap) -> Result<Meant, Wrong> {
    from_here(headers)?;
    let place = asked.inside()?;
    if asked.path.ends_with('/') {
        let message = "the address of a file does not end with a slash; MKCOL makes a directory";
        return Err(Wrong::bad_request(message));
    }
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Wrong::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "BAD_REQUEST",
            "a file is sent as it is, without Content-Encoding",
        ));
    }
    let length = length(headers)?;
    let mut announced = Announced {
        size: length,
        part: None,
        executable: executable(asked)?,
        conditions: Conditions::of(headers),
        sum: digest(headers, &REPR_DIGEST)?,
        part_sum: digest(headers, &CONTENT_DIGEST)?,
    };
    let range = sent(headers).map_err(|()| {
        Wrong::bad_request("Content-Range is bytes <first>-<last>/<total>, or bytes */<total>")
    })?;
    let unnamed = || {
        let message = "an upload in parts needs a name: ?upload=<1 to 64 of A-Z a-z 0-9 . _ ->";
        Wrong::bad_request(message)
    };
    let name = upload_name(asked)?;
    match range {
        None if name.is_some() => Err(Wrong::bad_request(
            "an upload with a name says in Content-Range which part this is",
        )),
        None => Ok(Meant::File(place, announced)),
        Some(Sent::Question { total }) => {
            let name = name.ok_or_else(unnamed)?;
            Ok(Meant::Question(place, name, total, announced.sum))
        }
        Some(Sent::Part { first, last, total }) => {
            let part = last - first + 1;
            if length.is_some_and(|length| length != part) {
                let message = "Content-Length and Content-Range say different lengths";
                return Err(Wrong::bad_request(message));
            }
            match name {
                Some(upload) => {
                    announced.part = Some(Part {
                        upload,
                        from: first,
                        length: part,
                        total,
                    });
                }
                // All of it at once needs no name.
                None if part == total => announced.size = Some(total),
                None => return Err(unnamed()),
            }
            Ok(Meant::File(place, announced))
        }
    }
}

/// The name of an upload, where the address has one.
pub fn upload_name(asked: &Asked<'_>) -> Result<Option<String>, Wrong> {
    let Some(name) = asked.parameter("upload") else {
        return Ok(None);
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(fits) {
        true => Ok(Some(name.to_owned())),
        false => Err(Wrong::bad_request(
            "the name of an upload is 1 to 64 of A-Z a-z 0-9 . _ -",
        )),
    }
}

/// The whole size of an upload that is asked about or given up: `Content-Range: bytes */<total>`.
pub fn total(headers: &HeaderMap) -> Result<u64, Wrong> {
    match sent(headers) {
        Ok(Some(Sent::Question { total })) => Ok(total),
        Ok(Some(Sent::Part { .. }) | None) | Err(()) => Err(Wrong::bad_request(
            "which upload is meant says Content-Range: bytes */<total>",
        )),
    }
}

fn executable(asked: &Asked<'_>) -> Result<Option<bool>, Wrong> {
    match asked.parameter("executable") {
        None => Ok(None),
        Some("" | "true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Wrong::bad_request("executable is true or false")),
    }
}

fn length(headers: &HeaderMap) -> Result<Option<u64>, Wrong> {
    let Some(value) = headers.get(CONTENT_LENGTH) else {
        return Ok(None);
    };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| Wrong::bad_request("Content-Length is no number"))
}

/// The SHA-256 that a header of RFC 9530 holds. Sums of other kinds may be passed over.
fn digest(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Sum>, Wrong> {
    for line in headers.get_all(name) {
        for item in line.to_str().unwrap_or_default().split(',') {
            let Some((kind, value)) = item.trim().split_once('=') else {
                continue;
            };
            if !kind.eq_ignore_ascii_case("sha-256") {
                continue;
            }
            let bytes = value
                .strip_prefix(':')
                .and_then(|rest| rest.strip_suffix(':'));
            let bytes = bytes.and_then(|text| STANDARD.decode(text).ok());
            let sum = bytes.and_then(|bytes| Sum::try_from(bytes).ok());
            let wrong = || {
                let message = format!("{name} is sha-256=:<the sum in base64>:");
                Wrong::bad_request(message)
            };
            return sum.map(Some).ok_or_else(wrong);
        }
    }
    Ok(None)
}

/// Says how much of an upload is there.
async fn ask(
    asked: &Asked<'_>,
    place: Inside,
    upload: String,
    total: u64,
    sum: Option<Sum>,
) -> Result<Response, Wrong> {
    let progress = asked
        .local
        .progress(asked.viewer, place, upload, total, sum);
    Ok(placed(progress.await?))
}

/// Takes a body.
async fn receive(
    asked: &Asked<'_>,
    place: &Inside,
    mut upload: Upload,
    body: Body,
) -> Result<Response, Wrong> {
    let patience = asked.local.limits().map(|limits| limits.patience);
    let patience = patience.unwrap_or_default();
    let mut pace = Pace::new(patience);
    let mut chunks = body.into_data_stream();
    loop {
        let begun = Instant::now();
        let chunk = match tokio::time::timeout(patience, chunks.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(None) => break,
            Ok(Some(Err(_))) => {
                upload.break_off().await;
                return Err(Wrong::bad_request("the body broke off"));
            }
            Err(_) => {
                upload.break_off().await;
                return Err(too_slow("the body did not go on in time"));
            }
        };
        if pace.is_too_slow(chunk.len(), begun.elapsed()) {
            upload.break_off().await;
            let message = format!("the body came slower than {LEAST} bytes a second");
            return Err(too_slow(message));
        }
        if let Err(stopped) = upload.write(chunk).await {
            read_on(Body::from_stream(chunks), false);
            return Err(told(place, stopped));
        }
    }
    match upload.finish().await {
        Ok(done) => Ok(placed(done)),
        Err(stopped) => Err(told(place, stopped)),
    }
}

/// How a body comes that is waited for: whoever sends it keeps a place from others.
struct Pace {
    behind: Behind,
    /// How long it may come slower, in seconds: as long as it may not come at all, at least.
    grace: u64,
}

impl Pace {
    fn new(patience: Duration) -> Self {
        Self {
            behind: Behind::default(),
            grace: patience.as_secs().max(GRACE),
        }
    }

    /// Counts what came, and for how long it was waited for.
    fn is_too_slow(&mut self, came: usize, waited: Duration) -> bool {
        let waited = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.behind.count(came as u64, waited, LEAST, self.grace)
    }
}

fn too_slow(message: impl Into<String>) -> Wrong {
    Wrong::new(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", message)
}

fn placed(placed: Placed) -> Response {
    match placed {
        Placed::Whole { details, replaced } => whole(&details, replaced),
        Placed::Partly(there) => {
            let mut response = empty(StatusCode::PERMANENT_REDIRECT);
            if let Some(range) = range_of(there) {
                response.headers_mut().insert(RANGE, range);
            }
            response
        }
    }
}

fn whole(details: &Details, replaced: bool) -> Response {
    let mut response = empty(match replaced {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::CREATED,
    });
    let tag = details.tag_of_new().to_string();
    head::set(response.headers_mut(), ETAG, &tag);
    response
}

/// What is there of an upload; `None` when it is nothing.
fn range_of(there: u64) -> Option<HeaderValue> {
    let last = there.checked_sub(1)?;
    HeaderValue::from_str(&format!("bytes=0-{last}")).ok()
}

fn told(place: &Inside, stopped: Stopped) -> Wrong {
    match stopped {
        Stopped::Refused(refusal) => refusal.into(),
        Stopped::Elsewhere(there) => {
            let shown = &place.shown;
            let message =
                format!("of this upload of {shown:?} {there} bytes are there: go on behind them");
            let wrong = Wrong::new(StatusCode::CONFLICT, "ELSEWHERE", message);
            match range_of(there) {
                Some(range) => wrong.with(RANGE, range),
                None => wrong,
            }
        }
        Stopped::NotWhatWasSent => Wrong::new(
            StatusCode::BAD_REQUEST,
            "NOT_WHAT_WAS_SENT",
            "what arrived has another length or another sum than was announced",
        ),
    }
}

/// Reads on for a while and throws away what comes, so that whoever sends it comes to the answer. Not from a client that
/// `waits` to be told to send.
fn read_on(body: Body, waits: bool) {
    if waits {
        return;
    }
    tokio::spawn(tokio::time::timeout(UNWANTED_TIME, async move {
        let mut chunks = body.into_data_stream();
        let mut read = 0;
        while let Some(Ok(chunk)) = chunks.next().await
            && read < UNWANTED
        {
            read += chunk.len();
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many seconds it is too slow that so many bytes come each second; `None` beyond an hour.
    fn lasts(bytes: usize) -> Option<u64> {
        let mut pace = Pace::new(Duration::from_secs(60));
        (1..3600).find(|_| pace.is_too_slow(bytes, Duration::from_secs(1)))
    }

    #[test]
    fn who_sends_less_than_a_kibibyte_a_second_does_not_keep_a_place() {
        assert_eq!(lasts(1), Some(61));
        assert!(lasts(900).is_some());
        assert_eq!(lasts(1024), None);
    }
}
