//! Why a question about the library gets no answer, in a form that clients can tell apart.

use std::fmt;

use axum::http::StatusCode;

use super::shares::Taken;

/// A question that is not answered: about which path, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    path: String,
    reason: Reason,
    /// What is said instead of the reason's own words.
    words: Option<String>,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing is there, or nothing that the viewer may know of.
    NotFound,
    /// A listing of something else than a directory, or a path through a file.
    NotADirectory,
    /// A read of something else than a regular file.
    NotAFile,
    /// The path, or a link on the way, leads out of what the viewer may see.
    Forbidden,
    /// The operating system does not let it be read.
    Unreadable,
    /// More than a file may hold to be read as text. The limit, in bytes.
    TooLarge(u64),
    /// More than a file may hold that is sent here. The limit, in bytes.
    TooLargeToStore(u64),
    /// More than one answer may bring together. The limit, in bytes.
    TooMuch(u64),
    /// There is little of something, and others have taken it at this moment, or whoever asks has their share.
    Crowded(Lacking),
    /// A directory of more entries than are listed at all. The limit, in entries.
    TooMany(usize),
    /// The file is not UTF-8 text.
    NotText,
    /// The viewer may look, and not change anything: not a publisher, or the library is served for reading alone.
    ReadOnly,
    /// Something has that name already.
    Exists,
    /// A directory that is to be removed holds something.
    NotEmpty,
    /// The quota of the folder or the disk has no room.
    NoRoom,
    /// A file was written while it was read, so that what was read is neither the one nor the other.
    Changing,
    /// The operating system does not let it be changed.
    Unwritable,
    /// What is there is not what the request was made for.
    Changed,
    /// Another request is writing it at this moment.
    Busy,
    /// It cannot be made, moved or removed there: a directory into itself, or onto another file system.
    Impossible,
    /// The name is one that no file can have here.
    BadName,
    /// It would lie deeper than the library goes. How deep that is, in directories.
    TooDeep(usize),
    /// The directory that it was to be in was moved or removed meanwhile.
    Moved,
    /// This source of the library cannot do that.
    NotSupported,
    /// Whoever holds the library for this server gives no answer.
    Upstream,
    /// They give none just now; later is worth a try.
    UpstreamBusy,
}

/// What there is little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// The memory that answers may take together; who has taken it.
    Room(Taken),
    /// The places of those who send files; who has taken them.
    Uploads(Taken),
    /// Descriptors or memory of the machine.
    Machine,
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lacking::Room(Taken::All) => "all memory for answers is taken at this moment; ask again in a moment",
            Lacking::Room(Taken::Own) => {
                "your answers take as much memory at this moment as one user's may; ask again in a moment"
            }
            Lacking::Uploads(Taken::All) => "too many files are being sent at this moment",
            Lacking::Uploads(Taken::Own) => {
                "you are sending as many files at this moment as one may"
            }
            Lacking::Machine => {
                "the server's machine has no descriptors or memory left at this moment; ask again in a moment"
            }
        })
    }
}

impl Refusal {
    /// `path` is the path as the viewer knows it, never one of the machine.
    pub fn new(path: &str, reason: Reason) -> Self {
        Self {
            path: path.to_owned(),
            reason,
            words: None,
        }
    }

    /// A refusal that says more than its reason. Like the path, `words` are for the viewer: nothing of the machine, no secret.
    pub fn in_words(path: &str, reason: Reason, words: String) -> Self {
        Self {
            words: Some(words),
            ..Self::new(path, reason)
        }
    }

    /// The path as the viewer knows it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What stands in `extensions.code`. v0.2 says `INTERNAL_SERVER_ERROR` for all of them.
    pub fn code(&self) -> &'static str {
        match self.reason {
            Reason::NotFound => "NOT_FOUND",
            Reason::NotADirectory => "NOT_A_DIRECTORY",
            Reason::NotAFile => "NOT_A_FILE",
            Reason::Forbidden => "FORBIDDEN",
            Reason::Unreadable => "UNREADABLE",
            Reason::TooLarge(_)
            | Reason::TooLargeToStore(_)
            | Reason::TooMuch(_)
            | Reason::TooMany(_) => "TOO_LARGE",
            Reason::Crowded(_) => "OVERLOADED",
            Reason::NotText => "NOT_TEXT",
            Reason::ReadOnly => "READ_ONLY",
            Reason::Exists => "EXISTS",
            Reason::NotEmpty => "NOT_EMPTY",
            Reason::NoRoom => "NO_ROOM",
            Reason::Changing => "CHANGING",
            Reason::Unwritable => "UNWRITABLE",
            Reason::Changed => "PRECONDITION_FAILED",
            Reason::Busy => "BUSY",
            Reason::Impossible => "IMPOSSIBLE",
            Reason::BadName => "BAD_NAME",
            Reason::TooDeep(_) => "TOO_DEEP",
            Reason::Moved => "MOVED",
            Reason::NotSupported => "NOT_SUPPORTED",
            Reason::Upstream => "UPSTREAM",
            Reason::UpstreamBusy => "UPSTREAM_BUSY",
        }
    }

    /// What stands for it over plain HTTP. GraphQL answers 200 all the same.
    pub fn status(&self) -> StatusCode {
        match self.reason {
            Reason::NotFound => StatusCode::NOT_FOUND,
            Reason::Forbidden | Reason::Unreadable | Reason::Unwritable | Reason::ReadOnly => {
                StatusCode::FORBIDDEN
            }
            Reason::NotADirectory
            | Reason::NotAFile
            | Reason::Exists
            | Reason::NotEmpty
            | Reason::Changing
            | Reason::Busy
            | Reason::Impossible
            | Reason::Moved => StatusCode::CONFLICT,
            Reason::BadName | Reason::TooDeep(_) => StatusCode::BAD_REQUEST,
            Reason::Changed => StatusCode::PRECONDITION_FAILED,
            Reason::TooLarge(_)
            | Reason::TooLargeToStore(_)
            | Reason::TooMuch(_)
            | Reason::TooMany(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Reason::NotText => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Reason::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
            Reason::NotSupported => StatusCode::NOT_IMPLEMENTED,
            Reason::Upstream => StatusCode::BAD_GATEWAY,
            Reason::UpstreamBusy | Reason::Crowded(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// As a GraphQL error with its code. A bare `?` in a resolver would lose the code.
    pub fn told(self) -> async_graphql::Error {
        use async_graphql::ErrorExtensions;
        async_graphql::Error::new(self.to_string())
            .extend_with(|_, extensions| extensions.set("code", self.code()))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        if let Some(words) = &self.words {
            return write!(f, "{path:?}: {words}");
        }
        match self.reason {
            Reason::NotFound => write!(f, "{path:?} is not in the library"),
            Reason::NotADirectory => write!(f, "{path:?} is not a directory"),
            Reason::NotAFile => write!(f, "{path:?} is not a file that can be read"),
            Reason::Forbidden => write!(f, "{path:?} leads out of the library or of its folder"),
            Reason::Unreadable => write!(f, "{path:?} cannot be read"),
            Reason::TooLarge(limit) => {
                write!(
                    f,
                    "{path:?} is too large for an answer: the limit is {limit} bytes"
                )?;
                write_way(f, path)
            }
            Reason::TooLargeToStore(limit) => {
                write!(f, "{path:?} is too large: the limit is {limit} bytes")
            }
            Reason::TooMuch(limit) => write!(
                f,
                "{path:?} would make the answer too large: the limit is {limit} bytes; ask for less at once"
            ),
            Reason::Crowded(lacking) => write!(f, "{path:?}: {lacking}"),
            Reason::NotText => {
                write!(f, "{path:?} is not UTF-8 text")?;
                write_way(f, path)
            }
            Reason::TooMany(limit) => write!(f, "{path:?} holds more than {limit} entries"),
            Reason::ReadOnly => write!(f, "{path:?} cannot be changed by you here"),
            Reason::Exists => write!(f, "{path:?} is there already"),
            Reason::NotEmpty => write!(f, "{path:?} is not empty"),
            Reason::Changing => write!(f, "{path:?} was written while it was read; ask again"),
            Reason::NoRoom => write!(f, "there is no room for {path:?}"),
            Reason::Unwritable => write!(f, "{path:?} cannot be changed"),
            Reason::Changed => write!(f, "{path:?} is not what the request was made for"),
            Reason::Busy => write!(f, "{path:?} is being written by another request"),
            Reason::Impossible => write!(f, "{path:?} cannot be moved there"),
            Reason::BadName => write!(f, "{path:?} is no name for a file here"),
            Reason::TooDeep(limit) => write!(
                f,
                "{path:?} would lie deeper than {limit} directories, which is as deep as the library goes"
            ),
            Reason::Moved => write!(
                f,
                "the directory of {path:?} was moved or removed meanwhile; see where it shall be now, and send it again"
            ),
            Reason::NotSupported => write!(f, "{path:?}: this library cannot do that"),
            Reason::Upstream => write!(f, "{path:?}: where it is kept there is no answer"),
            Reason::UpstreamBusy => write!(f, "{path:?}: where it is kept there is no answer now"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Names the way to a file's bytes. Relative to the endpoint, whose address outside only the client knows.
fn write_way(f: &mut fmt::Formatter<'_>, path: &str) -> fmt::Result {
    f.write_str("; the file itself is at files")?;
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        f.write_str("/")?;
        for byte in segment.bytes() {
            match byte {
                // RFC 3986, 2.3: the characters that are never escaped.
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    write!(f, "{}", char::from(byte))?;
                }
                _ => write!(f, "%{byte:02X}")?,
            }
        }
    }
    f.write_str(" below this address")
}
