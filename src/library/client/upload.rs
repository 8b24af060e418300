//! Sending one file to the library, in parts: what arrived before a connection broke off, or before this program was run again, is not
//! sent again. The server's side is described at [`crate::library::http`].

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_NONE_MATCH, RANGE};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode};
use sha2::{Digest, Sha256};

use crate::platform::desired::hex;

use super::connection::{Connection, PATIENCE};
use super::event::{Came, Event, Told};
use super::local_file::here;
use super::path::RemotePath;
use super::patience::Patience;
use super::problem::Problem;

/// How much one request brings. What is behind the last part is safe whatever happens, and the sum of a part is ready before it leaves.
const PART: u64 = 64 << 20;
/// How much is read at once.
const PIECE: usize = 256 << 10;
/// The digest of the whole file (RFC 9530).
const REPR_DIGEST: &str = "repr-digest";

/// A file on its way.
struct Upload<'a> {
    connection: &'a Connection,
    path: &'a RemotePath,
    source: PathBuf,
    file: Arc<File>,
    size: u64,
    /// Whether its owner may execute it: it arrives the same.
    executable: bool,
    /// What this upload is called, the same when it is taken up by a later run.
    name: String,
    over: bool,
    /// Of the bytes before `summed`.
    sum: Sha256,
    summed: u64,
    told: Told<'a>,
}

/// How an upload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// So many bytes are there.
    At(u64),
    /// The file has its name.
    Whole,
}

impl Connection {
    /// Sends the file at `source` to `path`. What lies there and differs is written over only when `over`.
    ///
    /// # Errors
    ///
    /// Why it did not arrive.
    pub async fn upload(
        &self,
        source: &Path,
        path: &RemotePath,
        over: bool,
        told: Told<'_>,
    ) -> Result<Came, Problem> {
        let mut upload = Upload::open(self, source, path, over, told)?;
        if upload.is_there().await? {
            return Ok(Came::Same);
        }
        upload.send_all().await?;
        Ok(Came::Over)
    }
}

impl<'a> Upload<'a> {
    fn open(
        connection: &'a Connection,
        source: &Path,
        path: &'a RemotePath,
        over: bool,
        told: Told<'a>,
    ) -> Result<Self, Problem> {
        let opened = || -> io::Result<(File, std::fs::Metadata)> {
            let file = File::open(source)?;
            let found = file.metadata()?;
            if !found.is_file() {
                return Err(io::Error::other("it is no regular file"));
            }
            Ok((file, found))
        };
        let (file, found) = opened().map_err(|error| here("cannot read", source, error))?;
        Ok(Self {
            connection,
            path,
            source: source.to_owned(),
            file: Arc::new(file),
            size: found.len(),
            executable: found.mode() & 0o100 != 0,
            name: name_of(&found),
            over,
            sum: Sha256::new(),
            summed: 0,
            told,
        })
    }

    /// Whether the library has this very file there. Fails where it has another one that is not to be written over, before a byte of a
    /// large file is sent for nothing.
    async fn is_there(&mut self) -> Result<bool, Problem> {
        let there = match self.connection.about(self.path).await {
            Ok(there) => there,
            Err(Problem::Refused(no)) if no.status == StatusCode::NOT_FOUND => return Ok(false),
            Err(problem) => return Err(problem),
        };
        let same = match there.size {
            Some(0) => self.size == 0,
            Some(size) if size == self.size => self.ask(true).await? == Stands::Whole,
            Some(_) | None => false,
        };
        match same || self.over {
            true => Ok(same),
            false => Err(self.in_the_way()),
        }
    }

    /// Where to go on. Where all of it lies there and has no name yet, for the server ended in between, it is sent anew: there is no part
    /// of nothing that could end it.
    fn within(&self, there: u64) -> u64 {
        match there < self.size {
            true => there,
            false => 0,
        }
    }

    fn in_the_way(&self) -> Problem {
        Problem::InTheWay {
            place: self.path.to_string(),
            more: "",
        }
    }

    async fn send_all(&mut self) -> Result<(), Problem> {
        // Of a small file it is quicker to send it than to ask.
        let mut at = match self.size > PART {
            false => 0,
            true => match self.ask(false).await? {
                Stands::At(at) => self.within(at),
                Stands::Whole => return Ok(()),
            },
        };
        (self.told)(Event::Expected {
            size: self.size,
            there: at,
        });
        let (mut farthest, mut patience) = (at, Patience::default());
        loop {
            let problem = match self.send_part(at).await {
                Ok(Stands::Whole) => return Ok(()),
                Ok(Stands::At(next)) => {
                    if next > farthest {
                        (farthest, patience) = (next, Patience::default());
                        at = next;
                        continue;
                    }
                    at = next;
                    self.no_progress()
                }
                Err(problem) if may_go_on(&problem) => problem,
                Err(problem) => return Err(problem),
            };
            let Some(pause) = patience.pause(problem.is_taken()) else {
                return Err(problem);
            };
            tokio::time::sleep(pause).await;
            match self.ask(self.size <= PART).await {
                Ok(Stands::At(there)) => {
                    at = self.within(there);
                    // Begun anew, it gets as far once more.
                    farthest = farthest.min(at);
                }
                Ok(Stands::Whole) => return Ok(()),
                Err(problem) if may_go_on(&problem) => {}
                Err(problem) => return Err(problem),
            }
        }
    }

    /// Asks how much is there; with the sum of the whole also whether it has its name already.
    async fn ask(&mut self, with_sum: bool) -> Result<Stands, Problem> {
        if self.size == 0 {
            return Ok(Stands::At(0));
        }
        let mut request = self
            .request()
            .header(CONTENT_RANGE, format!("bytes */{}", self.size))
            .header(CONTENT_LENGTH, 0);
        if with_sum {
            request = request.header(REPR_DIGEST, self.sum_of_all()?);
        }
        let sending = tokio::time::timeout(PATIENCE, request.send());
        let answer = sending
            .await
            .map_err(|_| self.connection.silent())?
            .map_err(|error| self.connection.broke(&error))?;
        self.stands(answer).await
    }

    /// Sends what follows `at`, as much as one request brings.
    async fn send_part(&mut self, at: u64) -> Result<Stands, Problem> {
        let end = self.size.min(at + PART);
        let mut request = self.request().header(CONTENT_LENGTH, end - at);
        if self.size > 0 {
            let range = format!("bytes {at}-{}/{}", end - 1, self.size);
            request = request.header(CONTENT_RANGE, range);
        }
        if end == self.size {
            request = request.header(REPR_DIGEST, self.sum_of_all()?);
        } else {
            self.sum_up_to(end)?;
        }
        if !self.over {
            request = request.header(IF_NONE_MATCH, "*");
        }
        let moved = Arc::new(AtomicU64::new(0));
        let request = request.body(pieces(self.file.clone(), at, end, moved.clone()));
        let answer = self.watch(request, &moved).await?;
        self.stands(answer).await
    }

    fn request(&self) -> RequestBuilder {
        let mut url = self.connection.endpoint().file(self.path);
        let executable = if self.executable { "true" } else { "false" };
        url.query_pairs_mut().append_pair("executable", executable);
        // There are no parts of nothing.
        if self.size > 0 {
            url.query_pairs_mut().append_pair("upload", &self.name);
        }
        self.connection.request(Method::PUT, url)
    }

    /// Waits for the answer as long as bytes leave.
    async fn watch(&self, request: RequestBuilder, moved: &AtomicU64) -> Result<Response, Problem> {
        const TICK: Duration = Duration::from_millis(100);
        let mut sending = std::pin::pin!(request.send());
        let (mut shown, mut idle) = (0, Duration::ZERO);
        loop {
            let answer = tokio::time::timeout(TICK, &mut sending).await;
            let now = moved.load(Ordering::Relaxed);
            (self.told)(Event::Bytes(now - shown));
            idle = if now > shown {
                Duration::ZERO
            } else {
                idle + TICK
            };
            shown = now;
            match answer {
                Ok(answer) => return answer.map_err(|error| self.connection.broke(&error)),
                Err(_) if idle >= PATIENCE => return Err(self.connection.silent()),
                Err(_) => {}
            }
        }
    }

    /// What the library says of the upload.
    async fn stands(&self, answer: Response) -> Result<Stands, Problem> {
        let there = answer.headers().get(RANGE).and_then(|range| {
            let (_, last) = range
                .to_str()
                .ok()?
                .strip_prefix("bytes=")?
                .split_once('-')?;
            let there = last.parse::<u64>().ok()?.checked_add(1);
            there.filter(|there| *there <= self.size)
        });
        match (answer.status(), there) {
            (status, _) if status.is_success() && answer.headers().contains_key(ETAG) => {
                Ok(Stands::Whole)
            }
            (status, _) if status.is_success() => {
                Err(self.connection.no_library("it takes no uploads"))
            }
            (StatusCode::PERMANENT_REDIRECT, there)
                if !answer.headers().contains_key("location") =>
            {
                Ok(Stands::At(there.unwrap_or(0)))
            }
            // The part began elsewhere than it should have.
            (StatusCode::CONFLICT, Some(there)) => Ok(Stands::At(there)),
            (StatusCode::PRECONDITION_FAILED, _) if !self.over => Err(self.in_the_way()),
            (_, _) => match self.connection.refusal(answer).await {
                // Nothing is there to go on with.
                Problem::Refused(no) if no.is("ELSEWHERE") => Ok(Stands::At(0)),
                problem => Err(problem),
            },
        }
    }

    fn no_progress(&self) -> Problem {
        Problem::BrokeOff {
            endpoint: self.connection.endpoint().to_string(),
            reason: "nothing more of the file arrives".to_owned(),
        }
    }

    /// The sum of the whole file as a header has it.
    fn sum_of_all(&mut self) -> Result<String, Problem> {
        self.sum_up_to(self.size)?;
        let sum = STANDARD.encode(self.sum.clone().finalize());
        Ok(format!("sha-256=:{sum}:"))
    }

    /// Sums up what lies before `end`. That goes once through the file, whatever is sent how often.
    fn sum_up_to(&mut self, end: u64) -> Result<(), Problem> {
        tokio::task::block_in_place(|| {
            let mut buffer = vec![0; PIECE];
            while self.summed < end {
                let wanted =
                    usize::try_from(end - self.summed).map_or(PIECE, |left| left.min(PIECE));
                let read = self.file.read_at(&mut buffer[..wanted], self.summed);
                let read = read.and_then(|read| match read {
                    0 => Err(io::Error::other("it became shorter while it was sent")),
                    read => Ok(read),
                });
                let read = read.map_err(|error| here("cannot read", &self.source, error))?;
                self.sum.update(&buffer[..read]);
                self.summed += read as u64;
            }
            Ok(())
        })
    }
}

/// Whether what went wrong is of the kind that the next request may not meet.
fn may_go_on(problem: &Problem) -> bool {
    match problem {
        Problem::Refused(_) => problem.is_taken() || problem.may_pass(),
        Problem::Unreached { .. } => true,
        Problem::BrokeOff { .. } => true,
        Problem::Anonymous { .. }
        | Problem::WrongCredentials { .. }
        | Problem::Elsewhere { .. }
        | Problem::NoLibrary { .. }
        | Problem::Certificate { .. }
        | Problem::Changed { .. }
        | Problem::InTheWay { .. }
        | Problem::Here { .. } => false,
    }
}

/// The same for the same file while it is not changed.
fn name_of(found: &std::fs::Metadata) -> String {
    let which = [found.dev(), found.ino(), found.len()].map(u64::to_be_bytes);
    let when = [found.mtime(), found.mtime_nsec()].map(i64::to_be_bytes);
    let mut hash = Sha256::new();
    hash.update(which.as_flattened());
    hash.update(when.as_flattened());
    hex(&hash.finalize()[..16])
}

/// A part of a file as a body; `moved` counts what has left.
fn pieces(file: Arc<File>, at: u64, end: u64, moved: Arc<AtomicU64>) -> Body {
    let next = move |at: u64| {
        let (file, moved) = (file.clone(), moved.clone());
        async move {
            if at == end {
                return None;
            }
            let wanted = usize::try_from(end - at).map_or(PIECE, |left| left.min(PIECE));
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; wanted];
                let read = file.read_at(&mut piece, at)?;
                piece.truncate(read);
                match read {
                    0 => Err(io::Error::other(
                        "the file became shorter while it was sent",
                    )),
                    _ => Ok(Bytes::from(piece)),
                }
            });
            let piece = read
                .await
                .unwrap_or_else(|error| Err(io::Error::other(error)));
            let behind = piece.as_ref().map_or(end, |piece| at + piece.len() as u64);
            moved.fetch_add(behind - at, Ordering::Relaxed);
            Some((piece, behind))
        }
    };
    Body::wrap_stream(stream::unfold(at, next))
}
