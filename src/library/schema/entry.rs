//! The entries of a directory, alone or as edges of a connection.

use std::ops::Range;
use std::sync::Arc;

use async_graphql::{Context, Interface, Object, OutputType};

use super::listed::{Listed, Side};
use super::page::{PageInfo, cursor};
use super::scalar::{BigInt, Time};
use super::told;
use super::written::Made;
use crate::library::entries::shown;
use crate::library::folder::Known;
use crate::library::media;
use crate::library::refusal::Refusal;

/// What an entry's fields are made of. What was not asked for is not there.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Its name.
    pub name: Vec<u8>,
    /// The directory that it is in, as the viewer knows it; empty at the top.
    pub directory: Arc<str>,
    /// What the file system knows of the entry itself.
    pub known: Option<Known>,
    /// The digest of its bytes, in hexadecimal; `None` for what has none.
    pub sha256: Result<Option<String>, Refusal>,
}

impl Facts {
    fn name(&self) -> String {
        shown(&self.name)
    }

    fn path(&self) -> String {
        match &*self.directory {
            "" => self.name(),
            directory => format!("{directory}/{}", self.name()),
        }
    }

    fn modified(&self) -> Option<Time> {
        self.known?.modified_text().map(Time)
    }
}

/// An entry that is not a directory.
pub struct Blob(pub Facts);

/// An entry that is not a directory.
#[Object]
impl Blob {
    async fn name(&self) -> String {
        self.0.name()
    }

    /// Always `blob`.
    #[graphql(name = "type")]
    async fn kind(&self) -> &'static str {
        "blob"
    }

    /// Its path from the top of the library.
    async fn path(&self) -> String {
        self.0.path()
    }

    /// Its size in bytes. Null for a link, and for whatever else is not a file.
    async fn size(&self) -> Option<BigInt> {
        self.0.known?.size.map(BigInt)
    }

    /// When its contents were changed last; of a link, the link.
    async fn modified(&self) -> Option<Time> {
        self.0.modified()
    }

    /// What it should be, by its name.
    async fn media_type(&self) -> String {
        media::type_of(&String::from_utf8_lossy(&self.0.name))
    }

    /// The SHA-256 digest of its bytes, in hexadecimal. Null for a link, and for whatever else is not a file.
    async fn sha256(&self, ctx: &Context<'_>) -> Option<String> {
        told(ctx, self.0.sha256.clone()).flatten()
    }
}

/// A directory.
pub struct TreeEntry(pub Facts);

/// A directory.
#[Object]
impl TreeEntry {
    async fn name(&self) -> String {
        self.0.name()
    }

    /// Always `tree`.
    #[graphql(name = "type")]
    async fn kind(&self) -> &'static str {
        "tree"
    }

    /// Its path from the top of the library.
    async fn path(&self) -> String {
        self.0.path()
    }

    /// When something was put into it or taken out last.
    async fn modified(&self) -> Option<Time> {
        self.0.modified()
    }
}

/// An entry of a directory.
// Two fields of one type are two fields.
#[allow(clippy::duplicated_attributes)]
#[derive(Interface)]
#[graphql(
    field(name = "name", ty = "String"),
    field(
        name = "type",
        method = "kind",
        ty = "&'static str",
        desc = "`blob` or `tree`."
    ),
    field(
        name = "path",
        ty = "String",
        desc = "Its path from the top of the library."
    ),
    field(
        name = "modified",
        ty = "Option<Time>",
        desc = "When its contents were changed last."
    )
)]
pub enum Entry {
    /// Everything but directories.
    Blob(Blob),
    /// A directory.
    TreeEntry(TreeEntry),
}

/// A part of the entries of one kind in a directory.
struct Part {
    listed: Arc<Listed>,
    side: fn(&Listed) -> &Side,
    range: Range<usize>,
}

impl Part {
    fn side(&self) -> &Side {
        (self.side)(&self.listed)
    }

    fn edges<'a, E: OutputType + 'a>(&'a self, make: fn(Facts, &[u8]) -> E) -> Made<'a, E> {
        Made::new(&self.listed.path, self.range.clone(), move |index| {
            let side = self.side();
            let name = &side.names[index];
            let facts = Facts {
                name: name.clone(),
                directory: self.listed.path.clone(),
                known: side.known.get(&index).copied(),
                sha256: side.digests.get(&index).cloned().unwrap_or(Ok(None)),
            };
            make(facts, name)
        })
    }

    fn info(&self) -> PageInfo {
        let names = &self.side().names;
        let at = |index: Option<usize>| index.and_then(|index| names.get(index)).map(|n| cursor(n));
        let Range { start, end } = self.range;
        PageInfo {
            end_cursor: at(end.checked_sub(1).filter(|last| *last >= start)),
            has_next_page: end < names.len(),
            has_previous_page: start > 0,
            start_cursor: at(Some(start).filter(|_| start < end)),
        }
    }
}

/// Entries that are not directories.
pub struct BlobConnection(Part);

impl BlobConnection {
    /// Those of a directory that are in `range`.
    pub fn new(listed: Arc<Listed>, range: Range<usize>) -> Self {
        Self(Part {
            listed,
            side: |listed| &listed.blobs,
            range,
        })
    }
}

/// Entries that are not directories.
#[Object]
impl BlobConnection {
    async fn edges(&self) -> Made<'_, BlobEdge> {
        self.0.edges(|facts, name| BlobEdge {
            node: Blob(facts),
            cursor: cursor(name),
        })
    }

    /// How many there are on all pages.
    async fn count(&self) -> usize {
        self.0.side().names.len()
    }

    /// Where this page lies among all.
    async fn page_info(&self) -> PageInfo {
        self.0.info()
    }
}

/// An entry that is not a directory.
pub struct BlobEdge {
    node: Blob,
    cursor: String,
}

/// An entry that is not a directory.
#[Object]
impl BlobEdge {
    async fn node(&self) -> &Blob {
        &self.node
    }

    /// Stands behind this entry.
    async fn cursor(&self) -> &str {
        &self.cursor
    }
}

/// Directories.
pub struct TreeConnection(Part);

impl TreeConnection {
    /// Those of a directory that are in `range`.
    pub fn new(listed: Arc<Listed>, range: Range<usize>) -> Self {
        Self(Part {
            listed,
            side: |listed| &listed.trees,
            range,
        })
    }
}

/// Directories.
#[Object]
impl TreeConnection {
    async fn edges(&self) -> Made<'_, TreeEdge> {
        self.0.edges(|facts, name| TreeEdge {
            node: TreeEntry(facts),
            cursor: cursor(name),
        })
    }

    /// How many there are on all pages.
    async fn count(&self) -> usize {
        self.0.side().names.len()
    }

    /// Where this page lies among all.
    async fn page_info(&self) -> PageInfo {
        self.0.info()
    }
}

/// A directory.
pub struct TreeEdge {
    node: TreeEntry,
    cursor: String,
}

/// A directory.
#[Object]
impl TreeEdge {
    async fn node(&self) -> &TreeEntry {
        &self.node
    }

    /// Stands behind this entry.
    async fn cursor(&self) -> &str {
        &self.cursor
    }
}
