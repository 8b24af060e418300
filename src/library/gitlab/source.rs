//! The library as the projects of a group: a user's folder is the project of that name, `common` is a project of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::super::allowance::Listed;
use super::super::local::is_white_space;
use super::super::log::Log;
use super::super::path::{COMMON, Inside, Place};
use super::super::refusal::{Reason, Refusal};
use super::super::room::{Held, Room};
use super::super::schema::bytes_of_names;
use super::super::source::{Listing, Source, Text};
use super::super::whose::Whose;
use super::client::Client;
use super::cursor::Cursor;
use super::questions::{self, Blob, Folder, Kind, OneGroup, OneProject, Repository};
use super::settings::Settings;
use super::trouble::Trouble;

/// The most pages of one listing. More would keep GitLab busy, and whoever asked waiting, for too long.
const MAX_PAGES: usize = 100;
/// The largest page of a listing, in bytes.
const MAX_PAGE_BYTES: u64 = 4 << 20;
/// JSON may write one byte of a text as six.
const ESCAPED: u64 = 6;
/// GitLab cuts what it gives of a file here, and does not say so (its `MAX_DATA_DISPLAY_SIZE`), in bytes.
const CUT: u64 = 10 << 20;
/// How long an answer about readiness counts.
const READY_COUNTS: Duration = Duration::from_secs(5);

/// A library in the projects of a GitLab group. It is read as GitLab shows it at that moment: nothing is kept.
pub struct Gitlab {
    client: Client,
    url: String,
    group: String,
    common_project: String,
    max_file: u64,
    /// Where what GitLab answers is until it is answered from here.
    room: Room,
    ready: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Gitlab {
    /// The library in the group of `settings`; files of more than `max_file` bytes are not read. GitLab's answers take of `room`.
    ///
    /// # Errors
    ///
    /// Why TLS cannot be set up.
    pub fn new(settings: Settings, max_file: u64, room: Room, log: Log) -> anyhow::Result<Self> {
        Ok(Self {
            url: settings.url.to_string(),
            group: settings.group.clone(),
            common_project: settings.common_project.clone(),
            client: Client::new(settings, log)?,
            max_file,
            room,
            ready: Mutex::new(None),
        })
    }

    /// The full path of the project that a top folder is.
    fn project(&self, folder: &str) -> String {
        let project = if folder == COMMON {
            &self.common_project
        } else {
            folder
        };
        format!("{}/{project}", self.group)
    }

    /// Asks about a place; a project that is not there, or not for this token, is not found.
    async fn repository(
        &self,
        whose: Whose,
        (question, limit): (&str, u64),
        inside: &Inside,
        more: Map<String, Value>,
    ) -> Result<Repository, Refusal> {
        let mut variables = more;
        variables.insert("project".into(), self.project(&inside.scope).into());
        variables.insert("path".into(), inside.rest.join("/").into());
        let answer: OneProject = self
            .ask(whose, (question, limit), variables.into(), &inside.shown)
            .await?;
        let project = answer
            .project
            .ok_or_else(|| inside.refuse(Reason::NotFound))?;
        project
            .repository
            .ok_or_else(|| refusal(&inside.shown, &Trouble::NoRepository))
    }

    /// Asks a question with an answer of so many bytes at most.
    async fn ask<T: DeserializeOwned>(
        &self,
        whose: Whose,
        (question, limit): (&str, u64),
        variables: Value,
        shown: &str,
    ) -> Result<T, Refusal> {
        let mut held = Held::new(self.room.clone(), whose);
        let asked = self.client.ask(question, variables, limit, &mut held).await;
        asked.map_err(|trouble| refusal(shown, &trouble))
    }

    async fn list_inside(&self, whose: Whose, inside: &Inside) -> Result<Listing, Refusal> {
        let mut listing = Listing::default();
        let mut gathered = Held::new(self.room.clone(), whose);
        let (mut trees, mut blobs) = (Cursor::Start, Cursor::Start);
        let mut is_there = inside.rest.is_empty();
        for page in 0..MAX_PAGES {
            let pages = variables([
                ("trees", trees.wanted().into()),
                ("afterTrees", trees.after()),
                ("blobs", blobs.wanted().into()),
                ("afterBlobs", blobs.after()),
                ("start", (page == 0).into()),
            ]);
            let list = (questions::LIST, MAX_PAGE_BYTES);
            let asked = self.repository(whose, list, inside, pages);
            let repository = asked.await?;
            let Some(tree) = repository.tree else {
                // Without a commit there is no tree.
                return match is_there && repository.empty == Some(true) {
                    true => Ok(listing),
                    false => Err(inside.refuse(Reason::NotFound)),
                };
            };
            is_there |= tree.holds_something();
            trees = Cursor::beyond(tree.trees, |entry| listing.trees.push(entry.name));
            blobs = Cursor::beyond(tree.blobs, |entry| listing.blobs.push(entry.name));
            grow(&mut gathered, &listing, &inside.shown)?;
            if !trees.wanted() && !blobs.wanted() {
                return match is_there {
                    true => Ok(sorted(listing)),
                    false => self.nothing_listed(whose, inside).await,
                };
            }
        }
        Err(inside.refuse(Reason::TooMany(MAX_PAGES * questions::PAGE)))
    }

    /// What to say of a path where GitLab lists nothing: it does so of paths that lead nowhere, too.
    async fn nothing_listed(&self, whose: Whose, inside: &Inside) -> Result<Listing, Refusal> {
        let found = self.look(whose, inside).await?;
        match found.here(inside) {
            Some(Kind::Directory) => Ok(Listing::default()),
            Some(Kind::File | Kind::Link) => Err(inside.refuse(Reason::NotADirectory)),
            Some(Kind::Submodule) | None => Err(found.missing(inside)),
        }
    }

    /// What to say of a read where GitLab gives no file.
    async fn nothing_read(&self, whose: Whose, inside: &Inside) -> Refusal {
        match self.look(whose, inside).await {
            Ok(found) if found.is_directory => inside.refuse(Reason::NotAFile),
            Ok(found) => found.missing(inside),
            Err(refusal) => refusal,
        }
    }

    async fn look(&self, whose: Whose, inside: &Inside) -> Result<Found, Refusal> {
        let mut paths: Vec<String> = (1..=inside.rest.len())
            .rev()
            .take(questions::LOOK_AT)
            .map(|length| inside.rest[..length].join("/"))
            .collect();
        // GitLab does not take a list of none.
        if paths.is_empty() {
            paths.push(String::new());
        }
        let paths = variables([("paths", paths.into())]);
        let look = (questions::LOOK, MAX_PAGE_BYTES);
        let asked = self.repository(whose, look, inside, paths);
        let repository = asked.await?;
        let tree = repository.tree.as_ref();
        Ok(Found {
            is_directory: inside.rest.is_empty() || tree.is_some_and(|tree| tree.holds_something()),
            blobs: repository
                .blobs
                .into_iter()
                .flat_map(|blobs| blobs.parts().0)
                .collect(),
        })
    }

    async fn read_inside(&self, whose: Whose, inside: &Inside) -> Result<Text, Refusal> {
        if inside.rest.is_empty() {
            return Err(self.nothing_read(whose, inside).await);
        }
        let limit = self.max_file.saturating_mul(ESCAPED) + MAX_PAGE_BYTES;
        let asked = self.repository(whose, (questions::READ, limit), inside, Map::new());
        let blobs = asked.await?.blobs;
        let Some(blob) = blobs.and_then(|blobs| blobs.parts().0.next()) else {
            return Err(self.nothing_read(whose, inside).await);
        };
        match blob.kind() {
            Kind::File => {}
            Kind::Link | Kind::Directory | Kind::Submodule => {
                return Err(inside.refuse(Reason::NotAFile));
            }
        }
        if blob.lfs.is_some() {
            let words = "its contents are in Git LFS, which this library cannot fetch";
            let reason = Reason::NotSupported;
            return Err(Refusal::in_words(&inside.shown, reason, words.to_owned()));
        }
        let size = blob.size.unwrap_or(0);
        if size > self.max_file {
            return Err(inside.refuse(Reason::TooLarge(self.max_file)));
        }
        let text = blob.text.ok_or_else(|| inside.refuse(Reason::NotText))?;
        // Other encodings than UTF-8 have been converted, so that the sizes may differ.
        let length = text.len() as u64;
        if length > self.max_file {
            return Err(inside.refuse(Reason::TooLarge(self.max_file)));
        }
        if size > CUT && length < size {
            return Err(inside.refuse(Reason::TooLarge(CUT)));
        }
        Ok(Text {
            name: inside.name().to_owned(),
            text: text.trim_matches(is_white_space).to_owned(),
        })
    }

    /// All projects of the group; the one that answers for `common` goes by that name.
    async fn list_projects(&self, whose: Whose) -> Result<Listing, Refusal> {
        let mut listing = Listing::default();
        let mut gathered = Held::new(self.room.clone(), whose);
        let mut projects = Cursor::Start;
        for _ in 0..MAX_PAGES {
            let variables = json!({"group": self.group, "after": projects.after()});
            let answer: OneGroup = self
                .ask(whose, (questions::PROJECTS, MAX_PAGE_BYTES), variables, TOP)
                .await?;
            let group = answer
                .group
                .ok_or_else(|| refusal(TOP, &Trouble::NoGroup(self.group.clone())))?;
            projects = Cursor::beyond(group.projects, |folder: Folder| {
                if folder.path == self.common_project {
                    listing.trees.push(COMMON.to_owned());
                } else if folder.path != COMMON {
                    listing.trees.push(folder.path);
                }
            });
            grow(&mut gathered, &listing, TOP)?;
            if !projects.wanted() {
                return Ok(sorted(listing));
            }
        }
        let reason = Reason::TooMany(MAX_PAGES * questions::PAGE);
        Err(Refusal::new(TOP, reason))
    }

    /// Those of these top folders that are there.
    async fn list_folders(&self, whose: Whose, names: &[String]) -> Result<Listing, Refusal> {
        let variables = names
            .iter()
            .enumerate()
            .map(|(n, name)| (format!("path{n}"), self.project(name).into()));
        let variables: Map<String, Value> = variables.collect();
        let question = questions::folders(names.len());
        let answer: BTreeMap<String, Option<Folder>> = self
            .ask(whose, (&question, MAX_PAGE_BYTES), variables.into(), TOP)
            .await?;
        let is_there = |n: usize| matches!(answer.get(&format!("project{n}")), Some(Some(_)));
        let names = names.iter().enumerate();
        let found = names.filter(|(n, _)| is_there(*n));
        Ok(sorted(Listing {
            trees: found.map(|(_, name)| name.clone()).collect(),
            blobs: Vec::new(),
        }))
    }

    async fn is_ready(&self) -> Result<(), String> {
        // Whoever comes meanwhile waits for the same answer.
        let mut last = self.ready.lock().await;
        if let Some((when, outcome)) = last.as_ref()
            && when.elapsed() < READY_COUNTS
        {
            return outcome.clone();
        }
        let variables = json!({"group": self.group});
        let mut held = Held::new(self.room.clone(), Whose::SERVER);
        let (question, limit) = (questions::READY, MAX_PAGE_BYTES);
        // Users who keep all places busy say nothing about whether GitLab can be read.
        let asked = self
            .client
            .ask_at_once(question, variables, limit, &mut held);
        let trouble = match asked.await {
            Ok(OneGroup { group: Some(_) }) => None,
            Ok(OneGroup { group: None }) => Some(Trouble::NoGroup(self.group.clone())),
            Err(trouble) => Some(trouble),
        };
        let outcome = match trouble {
            None => Ok(()),
            Some(trouble) => Err(format!("{}: {trouble}", self.url)),
        };
        *last = Some((Instant::now(), outcome.clone()));
        outcome
    }
}

/// The top level, as a message names it.
const TOP: &str = "/";

impl Source for Gitlab {
    fn list(&self, listed: Listed, place: Place) -> BoxFuture<'_, Result<Listing, Refusal>> {
        // What is gathered of it takes room by pages.
        let whose = listed.whose();
        async move {
            match place {
                Place::Top(None) => self.list_projects(whose).await,
                Place::Top(Some(names)) => self.list_folders(whose, &names).await,
                Place::Inside(inside) => self.list_inside(whose, &inside).await,
            }
        }
        .boxed()
    }

    fn read(&self, whose: Whose, place: Inside) -> BoxFuture<'_, Result<Text, Refusal>> {
        async move { self.read_inside(whose, &place).await }.boxed()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        self.is_ready().boxed()
    }
}

/// What was found where a listing or a read found nothing.
struct Found {
    is_directory: bool,
    /// At the path, and on the way there.
    blobs: Vec<Blob>,
}

impl Found {
    /// What GitLab has at the path itself.
    fn here(&self, inside: &Inside) -> Option<Kind> {
        let path = inside.rest.join("/");
        let here = |blob: &&Blob| blob.path.as_deref() == Some(&path);
        self.blobs.iter().find(here).map(Blob::kind)
    }

    /// What is missing: a thing of that name, or a directory on the way to it.
    fn missing(&self, inside: &Inside) -> Refusal {
        let path = inside.rest.join("/");
        let through_a_file = self.blobs.iter().any(|blob| {
            let before = blob.path.as_deref().is_some_and(|before| before != path);
            before && matches!(blob.kind(), Kind::File)
        });
        inside.refuse(match through_a_file {
            true => Reason::NotADirectory,
            false => Reason::NotFound,
        })
    }
}

fn variables<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    let owned = pairs.map(|(name, value)| (name.to_owned(), value));
    owned.into_iter().collect()
}

fn refusal(shown: &str, trouble: &Trouble) -> Refusal {
    Refusal::in_words(shown, trouble.reason(), trouble.to_string())
}

/// Takes room for what has been gathered of a listing.
fn grow(gathered: &mut Held, listing: &Listing, shown: &str) -> Result<(), Refusal> {
    let names = listing.trees.iter().chain(&listing.blobs);
    let grown = gathered.grow_to(bytes_of_names(names));
    grown.map_err(|taken| refusal(shown, &Trouble::NoRoom(taken)))
}

/// By the bytes of the names; a name that moved from one page to the next while they were fetched stands there once.
fn sorted(mut listing: Listing) -> Listing {
    for names in [&mut listing.trees, &mut listing.blobs] {
        names.sort_unstable();
        names.dedup();
    }
    listing
}
