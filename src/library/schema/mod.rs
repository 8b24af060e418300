//! The GraphQL schema: v0.2's, which mirrors a part of GitLab's so that one client serves both, and what goes beyond it.
//! What is beyond has GitLab's names where GitLab has the same thing.

mod ask;
mod blob;
mod entry;
mod listed;
mod mutation;
mod page;
mod scalar;
mod search;
mod twins;
mod written;

use std::sync::Arc;

use async_graphql::{Context, EmptySubscription, Object, Schema, SchemaBuilder, SimpleObject};

use self::ask::Asking;
pub use self::ask::{NAMING_FIELDS, TEXT_FIELDS, bytes_of_names};
use self::blob::{RepositoryBlob, RepositoryBlobConnection};
use self::entry::{BlobConnection, TreeConnection};
use self::listed::Listed;
pub use self::mutation::Mutation;
use self::page::Window;
use self::search::SearchConnection;
use self::twins::DigitalTwin;
pub use self::written::{Unmerged, is_unmerged, json};
use super::refusal::Refusal;
use super::source::Source;

/// The schema with its source.
pub type LibrarySchema = Schema<Query, Mutation, EmptySubscription>;

/// The schema over `source`. A request must carry the [`Viewer`](super::path::Viewer) and an
/// [`Allowance`](super::allowance::Allowance) as data;
/// [`Unmerged`] lets long lists take less memory.
pub fn schema(source: Arc<dyn Source>) -> LibrarySchema {
    builder(source).finish()
}

/// The same, to be built in another way.
pub fn builder(source: Arc<dyn Source>) -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query, Mutation, EmptySubscription).data(source)
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
        let listed = Asking::from(ctx)?.list(&path, ctx.field()).await?;
        Ok(listed.into())
    }

    /// The text of a file. Its answer is under `repository.blobs`.
    async fn read_file(&self, ctx: &Context<'_>, path: String) -> async_graphql::Result<Project> {
        Asking::from(ctx)?
            .read(&path, &[ctx.field()])
            .await
            .map(Project::from)
            .map_err(Refusal::told)
    }

    /// Whatever has a name like `name` below a directory, in the order of its paths; with the path `""` in every folder that
    /// is shown at the top. Links are found, and not followed.
    async fn search(
        &self,
        ctx: &Context<'_>,
        path: String,
        #[graphql(
            desc = "A part of the name, or all of it with `*` for any characters and `?` for \
                          one; upper and lower case are the same."
        )]
        name: String,
        #[graphql(desc = "At most so many, up to 1000.", default = 100)] first: i32,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
    ) -> async_graphql::Result<SearchConnection> {
        Asking::from(ctx)?
            .search(&path, &name, first, after.as_deref(), ctx.field())
            .await
    }

    /// The digital twins of a folder: the directories in `digital twins` below `path`, or in `path` if that is what it is
    /// called; with the path `""` those of every folder that is shown at the top. Hidden directories are left out.
    async fn digital_twins(
        &self,
        ctx: &Context<'_>,
        path: String,
    ) -> async_graphql::Result<Vec<DigitalTwin>> {
        Asking::from(ctx)?
            .twins(&path, ctx.field())
            .await
            .map_err(Refusal::told)
    }
}

/// What came out, or null and an error of that field. A resolver that fails would leave the field out instead.
fn told<T>(ctx: &Context<'_>, outcome: Result<T, Refusal>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(refusal) => {
            let error = refusal.told().into_server_error(ctx.item.pos);
            ctx.add_error(ctx.set_error_path(error));
            None
        }
    }
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
pub struct Tree(Arc<Listed>);

/// What a directory holds.
#[Object]
impl Tree {
    /// Everything but directories, sorted by the bytes of the names.
    async fn blobs(
        &self,
        #[graphql(desc = "At most so many; by default all of them.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
    ) -> async_graphql::Result<BlobConnection> {
        let range = Window::new(first, after.as_deref())?.range(&self.0.blobs.names);
        Ok(BlobConnection::new(self.0.clone(), range))
    }

    /// Directories, sorted by the bytes of the names.
    async fn trees(
        &self,
        #[graphql(desc = "At most so many; by default all of them.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
    ) -> async_graphql::Result<TreeConnection> {
        let range = Window::new(first, after.as_deref())?.range(&self.0.trees.names);
        Ok(TreeConnection::new(self.0.clone(), range))
    }

    /// The directory's `README.md`, in upper or lower case. Null when there is none.
    async fn readme(&self, ctx: &Context<'_>) -> Option<RepositoryBlob> {
        told(ctx, self.0.readme.clone().transpose()).flatten()
    }
}

impl From<Listed> for Project {
    fn from(listed: Listed) -> Self {
        Project {
            repository: Repository {
                tree: Some(Tree(Arc::new(listed))),
                blobs: None,
            },
        }
    }
}

impl From<RepositoryBlob> for Project {
    fn from(blob: RepositoryBlob) -> Self {
        Project {
            repository: Repository {
                tree: None,
                blobs: Some(blob.into()),
            },
        }
    }
}
