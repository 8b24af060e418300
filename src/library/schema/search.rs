//! The answer to a search.

use std::sync::Arc;

use async_graphql::{SelectionField, SimpleObject};

use super::ask::{Asking, asked_for};
use super::entry::{Blob, Entry, Facts, TreeEntry};
use super::listed::{digest, refused};
use super::page::{PageInfo, bad_input, cursor, read_cursor};
use crate::library::escaped;
use crate::library::folder::Folder;
use crate::library::path::{self, Place};
use crate::library::refusal::{Reason, Refusal};
use crate::library::search::{Found, Hit, Pattern, Position, Search, search};

/// How many entries one search looks at.
const MAX_SEEN: u64 = 200_000;
/// What looking at an entry counts for, in bytes of an answer.
const SEEN: u64 = 16;
/// How many may be asked for at once.
const MAX_FIRST: i32 = 1000;
/// The longest name that makes sense, in characters.
const MAX_NAME: usize = 255;
/// What each of its fields counts for besides its text: what a value takes while the answer is put together.
const VALUE: u64 = 256;
/// What an entry that was found counts for besides its fields: itself, its edge, and where it stands.
const HIT: u64 = 1024;

/// What a search found.
#[derive(SimpleObject)]
pub struct SearchConnection {
    edges: Vec<SearchEdge>,
    /// Where this page lies among all.
    page_info: PageInfo,
    /// Whether not all was looked at: it takes long, there is more than one search may look at, or it is nested too deep.
    /// With `endCursor` the search goes on where it stopped.
    truncated: bool,
}

/// An entry that was found.
#[derive(SimpleObject)]
pub struct SearchEdge {
    /// Stands behind this entry.
    cursor: String,
    node: Entry,
}

impl Asking<'_> {
    /// Searches for `field`, which is a `SearchConnection`.
    pub async fn search(
        &self,
        path: &str,
        name: &str,
        first: i32,
        after: Option<&str>,
        field: SelectionField<'_>,
    ) -> async_graphql::Result<SearchConnection> {
        if !(0..=MAX_FIRST).contains(&first) {
            return Err(bad_input(format!("\"first\" is not from 0 to {MAX_FIRST}")));
        }
        if name.chars().count() > MAX_NAME {
            return Err(bad_input(format!(
                "\"name\" is longer than {MAX_NAME} characters"
            )));
        }
        let after = after.map(read_cursor).transpose()?;
        let fields = [
            "name",
            "type",
            "path",
            "size",
            "modified",
            "mediaType",
            "cursor",
            "__typename",
        ];
        let wants = Wants {
            pattern: Pattern::new(name),
            first: usize::try_from(first).unwrap_or(0),
            resumed: after.is_some(),
            after: after.as_deref().map(Position::from_bytes),
            times: asked_for(field, &fields),
            known: asked_for(field, &["size", "modified"]) > 0,
            digests: asked_for(field, &["sha256"]),
        };
        self.found(path, wants).await.map_err(Refusal::told)
    }

    async fn found(&self, path: &str, wants: Wants) -> Result<SearchConnection, Refusal> {
        let place = path::resolve(self.viewer, path)?;
        let Some(disk) = self.source.disk() else {
            return Err(Refusal::new(path, Reason::NotSupported));
        };
        let _turn = self.allowance.turn().await;
        // Half of what is left is for what is found.
        let most = MAX_SEEN.min(self.allowance.left() / (2 * SEEN));
        if most == 0 {
            return Err(self.allowance.refuse(path));
        }
        let (resumed, allowance, asked) = (wants.resumed, self.allowance.clone(), path.to_owned());
        let query = Search {
            viewer: self.viewer.clone(),
            place,
            pattern: wants.pattern,
            first: wants.first,
            after: wants.after,
            known: wants.known,
            most,
        };
        let (found, digests) = disk
            .off_thread_long(self.allowance.whose(), move |root, given_up| {
                let found = search(root, &query, given_up)?;
                allowance.take(found.seen * SEEN, &asked)?;
                let times = wants.times.saturating_add(wants.digests);
                let bytes = |hit: &Hit| {
                    let path = escaped::of_text(directory_of(hit)) + escaped::of_name(&hit.name);
                    let value = path.saturating_mul(2) + VALUE;
                    value.saturating_mul(times).saturating_add(HIT)
                };
                let bytes = found.hits.iter().map(bytes);
                allowance.take(bytes.fold(0, u64::saturating_add), &asked)?;
                let mut digests = Vec::new();
                if wants.digests > 0 {
                    for hit in &found.hits {
                        let folder = Folder::open(root, &hit.directory);
                        let directory = directory_of(hit);
                        let digest = match folder {
                            Ok(folder) if !hit.tree => {
                                digest(&folder, directory, &hit.name, &allowance, given_up)
                            }
                            Ok(_) | Err(_) => Ok(None),
                        };
                        if digest.is_err() {
                            let bytes = refused(directory, &hit.name, wants.digests);
                            allowance.take(bytes, &asked)?;
                        }
                        digests.push(digest);
                    }
                }
                Ok((found, digests))
            })
            .await
            .unwrap_or_else(|| Err(Refusal::new("", Reason::Unreadable)))?;
        Ok(connection(found, digests, resumed))
    }
}

struct Wants {
    pattern: Pattern,
    first: usize,
    after: Option<Position>,
    resumed: bool,
    /// How often fields of an entry are asked for.
    times: u64,
    known: bool,
    digests: u64,
}

fn directory_of(hit: &Hit) -> &str {
    match &hit.directory {
        Place::Top(_) => "",
        Place::Inside(inside) => &inside.shown,
    }
}

fn connection(
    found: Found,
    digests: Vec<Result<Option<String>, Refusal>>,
    resumed: bool,
) -> SearchConnection {
    let page_info = PageInfo {
        end_cursor: found.end.map(|end| cursor(&end.bytes())),
        has_next_page: found.enough || found.stopped,
        has_previous_page: resumed,
        start_cursor: found.hits.first().map(|hit| cursor(&hit.position.bytes())),
    };
    let digests = digests.into_iter().chain(std::iter::repeat(Ok(None)));
    let edges = found.hits.into_iter().zip(digests).map(|(hit, sha256)| {
        let facts = Facts {
            directory: Arc::from(directory_of(&hit)),
            name: hit.name,
            known: hit.known,
            sha256,
        };
        SearchEdge {
            cursor: cursor(&hit.position.bytes()),
            node: match hit.tree {
                true => Entry::TreeEntry(TreeEntry(facts)),
                false => Entry::Blob(Blob(facts)),
            },
        }
    });
    SearchConnection {
        edges: edges.collect(),
        page_info,
        truncated: found.truncated,
    }
}
