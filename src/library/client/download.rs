//! Reading a file of the library: in pieces, and on from where the connection broke off.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{
    CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Method, Response, StatusCode};

use super::connection::Connection;
use super::listing::is_of_a_directory;
use super::path::RemotePath;
use super::problem::{Problem, Refused};

/// How often a connection that broke off is taken up again without a byte having come in between.
const TRIES: u32 = 5;
/// The pause before it is; each next one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// What the library says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Which version it is (a strong entity tag, RFC 9110, 8.8.3).
    pub version: Option<String>,
    /// When it was changed, to the second.
    pub modified: Option<SystemTime>,
}

/// A file that is being read.
pub struct Download<'a> {
    connection: &'a Connection,
    path: &'a RemotePath,
    answer: Response,
    /// What it is.
    pub about: About,
    /// How many bytes lie behind.
    at: u64,
    /// How often it was taken up again since the last byte came.
    tries: u32,
}

impl Connection {
    /// What the library says of a file.
    ///
    /// # Errors
    ///
    /// The library's refusal, or why there was no answer.
    pub async fn about(&self, path: &RemotePath) -> Result<About, Problem> {
        let answer = self.send(self.file(Method::HEAD, path)).await?;
        Ok(About::of(answer.headers()))
    }

    /// Begins to read a file.
    ///
    /// # Errors
    ///
    /// The library's refusal, or why there was no answer.
    pub async fn download<'a>(&'a self, path: &'a RemotePath) -> Result<Download<'a>, Problem> {
        let answer = self.send(self.file(Method::GET, path)).await?;
        // A directory is answered as well, with what it holds.
        if is_of_a_directory(&answer) {
            return Err(Problem::Refused(Refused {
                status: StatusCode::CONFLICT,
                code: Some("NOT_A_FILE".to_owned()),
                message: format!("{:?} is a directory, or a link to one", path.to_string()),
            }));
        }
        Ok(Download {
            connection: self,
            path,
            about: About::of(answer.headers()),
            answer,
            at: 0,
            tries: 0,
        })
    }
}

impl Download<'_> {
    /// Goes on from `at`, where the library can; gives where it does. That is 0 where it cannot, or where the file is another by now.
    ///
    /// # Errors
    ///
    /// Why there was no answer.
    pub async fn go_on_from(&mut self, at: u64) -> Result<u64, Problem> {
        let (Some(size), true) = (self.about.size, self.about.version.is_some()) else {
            return Ok(self.at);
        };
        if at == 0 || at > size {
            return Ok(self.at);
        }
        if at == size {
            self.at = at;
            return Ok(at);
        }
        self.at = match self.ask_for_the_rest(at).await? {
            true => at,
            false => 0,
        };
        Ok(self.at)
    }

    /// The next piece; `None` when all of it has come.
    ///
    /// # Errors
    ///
    /// The connection broke off and could not be taken up again, or the file became another meanwhile.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            if self.about.size == Some(self.at) {
                return Ok(None);
            }
            let problem = match self.connection.piece(&mut self.answer).await {
                Ok(Some(piece)) => {
                    self.at += piece.len() as u64;
                    self.tries = 0;
                    return Ok(Some(piece));
                }
                Ok(None) if self.about.size.is_none() => return Ok(None),
                Ok(None) => Problem::BrokeOff {
                    endpoint: self.connection.endpoint().to_string(),
                    reason: "it ended early".to_owned(),
                },
                Err(problem) => problem,
            };
            self.take_up_again(problem).await?;
        }
    }

    async fn take_up_again(&mut self, mut problem: Problem) -> Result<(), Problem> {
        while problem.may_pass() && self.about.version.is_some() && self.tries < TRIES {
            tokio::time::sleep(PAUSE * 2u32.pow(self.tries)).await;
            self.tries += 1;
            match self.ask_for_the_rest(self.at).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    return Err(Problem::Changed {
                        path: self.path.to_string(),
                    });
                }
                // Nobody listens: the server may be starting again.
                Err(next @ Problem::Unreached { .. }) if self.tries < TRIES => {
                    drop(next);
                }
                Err(next) => problem = next,
            }
        }
        Err(problem)
    }

    /// Whether what comes next is the rest of the same version from `at` on; otherwise all of another one comes.
    async fn ask_for_the_rest(&mut self, at: u64) -> Result<bool, Problem> {
        let version = self.about.version.as_deref().unwrap_or_default();
        let request = self
            .connection
            .file(Method::GET, self.path)
            .header(RANGE, format!("bytes={at}-"))
            .header(IF_RANGE, version);
        let answer = match self.connection.send(request).await {
            // Nothing is there any more: the file became shorter.
            Err(Problem::Refused(no)) if no.status == StatusCode::RANGE_NOT_SATISFIABLE => {
                return Err(Problem::Changed {
                    path: self.path.to_string(),
                });
            }
            answer => answer?,
        };
        let begins = text(answer.headers(), CONTENT_RANGE)
            .is_some_and(|range| range.starts_with(&format!("bytes {at}-")));
        let same = About::of(answer.headers()).version == self.about.version;
        let rest = answer.status() == StatusCode::PARTIAL_CONTENT && begins && same;
        if !rest {
            self.about = About::of(answer.headers());
        }
        self.answer = answer;
        Ok(rest)
    }
}

impl About {
    /// Reads it from an answer's headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let version = text(headers, ETAG).filter(|tag| tag.starts_with('"'));
        Self {
            size: text(headers, CONTENT_LENGTH).and_then(|size| size.parse().ok()),
            version: version.map(str::to_owned),
            modified: text(headers, LAST_MODIFIED)
                .and_then(|time| httpdate::parse_http_date(time).ok()),
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
