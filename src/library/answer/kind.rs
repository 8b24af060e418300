//! The types of v0.2's schema, as far as a listing and a read go through them.

use super::plan::{Entry, Question};

/// A type of the schema that has fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What questions are asked of.
    Query,
    /// The answer to either.
    Project,
    /// What it holds.
    Repository,
    /// A directory.
    Tree,
    /// Its entries that are no directories.
    BlobConnection,
    /// One of them.
    BlobEdge,
    /// The same.
    Blob,
    /// Its entries that are directories.
    TreeConnection,
    /// One of them.
    TreeEdge,
    /// The same.
    TreeEntry,
    /// The files that were read.
    RepositoryBlobConnection,
    /// The one that was.
    RepositoryBlob,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Always this JSON.
    Fixed(&'static str),
    /// The name of the entry or the file.
    Name,
    /// The file's text.
    Text,
    /// An object.
    Object(Kind),
    /// Nothing, where an object would be.
    Null(Kind),
    /// An array of one object.
    One(Kind),
    /// An array of one object for each entry.
    Each(Entry, Kind),
}

impl Kind {
    /// Its name in the schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "Query",
            Self::Project => "Project",
            Self::Repository => "Repository",
            Self::Tree => "Tree",
            Self::BlobConnection => "BlobConnection",
            Self::BlobEdge => "BlobEdge",
            Self::Blob => "Blob",
            Self::TreeConnection => "TreeConnection",
            Self::TreeEdge => "TreeEdge",
            Self::TreeEntry => "TreeEntry",
            Self::RepositoryBlobConnection => "RepositoryBlobConnection",
            Self::RepositoryBlob => "RepositoryBlob",
        }
    }

    /// What a field of it holds in the answer to a question; `None` where v0.2 has no such field below the top.
    pub fn field(self, name: &str, question: Question) -> Option<Content> {
        let content = match (self, name) {
            (Self::Project, "repository") => Content::Object(Self::Repository),
            (Self::Repository, "tree") => match question {
                Question::List => Content::Object(Self::Tree),
                Question::Read => Content::Null(Self::Tree),
            },
            (Self::Repository, "blobs") => match question {
                Question::List => Content::Null(Self::RepositoryBlobConnection),
                Question::Read => Content::Object(Self::RepositoryBlobConnection),
            },
            (Self::Tree, "blobs") => Content::Object(Self::BlobConnection),
            (Self::Tree, "trees") => Content::Object(Self::TreeConnection),
            (Self::BlobConnection, "edges") => Content::Each(Entry::Blob, Self::BlobEdge),
            (Self::BlobEdge, "node") => Content::Object(Self::Blob),
            (Self::Blob, "name") | (Self::TreeEntry, "name") => Content::Name,
            (Self::Blob, "type") => Content::Fixed("\"blob\""),
            (Self::TreeConnection, "edges") => Content::Each(Entry::Tree, Self::TreeEdge),
            (Self::TreeEdge, "node") => Content::Object(Self::TreeEntry),
            (Self::TreeEntry, "type") => Content::Fixed("\"tree\""),
            (Self::RepositoryBlobConnection, "nodes") => Content::One(Self::RepositoryBlob),
            (Self::RepositoryBlob, "name") => Content::Name,
            (Self::RepositoryBlob, "rawBlob" | "rawTextBlob") => Content::Text,
            _ => return None,
        };
        Some(content)
    }
}
