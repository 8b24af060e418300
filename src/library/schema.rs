//! The GraphQL schema of v0.2, which mirrors a part of GitLab's, so that one client serves both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_graphql::{
    Context, EmptyMutation, EmptySubscription, Object, Schema, SchemaBuilder, SelectionField,
    SimpleObject,
};

use tokio::sync::Mutex;

use super::path::{self, Place, Viewer};
use super::refusal::{Reason, Refusal};
use super::source::{Listing, Source, Text};

/// The schema with its source.
pub type LibrarySchema = Schema<Query, EmptyMutation, EmptySubscription>;

/// What has the names of entries in the answer, once for each.
pub const NAMING_FIELDS: &[&str] = &["name", "type", "__typename"];
/// What has the text of a file in the answer.
pub const TEXT_FIELDS: &[&str] = &["rawBlob", "rawTextBlob"];

/// The schema over `source`. A request must carry the [`Viewer`] and an [`Allowance`] as data.
pub fn schema(source: Arc<dyn Source>) -> LibrarySchema {
    builder(source).finish()
}

/// The same, to be built in another way.
pub fn builder(source: Arc<dyn Source>) -> SchemaBuilder<Query, EmptyMutation, EmptySubscription> {
    Schema::build(Query, EmptyMutation, EmptySubscription).data(source)
}

/// What one request may bring together, in bytes of text and names, however often it asks for them.
#[derive(Debug)]
pub struct Allowance {
    limit: u64,
    left: AtomicU64,
    turn: Mutex<()>,
}

impl Allowance {
    /// An allowance of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            left: AtomicU64::new(limit),
            turn: Mutex::new(()),
        }
    }

    /// Takes so many bytes for what is asked of `path`.
    ///
    /// # Errors
    ///
    /// [`Reason::TooLarge`] where they are not left.
    pub fn take(&self, bytes: u64, path: &str) -> Result<(), Refusal> {
        self.left
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .map(drop)
            .map_err(|_| Refusal::new(path, Reason::TooLarge(self.limit)))
    }
}

/// The questions that can be asked of the library.
pub struct Query;

#[Object]
impl Query {
    /// What a directory holds. Its answer is under `repository.tree`.
    async fn list_directory(
        &self,
        ctx: &Context<'_>,
        path: String,
    ) -> async_graphql::Result<Project> {
        let times = asked_for(ctx.field(), NAMING_FIELDS);
        Asking::from(ctx)?
            .list(&path, times)
            .await
            .map_err(Refusal::told)
    }

    /// The text of a file. Its answer is under `repository.blobs`.
    async fn read_file(&self, ctx: &Context<'_>, path: String) -> async_graphql::Result<Project> {
        let times = asked_for(ctx.field(), TEXT_FIELDS);
        Asking::from(ctx)?
            .read(&path, times)
            .await
            .map_err(Refusal::told)
    }
}

/// Who asks, of what, and how much they may bring together.
struct Asking<'a> {
    viewer: &'a Viewer,
    source: &'a dyn Source,
    allowance: &'a Allowance,
}

impl<'a> Asking<'a> {
    fn from(ctx: &'a Context<'_>) -> async_graphql::Result<Self> {
        Ok(Self {
            viewer: ctx.data::<Viewer>()?,
            source: ctx.data::<Arc<dyn Source>>()?.as_ref(),
            allowance: ctx.data::<Arc<Allowance>>()?,
        })
    }

    /// Lists a directory whose entries are asked for so many times.
    async fn list(&self, path: &str, times: u64) -> Result<Project, Refusal> {
        let place = path::resolve(self.viewer, path)?;
        // One after the other, so that what is not yet counted is one file or directory at most.
        let _turn = self.allowance.turn.lock().await;
        let listing = self.source.list(place).await?;
        let names = listing.trees.iter().chain(&listing.blobs);
        let bytes = bytes_of_names(names.map(String::as_str));
        self.allowance.take(bytes.saturating_mul(times), path)?;
        Ok(listing.into())
    }

    /// Reads a file whose text is asked for so many times.
    async fn read(&self, path: &str, times: u64) -> Result<Project, Refusal> {
        let Place::Inside(place) = path::resolve(self.viewer, path)? else {
            return Err(Refusal::new(path, Reason::NotAFile));
        };
        let _turn = self.allowance.turn.lock().await;
        let text = self.source.read(place).await?;
        let bytes = text.text.len() as u64;
        self.allowance.take(bytes.saturating_mul(times), path)?;
        Ok(text.into())
    }
}

/// What names count for, the JSON around them included.
pub fn bytes_of_names<'a>(names: impl Iterator<Item = &'a str>) -> u64 {
    names.map(|name| name.len() as u64 + 32).sum()
}

/// How often fields of these names are asked for below `field`.
fn asked_for(field: SelectionField<'_>, names: &[&str]) -> u64 {
    field
        .selection_set()
        .map(|inner| u64::from(names.contains(&inner.name())) + asked_for(inner, names))
        .sum()
}

/// The library, or the part of it that was asked for.
#[derive(SimpleObject)]
pub struct Project {
    /// What it holds.
    repository: Repository,
}

/// The answer to a listing or a read; the other one's field is null.
#[derive(SimpleObject)]
pub struct Repository {
    /// What a directory holds.
    tree: Option<Tree>,
    /// The file that was read.
    blobs: Option<RepositoryBlobConnection>,
}

/// What a directory holds.
#[derive(SimpleObject)]
pub struct Tree {
    /// Everything but directories, sorted by the bytes of the names.
    blobs: BlobConnection,
    /// Directories, sorted by the bytes of the names.
    trees: TreeConnection,
}

/// Entries that are not directories.
#[derive(SimpleObject)]
pub struct BlobConnection {
    edges: Vec<BlobEdge>,
}

/// An entry that is not a directory.
#[derive(SimpleObject)]
pub struct BlobEdge {
    node: Blob,
}

/// An entry that is not a directory.
#[derive(SimpleObject)]
pub struct Blob {
    name: String,
    /// Always `blob`.
    #[graphql(name = "type")]
    kind: &'static str,
}

/// Directories.
#[derive(SimpleObject)]
pub struct TreeConnection {
    edges: Vec<TreeEdge>,
}

/// A directory.
#[derive(SimpleObject)]
pub struct TreeEdge {
    node: TreeEntry,
}

/// A directory.
#[derive(SimpleObject)]
pub struct TreeEntry {
    name: String,
    /// Always `tree`.
    #[graphql(name = "type")]
    kind: &'static str,
}

/// Files that were read.
#[derive(SimpleObject)]
pub struct RepositoryBlobConnection {
    nodes: Option<Vec<Option<RepositoryBlob>>>,
}

/// A file that was read.
#[derive(SimpleObject)]
pub struct RepositoryBlob {
    name: String,
    /// Its text, without white space and a byte-order mark at both ends.
    raw_blob: String,
    /// The same.
    raw_text_blob: String,
}

impl From<Listing> for Project {
    fn from(listing: Listing) -> Self {
        let blob = |name| BlobEdge {
            node: Blob { name, kind: "blob" },
        };
        let tree = |name| TreeEdge {
            node: TreeEntry { name, kind: "tree" },
        };
        Project {
            repository: Repository {
                tree: Some(Tree {
                    blobs: BlobConnection {
                        edges: listing.blobs.into_iter().map(blob).collect(),
                    },
                    trees: TreeConnection {
                        edges: listing.trees.into_iter().map(tree).collect(),
                    },
                }),
                blobs: None,
            },
        }
    }
}

impl From<Text> for Project {
    fn from(Text { name, text }: Text) -> Self {
        let blob = RepositoryBlob {
            name,
            raw_blob: text.clone(),
            raw_text_blob: text,
        };
        Project {
            repository: Repository {
                tree: None,
                blobs: Some(RepositoryBlobConnection {
                    nodes: Some(vec![Some(blob)]),
                }),
            },
        }
    }
}
