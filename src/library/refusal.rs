//! Why a question about the library gets no answer, in a form that clients can tell apart.

use std::fmt;

/// A question that is not answered: about which path, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    path: String,
    reason: Reason,
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
    /// The file is not UTF-8 text.
    NotText,
}

impl Refusal {
    /// `path` is the path as the viewer knows it, never one of the machine.
    pub fn new(path: &str, reason: Reason) -> Self {
        Self {
            path: path.to_owned(),
            reason,
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
            Reason::TooLarge(_) => "TOO_LARGE",
            Reason::NotText => "NOT_TEXT",
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
            Reason::NotText => write!(f, "{path:?} is not UTF-8 text"),
        }
    }
}

impl std::error::Error for Refusal {}
