//! Changes to the library, where it may be changed. They are those of the files below the endpoint, by the same rules.

use std::sync::Arc;

use async_graphql::{Context, Object, SelectionField};
use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;

use super::ask::{Asking, asked_for};
use super::entry::{Blob, Entry, Facts, TreeEntry};
use super::listed::digest;
use super::page::bad_input;
use crate::library::conditions::Conditions;
use crate::library::details::{Details, Kind};
use crate::library::digest::{Wanted, examine};
use crate::library::folder::{Folder, Known};
use crate::library::local::Local;
use crate::library::path::{self, Inside, Place};
use crate::library::refusal::{Reason, Refusal};

/// What can be changed in the library.
pub struct Mutation;

/// What can be changed in the library. Where nothing may be, each of these answers `READ_ONLY`.
#[Object]
impl Mutation {
    /// Makes a directory. The one that it shall be in must be there.
    async fn create_directory(
        &self,
        ctx: &Context<'_>,
        path: String,
    ) -> async_graphql::Result<TreeEntry> {
        let asking = Asking::from(ctx)?;
        asking.create_directory(&path).await.map_err(Refusal::told)
    }

    /// Writes a file of text, with the directories that are missing on the way to it. What is larger than a request may be,
    /// and what is not text, is sent to `files` below this address.
    async fn write_file(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where the file shall be.")] path: String,
        #[graphql(desc = "What it shall hold, as it is.")] text: String,
        #[graphql(
            desc = "Whether a file that is there already may be replaced.",
            default
        )]
        overwrite: bool,
        #[graphql(desc = "Replaces the file that has this `etag`, and no other.")] if_match: Option<
            String,
        >,
    ) -> async_graphql::Result<Blob> {
        let conditions = match (if_match, overwrite) {
            (Some(tag), _) => {
                let value = HeaderValue::from_str(&tag)
                    .map_err(|_| bad_input("\"ifMatch\" is no entity tag"))?;
                Conditions::of(&HeaderMap::from_iter([(IF_MATCH, value)]))
            }
            (None, true) => Conditions::default(),
            (None, false) => Conditions::nothing_there(),
        };
        let asking = Asking::from(ctx)?;
        asking
            .write_file(&path, text, conditions, ctx.field())
            .await
            .map_err(Refusal::told)
    }

    /// Moves a file or a directory; it may get another name. The directory that it shall be in must be there.
    #[graphql(name = "move")]
    async fn rename(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is moved.")] from: String,
        #[graphql(desc = "What it is called then.")] to: String,
        #[graphql(
            desc = "Whether it may take the place of a file, or a directory that of an empty one.",
            default
        )]
        overwrite: bool,
    ) -> async_graphql::Result<Entry> {
        let asking = Asking::from(ctx)?;
        asking
            .rename(&from, &to, overwrite, ctx.field())
            .await
            .map_err(Refusal::told)
    }

    /// Removes a file, a link, or an empty directory. Answers with the path of what is gone.
    async fn delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is removed.")] path: String,
        #[graphql(
            desc = "Whether a directory goes with everything that it holds.",
            default
        )]
        recursive: bool,
    ) -> async_graphql::Result<String> {
        let asking = Asking::from(ctx)?;
        asking.delete(&path, recursive).await.map_err(Refusal::told)
    }
}

impl Asking<'_> {
    async fn create_directory(&self, path: &str) -> Result<TreeEntry, Refusal> {
        let (disk, place) = (self.written(path)?, self.inside(path)?);
        disk.make_directory(self.viewer, place.clone()).await?;
        let details = disk.details(self.viewer, place.clone()).await.ok();
        Ok(TreeEntry(facts(&place, details)))
    }

    async fn write_file(
        &self,
        path: &str,
        text: String,
        conditions: Conditions,
        field: SelectionField<'_>,
    ) -> Result<Blob, Refusal> {
        let (disk, place) = (self.written(path)?, self.inside(path)?);
        let wanted = Wanted {
            sha256: asked_for(field, &["sha256"]) > 0,
            is_text: false,
        };
        let examined = examine(text.as_bytes(), wanted);
        let careful = conditions.wants_nothing_there();
        let details = disk
            .put(self.viewer, place.clone(), Bytes::from(text), conditions)
            .await
            .map_err(|refusal| match refusal.reason() {
                Reason::Changed if careful => place.refuse(Reason::Exists),
                _ => refusal,
            })?;
        Ok(Blob(Facts {
            sha256: Ok(examined.sha256),
            ..facts(&place, Some(details))
        }))
    }

    async fn rename(
        &self,
        from: &str,
        to: &str,
        overwrite: bool,
        field: SelectionField<'_>,
    ) -> Result<Entry, Refusal> {
        let disk = self.written(from)?;
        let (from, to) = (self.inside(from)?, self.inside(to)?);
        disk.rename(
            self.viewer,
            from,
            to.clone(),
            overwrite,
            Conditions::default(),
        )
        .await?;
        self.entry(disk, to, asked_for(field, &["sha256"]) > 0)
            .await
    }

    async fn delete(&self, path: &str, recursive: bool) -> Result<String, Refusal> {
        let (disk, place) = (self.written(path)?, self.inside(path)?);
        let shown = place.shown.clone();
        disk.remove(self.viewer, place, recursive, Conditions::default())
            .await?;
        Ok(shown)
    }

    /// The library where it may be changed.
    fn written(&self, path: &str) -> Result<&Local, Refusal> {
        let disk = self.source.disk().filter(|disk| disk.limits().is_some());
        disk.ok_or_else(|| Refusal::new(path, Reason::ReadOnly))
    }

    fn inside(&self, path: &str) -> Result<Inside, Refusal> {
        match path::resolve(self.viewer, path)? {
            Place::Inside(place) => Ok(place),
            Place::Top(_) => Err(Refusal::new(path, Reason::Forbidden)),
        }
    }

    /// What is at a place now; of a link, the link.
    async fn entry(&self, disk: &Local, place: Inside, digested: bool) -> Result<Entry, Refusal> {
        let allowance = self.allowance.clone();
        let mut above = place.clone();
        let name = above.rest.pop().unwrap_or_default();
        above.shown = directory_of(&place).to_owned();
        let look = move |root: &_, given_up: &_| {
            let shown = above.shown.clone();
            let folder = Folder::open(root, &Place::Inside(above))?;
            let details = folder.details(name.as_bytes());
            let sha256 = match digested {
                true => digest(&folder, &shown, name.as_bytes(), &allowance, given_up),
                false => Ok(None),
            };
            Ok((details, sha256))
        };
        let looked = disk.off_thread_long(self.allowance.whose(), look).await;
        let (details, sha256) =
            looked.unwrap_or_else(|| Err(Refusal::new("", Reason::Unreadable)))?;
        let tree = details
            .as_ref()
            .is_some_and(|details| details.kind == Kind::Directory);
        let facts = Facts {
            sha256,
            ..facts(&place, details)
        };
        Ok(match tree {
            true => Entry::TreeEntry(TreeEntry(facts)),
            false => Entry::Blob(Blob(facts)),
        })
    }
}

fn directory_of(place: &Inside) -> &str {
    let (directory, _) = place.shown.rsplit_once('/').unwrap_or_default();
    directory
}

fn facts(place: &Inside, details: Option<Details>) -> Facts {
    Facts {
        name: place.name().as_bytes().to_vec(),
        directory: Arc::from(directory_of(place)),
        known: details.map(Known::from),
        sha256: Ok(None),
    }
}
