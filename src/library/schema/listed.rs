//! A directory as it was listed for one field, with all that is asked for below that field: it is read in one go, so that what
//! stands in one answer belongs together, and counted before it is read.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use async_graphql::{SelectionField, Value};

use super::ask::{Asking, NAMING_FIELDS, asked_for, below, bytes_of_names};
use super::blob::RepositoryBlob;
use super::page::Window;
use crate::library::allowance::{self, Allowance};
use crate::library::digest::{self, Wanted};
use crate::library::escaped;
use crate::library::folder::{Folder, Known, Names};
use crate::library::given_up::GivenUp;
use crate::library::local::Local;
use crate::library::path::{self, Place};
use crate::library::refusal::{Reason, Refusal};
use crate::library::source::Listing;

/// What fields beyond v0.2 count for that do not hold the name, as JSON.
const FIELDS: &[(&str, u64)] = &[
    ("size", 24),
    ("modified", 48),
    ("mediaType", 64),
    ("sha256", 80),
];

/// What was found.
#[derive(Debug, Default)]
pub struct Listed {
    /// The directory as the viewer knows it; empty at the top.
    pub path: Arc<str>,
    /// Directories.
    pub trees: Side,
    /// Everything else.
    pub blobs: Side,
    /// Its README, where that was asked for.
    pub readme: Option<Result<RepositoryBlob, Refusal>>,
}

/// The entries of one kind.
#[derive(Debug, Default)]
pub struct Side {
    /// All names, sorted by bytes.
    pub names: Vec<Vec<u8>>,
    /// What is known of some of them.
    pub known: BTreeMap<usize, Known>,
    /// The digests of some of them.
    pub digests: BTreeMap<usize, Result<Option<String>, Refusal>>,
}

/// Which entries a connection is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Trees,
    Blobs,
}

/// What one connection asks for.
#[derive(Debug)]
struct Page {
    of: Of,
    window: Window,
    /// How often fields of v0.2 are asked for, where they are not counted with the whole directory.
    plain: u64,
    /// How often fields that hold the name.
    named: u64,
    /// How often paths.
    paths: u64,
    /// What the other fields of an entry come to, in bytes.
    more: u64,
    /// Whether the file system is asked about each entry.
    known: bool,
    /// How often digests.
    digests: u64,
}

impl Page {
    /// What the connection `field` asks for.
    fn read(field: SelectionField<'_>, of: Of) -> async_graphql::Result<Self> {
        let (mut first, mut after) = (None, None);
        for (name, value) in field.arguments()? {
            match (name.as_str(), value) {
                ("first", Value::Number(number)) => {
                    first = number.as_i64().and_then(|n| i32::try_from(n).ok());
                }
                ("after", Value::String(cursor)) => after = Some(cursor),
                _ => {}
            }
        }
        let window = Window::new(first, after.as_deref())?;
        let more = FIELDS
            .iter()
            .map(|(name, bytes)| asked_for(field, &[name]).saturating_mul(*bytes));
        Ok(Self {
            of,
            plain: match window.first {
                Some(_) => asked_for(field, NAMING_FIELDS),
                None => 0,
            },
            // A cursor is a third longer than the name, which what is counted around a name makes good mostly.
            named: asked_for(field, &["path", "cursor"]),
            paths: asked_for(field, &["path"]),
            more: more.sum(),
            known: asked_for(field, &["size", "modified", "sha256"]) > 0,
            digests: asked_for(field, &["sha256"]),
            window,
        })
    }
}

/// What is asked for below a field that lists.
struct Needs<'a> {
    pages: Vec<Page>,
    /// How often fields of v0.2 are asked for of all entries.
    plain: u64,
    readme: Vec<SelectionField<'a>>,
}

impl<'a> Needs<'a> {
    fn below(project: SelectionField<'a>) -> async_graphql::Result<Self> {
        let mut pages = Vec::new();
        let mut readme = Vec::new();
        let trees: Vec<_> = below(project, "repository")
            .into_iter()
            .flat_map(|repository| below(repository, "tree"))
            .collect();
        for tree in trees {
            for field in tree.selection_set() {
                match field.name() {
                    "trees" => pages.push(Page::read(field, Of::Trees)?),
                    "blobs" => pages.push(Page::read(field, Of::Blobs)?),
                    "readme" => readme.push(field),
                    _ => {}
                }
            }
        }
        let paged: u64 = pages.iter().map(|page| page.plain).sum();
        let of_readme: u64 = readme
            .iter()
            .map(|&field| asked_for(field, NAMING_FIELDS))
            .sum();
        Ok(Self {
            plain: asked_for(project, NAMING_FIELDS) - paged - of_readme,
            pages,
            readme,
        })
    }
}

impl Asking<'_> {
    /// Lists a directory for `field`, which is a `Project`.
    pub async fn list(
        &self,
        path: &str,
        field: SelectionField<'_>,
    ) -> async_graphql::Result<Listed> {
        let needs = Needs::below(field)?;
        self.listed(path, needs).await.map_err(Refusal::told)
    }

    async fn listed(&self, path: &str, needs: Needs<'_>) -> Result<Listed, Refusal> {
        let place = path::resolve(self.viewer, path)?;
        let shown: Arc<str> = match &place {
            Place::Top(_) => "".into(),
            Place::Inside(inside) => inside.shown.as_str().into(),
        };
        // One after the other, so that what is not yet counted is one file or directory at most.
        let turn = self.allowance.turn().await;
        let reading = Reading {
            place: place.clone(),
            asked: path.to_owned(),
            shown: shown.clone(),
            plain: needs.plain.max(1),
            pages: needs.pages,
            allowance: self.allowance.clone(),
        };
        let mut listed = match self.source.disk() {
            Some(disk) => reading.on(disk).await?,
            None => {
                if reading.pages.iter().any(|page| page.known) {
                    return Err(Refusal::new(path, Reason::NotSupported));
                }
                let listing = self.source.list(reading.on_account(), place).await?;
                reading.counted(listing.into())?.0
            }
        };
        drop(turn);
        if !needs.readme.is_empty() {
            listed.readme = self
                .readme(&listed.path, &listed.blobs.names, &needs.readme)
                .await;
        }
        Ok(listed)
    }
}

impl From<Listing> for Names {
    fn from(listing: Listing) -> Self {
        let bytes = |names: Vec<String>| names.into_iter().map(String::into_bytes).collect();
        Self {
            trees: bytes(listing.trees),
            blobs: bytes(listing.blobs),
        }
    }
}

/// A listing on its way.
struct Reading {
    place: Place,
    /// The path as it was asked for, for refusals.
    asked: String,
    /// The path as the viewer knows it.
    shown: Arc<str>,
    plain: u64,
    pages: Vec<Page>,
    allowance: Arc<Allowance>,
}

/// Of a page: what it is of, and which entries.
type Pages = Vec<(Page, Range<usize>)>;

impl Reading {
    async fn on(self, disk: &Local) -> Result<Listed, Refusal> {
        let stopped = || Refusal::new("", Reason::Unreadable);
        let digests = self.pages.iter().any(|page| page.digests > 0);
        let (place, asked) = (self.place.clone(), self.asked.clone());
        let allowance = self.allowance.clone();
        let whose = allowance.whose();
        let (mut listed, pages) = disk
            .off_thread(whose, move |root| {
                let folder = Folder::open(root, &self.place)?;
                let names = folder.names(&self.on_account())?;
                let (mut listed, pages) = self.counted(names)?;
                for (page, range) in pages.iter().filter(|(page, _)| page.known) {
                    let side = listed.side_mut(page.of);
                    for index in range.clone() {
                        if let Some(known) = folder.known(&side.names[index]) {
                            side.known.insert(index, known);
                        }
                    }
                }
                Ok((listed, pages))
            })
            .await
            .ok_or_else(stopped)??;
        if digests {
            listed = disk
                .off_thread_long(whose, move |root, given_up| {
                    let folder = Folder::open(root, &place)?;
                    for (page, range) in pages.iter().filter(|(page, _)| page.digests > 0) {
                        let path = listed.path.clone();
                        let side = listed.side_mut(page.of);
                        for index in range.clone() {
                            let name = &side.names[index];
                            let digest = digest(&folder, &path, name, &allowance, given_up);
                            if digest.is_err() {
                                allowance.take(refused(&path, name, page.digests), &asked)?;
                            }
                            side.digests.insert(index, digest);
                        }
                    }
                    Ok(listed)
                })
                .await
                .ok_or_else(stopped)??;
        }
        Ok(listed)
    }

    fn on_account(&self) -> allowance::Listed {
        allowance::Listed::new(self.allowance.clone(), &self.asked)
    }

    /// Counts what is asked for of these names.
    fn counted(self, names: Names) -> Result<(Listed, Pages), Refusal> {
        let bytes = |names: &[Vec<u8>]| bytes_of_names(names.iter());
        let all = bytes(&names.trees).saturating_add(bytes(&names.blobs));
        let take = |bytes| self.allowance.take(bytes, &self.asked);
        take(all.saturating_mul(self.plain))?;
        let side = |names| Side {
            names,
            ..Side::default()
        };
        let listed = Listed {
            path: self.shown.clone(),
            trees: side(names.trees),
            blobs: side(names.blobs),
            readme: None,
        };
        let mut pages = Vec::with_capacity(self.pages.len());
        for page in self.pages {
            let names = &listed.side(page.of).names;
            let range = page.window.range(names);
            let bytes = bytes(&names[range.clone()]);
            take(bytes.saturating_mul(page.plain))?;
            take(bytes.saturating_mul(page.named))?;
            let one = page.more + page.paths.saturating_mul(escaped::of_text(&self.shown));
            take(one.saturating_mul(range.len() as u64))?;
            pages.push((page, range));
        }
        Ok((listed, pages))
    }
}

/// What an error among entries counts for besides its path, which stands in its words and in its place.
const REFUSED: u64 = 1024;

/// What the digest of an entry counts for that cannot be had: an error each `times` it is asked for.
pub fn refused(directory: &str, name: &[u8], times: u64) -> u64 {
    let path = escaped::of_text(directory) + escaped::of_name(name);
    path.saturating_mul(2)
        .saturating_add(REFUSED)
        .saturating_mul(times)
}

/// The digest of one entry; `None` for what has none.
pub fn digest(
    folder: &Folder,
    directory: &str,
    name: &[u8],
    allowance: &Allowance,
    given_up: &GivenUp,
) -> Result<Option<String>, Refusal> {
    let Some((file, size)) = folder.file(name) else {
        return Ok(None);
    };
    let path = format!("{directory}/{}", String::from_utf8_lossy(name));
    let path = path.trim_start_matches('/');
    allowance.examine(size, path)?;
    let wanted = Wanted {
        sha256: true,
        is_text: false,
    };
    digest::examine_file(&file, size, wanted, given_up)
        .map(|examined| examined.sha256)
        .map_err(|reason| Refusal::new(path, reason))
}

impl Listed {
    fn side(&self, of: Of) -> &Side {
        match of {
            Of::Trees => &self.trees,
            Of::Blobs => &self.blobs,
        }
    }

    fn side_mut(&mut self, of: Of) -> &mut Side {
        match of {
            Of::Trees => &mut self.trees,
            Of::Blobs => &mut self.blobs,
        }
    }
}
