//! Why a question about the library gets no answer, in a form that clients can tell apart.

use std::fmt;

use axum::http::StatusCode;

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
    /// More than one file, or one answer, may hold. The limit, in bytes.
    TooLarge(u64),
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
    /// This source of the library cannot do that.
    NotSupported,
    /// Whoever holds the library for this server gives no answer.
    Upstream,
    /// They give none just now; later is worth a try.
    UpstreamBusy,
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

    /// What stands in `extensions.code`. v0.2 says `INTERNAL_SERVER_ERROR` for all of them.
    pub fn code(&self) -> &'static str {
        match self.reason {
            Reason::NotFound => "NOT_FOUND",
            Reason::NotADirectory => "NOT_A_DIRECTORY",
            Reason::NotAFile => "NOT_A_FILE",
            Reason::Forbidden => "FORBIDDEN",
            Reason::Unreadable => "UNREADABLE",
            Reason::TooLarge(_) | Reason::TooMany(_) => "TOO_LARGE",
            Reason::NotText => "NOT_TEXT",
            Reason::ReadOnly => "READ_ONLY",
            Reason::Exists => "EXISTS",
            Reason::NotEmpty => "NOT_EMPTY",
            Reason::NoRoom => "NO_ROOM",
            Reason::NotSupported => "NOT_SUPPORTED",
            Reason::Upstream => "UPSTREAM",
            Reason::UpstreamBusy => "UPSTREAM_BUSY",
        }
    }

    /// What stands for it over plain HTTP. GraphQL answers 200 all the same.
    pub fn status(&self) -> StatusCode {
        match self.reason {
            Reason::NotFound => StatusCode::NOT_FOUND,
            Reason::Forbidden | Reason::Unreadable | Reason::ReadOnly => StatusCode::FORBIDDEN,
            Reason::NotADirectory | Reason::NotAFile | Reason::Exists | Reason::NotEmpty => {
                StatusCode::CONFLICT
            }
            Reason::TooLarge(_) | Reason::TooMany(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Reason::NotText => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Reason::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
            Reason::NotSupported => StatusCode::NOT_IMPLEMENTED,
            Reason::Upstream => StatusCode::BAD_GATEWAY,
            Reason::UpstreamBusy => StatusCode::SERVICE_UNAVAILABLE,
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
                )
            }
            Reason::TooMany(limit) => write!(f, "{path:?} holds more than {limit} entries"),
            Reason::NotText => write!(f, "{path:?} is not UTF-8 text"),
            Reason::ReadOnly => write!(f, "{path:?} cannot be changed by you here"),
            Reason::Exists => write!(f, "{path:?} is there already"),
            Reason::NotEmpty => write!(f, "{path:?} is not empty"),
            Reason::NoRoom => write!(f, "there is no room for {path:?}"),
            Reason::NotSupported => write!(f, "{path:?}: this library cannot do that"),
            Reason::Upstream => write!(f, "{path:?}: where it is kept there is no answer"),
            Reason::UpstreamBusy => write!(f, "{path:?}: where it is kept there is no answer now"),
        }
    }
}

impl std::error::Error for Refusal {}
