//! A part of GitLab's GraphQL schema. Types, fields, arguments, defaults and nullability are those of GitLab's GraphQL API
//! reference (<https://docs.gitlab.com/api/graphql/reference/>); a field that is not there is refused here as well.

use std::sync::Arc;

use async_graphql::{
    Context, EmptyMutation, EmptySubscription, Enum, Error, ErrorExtensions, ID, InputValueResult,
    Object, Result, Scalar, ScalarType, Schema, SimpleObject, Value,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::World;
use super::projects::{Child, Object as GitObject, Project as GitProject};

/// "Maximum page size: 100 records (nodes) per page."
const MAX_PAGE: usize = 100;
/// GitLab's `MAX_DATA_DISPLAY_SIZE`: what it loads of a blob.
const MAX_DATA: usize = 10 << 20;
/// The code of an error that GitLab answers with 500.
pub const INTERNAL: &str = "INTERNAL";

pub type GitlabSchema = Schema<Query, EmptyMutation, EmptySubscription>;

pub fn schema(world: Arc<World>) -> GitlabSchema {
    Schema::build(Query, EmptyMutation, EmptySubscription)
        .data(world)
        .finish()
}

/// Whether the request carries a valid token.
pub struct SignedIn(pub bool);

fn world<'a>(ctx: &Context<'a>) -> &'a World {
    ctx.data_unchecked::<Arc<World>>()
}

pub struct Query;

#[Object]
impl Query {
    async fn current_user(&self, ctx: &Context<'_>) -> Option<CurrentUser> {
        ctx.data_unchecked::<SignedIn>().0.then(|| CurrentUser {
            id: "gid://gitlab/User/7".into(),
            username: "group_1_bot_0123".into(),
            name: "library".into(),
        })
    }

    async fn metadata(&self) -> Option<Metadata> {
        Some(Metadata {
            version: "17.8.0-ee".into(),
            revision: "0123456789a".into(),
        })
    }

    /// What is private is not there for whoever may not see it.
    async fn project(&self, ctx: &Context<'_>, full_path: ID) -> Option<Project> {
        let world = world(ctx);
        let path = full_path.strip_prefix(&format!("{}/", world.group))?;
        // GitLab looks paths up without regard to case.
        let projects = world.projects.lock().unwrap();
        let mut names = projects.keys();
        let path = names.find(|name| name.eq_ignore_ascii_case(path))?.clone();
        ctx.data_unchecked::<SignedIn>()
            .0
            .then_some(Project { path })
    }

    async fn group(&self, ctx: &Context<'_>, full_path: ID) -> Option<Group> {
        let signed_in = ctx.data_unchecked::<SignedIn>().0;
        (signed_in && full_path.eq_ignore_ascii_case(&world(ctx).group)).then_some(Group)
    }

    async fn echo(&self, ctx: &Context<'_>, text: String) -> String {
        let nobody = !ctx.data_unchecked::<SignedIn>().0;
        let who = if nobody { "nil" } else { "group_1_bot_0123" };
        format!("{who:?} says: {text}")
    }
}

#[derive(SimpleObject)]
pub struct CurrentUser {
    id: ID,
    username: String,
    name: String,
}

#[derive(SimpleObject)]
pub struct Metadata {
    version: String,
    revision: String,
}

pub struct Group;

#[Object]
impl Group {
    async fn id(&self) -> ID {
        "gid://gitlab/Group/1".into()
    }

    async fn full_path(&self, ctx: &Context<'_>) -> ID {
        world(ctx).group.clone().into()
    }

    async fn path(&self, ctx: &Context<'_>) -> String {
        world(ctx).group.rsplit('/').next().unwrap().to_owned()
    }

    async fn name(&self, ctx: &Context<'_>) -> String {
        world(ctx).group.clone()
    }

    #[allow(clippy::too_many_arguments)]
    async fn projects(
        &self,
        ctx: &Context<'_>,
        #[graphql(default)] include_subgroups: Option<bool>,
        search: Option<String>,
        ids: Option<Vec<ID>>,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<ProjectConnection> {
        if include_subgroups == Some(true) || search.is_some() || ids.is_some() {
            return Err("not played here".into());
        }
        let projects = world(ctx).projects.lock().unwrap();
        // Newest first, as GitLab sorts them where nothing is said.
        let all: Vec<Project> = projects
            .keys()
            .rev()
            .map(|path| Project { path: path.clone() })
            .collect();
        let count = i32::try_from(all.len())?;
        // Of database records, the cursor is the record's key.
        let cursor = |n: usize| URL_SAFE_NO_PAD.encode(format!("{{\"id\":\"{n}\"}}"));
        let page = Page::of(all, cursor, [after, before], [first, last])?;
        Ok(ProjectConnection {
            count,
            edges: Some(edges(&page, |cursor, node| ProjectEdge { cursor, node })),
            nodes: Some(page.nodes.into_iter().map(Some).collect()),
            page_info: page.info,
        })
    }
}

#[derive(SimpleObject)]
pub struct ProjectConnection {
    count: i32,
    edges: Option<Vec<Option<ProjectEdge>>>,
    nodes: Option<Vec<Option<Project>>>,
    page_info: PageInfo,
}

#[derive(SimpleObject)]
pub struct ProjectEdge {
    cursor: String,
    node: Option<Project>,
}

#[derive(Clone)]
pub struct Project {
    path: String,
}

#[Object]
impl Project {
    async fn id(&self) -> ID {
        "gid://gitlab/Project/1".into()
    }

    async fn path(&self) -> &str {
        &self.path
    }

    async fn full_path(&self, ctx: &Context<'_>) -> ID {
        format!("{}/{}", world(ctx).group, self.path).into()
    }

    async fn name(&self) -> &str {
        &self.path
    }

    async fn archived(&self) -> Option<bool> {
        Some(false)
    }

    async fn visibility(&self) -> Option<&str> {
        Some("private")
    }

    async fn group(&self) -> Option<Group> {
        Some(Group)
    }

    async fn repository(&self, ctx: &Context<'_>) -> Option<Repository> {
        let projects = world(ctx).projects.lock().unwrap();
        (!projects[&self.path].code_is_hidden).then(|| Repository {
            project: self.path.clone(),
        })
    }
}

pub struct Repository {
    project: String,
}

impl Repository {
    fn with<T>(&self, ctx: &Context<'_>, look: impl FnOnce(&GitProject) -> T) -> T {
        look(&world(ctx).projects.lock().unwrap()[&self.project])
    }
}

#[Object]
impl Repository {
    async fn empty(&self, ctx: &Context<'_>) -> bool {
        self.with(ctx, GitProject::is_empty)
    }

    async fn exists(&self) -> bool {
        true
    }

    async fn root_ref(&self, ctx: &Context<'_>) -> Option<&str> {
        (!self.with(ctx, GitProject::is_empty)).then_some("main")
    }

    /// Null without a commit; without entries where no directory is.
    async fn tree(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(String::new())")] path: Option<String>,
        #[graphql(default_with = "Some(false)")] recursive: Option<bool>,
        #[graphql(name = "ref")] reference: Option<String>,
        ref_type: Option<RefType>,
    ) -> Result<Option<Tree>> {
        if recursive == Some(true) || reference.is_some() || ref_type.is_some() {
            return Err("not played here".into());
        }
        let path = path.unwrap_or_default();
        Ok(self.with(ctx, |project| {
            (!project.is_empty()).then(|| Tree {
                children: project.children(&path),
            })
        }))
    }

    #[allow(clippy::too_many_arguments)]
    async fn blobs(
        &self,
        ctx: &Context<'_>,
        paths: Vec<String>,
        #[graphql(name = "ref")] reference: Option<String>,
        ref_type: Option<RefType>,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<Option<RepositoryBlobConnection>> {
        if reference.is_some() || ref_type.is_some() {
            return Err("not played here".into());
        }
        let directories = *world(ctx).directories_are_blobs.lock().unwrap();
        let found = self.with(ctx, |project| {
            let blob = |path: &String| match project.object(path) {
                Some(object) => Some(RepositoryBlob {
                    path: path.clone(),
                    object: object.clone(),
                }),
                None if directories && project.is_directory(path) => Some(RepositoryBlob {
                    path: path.clone(),
                    object: GitObject {
                        mode: "40000",
                        data: Vec::new(),
                        lfs: None,
                    },
                }),
                None => None,
            };
            paths.iter().filter_map(blob).collect::<Vec<_>>()
        });
        let page = Page::of(found, index, [after, before], [first, last])?;
        let edge = |cursor, node| RepositoryBlobEdge { cursor, node };
        Ok(Some(RepositoryBlobConnection {
            edges: Some(edges(&page, edge)),
            nodes: Some(page.nodes.into_iter().map(Some).collect()),
            page_info: page.info,
        }))
    }
}

/// How `ref` is meant.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum RefType {
    Heads,
    Tags,
}

pub struct Tree {
    children: Arc<Vec<Child>>,
}

macro_rules! entries {
    ($type:expr, $modes:pat, $node:ident, $edge:ident, $connection:ident { $($own:ident: $value:expr),* }) => {
        #[derive(SimpleObject, Clone)]
        pub struct $node {
            id: ID,
            sha: String,
            name: String,
            #[graphql(name = "type")]
            kind: EntryType,
            path: String,
            flat_path: String,
            web_url: Option<String>,
            $($own: Option<String>,)*
        }

        impl $node {
            #[allow(clippy::redundant_closure_call)]
            fn of(child: &Child) -> Self {
                Self {
                    id: "gid://gitlab/Gitlab::Graphql::Representation::TreeEntry/0".into(),
                    sha: "e83c5163316f89bfbde7d9ab23ca2e25604af290".into(),
                    name: child.name().to_owned(),
                    kind: $type,
                    path: child.path.clone(),
                    flat_path: child.path.clone(),
                    web_url: None,
                    $($own: ($value)(child),)*
                }
            }
        }

        #[derive(SimpleObject)]
        pub struct $edge {
            cursor: String,
            node: Option<$node>,
        }

        #[derive(SimpleObject)]
        pub struct $connection {
            edges: Option<Vec<Option<$edge>>>,
            nodes: Option<Vec<Option<$node>>>,
            page_info: PageInfo,
        }

        impl $connection {
            fn of(
                children: &[Child],
                around: [Option<String>; 2],
                many: [Option<i32>; 2],
            ) -> Result<Self> {
                let ours = children.iter().filter(|child| matches!(child.mode, $modes));
                let page = Page::of(ours.collect(), index, around, many)?.map($node::of);
                Ok(Self {
                    edges: Some(edges(&page, |cursor, node| $edge { cursor, node })),
                    nodes: Some(page.nodes.into_iter().map(Some).collect()),
                    page_info: page.info,
                })
            }
        }
    };
}

fn nothing(_: &Child) -> Option<String> {
    None
}

/// What an entry of a directory is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(rename_items = "lowercase")]
pub enum EntryType {
    Tree,
    Blob,
    Commit,
}

entries!(
    EntryType::Tree,
    "40000",
    TreeEntry,
    TreeEntryEdge,
    TreeEntryConnection { web_path: nothing }
);
entries!(
    EntryType::Blob,
    "100644" | "100755" | "120000",
    Blob,
    BlobEdge,
    BlobConnection {
        mode: |child: &Child| Some(child.mode.to_owned()),
        lfs_oid: nothing,
        web_path: nothing
    }
);
entries!(
    EntryType::Commit,
    "160000",
    Submodule,
    SubmoduleEdge,
    SubmoduleConnection { tree_url: nothing }
);

#[Object]
impl Tree {
    async fn trees(
        &self,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<TreeEntryConnection> {
        TreeEntryConnection::of(&self.children, [after, before], [first, last])
    }

    async fn blobs(
        &self,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<BlobConnection> {
        BlobConnection::of(&self.children, [after, before], [first, last])
    }

    async fn submodules(
        &self,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<SubmoduleConnection> {
        SubmoduleConnection::of(&self.children, [after, before], [first, last])
    }
}

#[derive(SimpleObject)]
pub struct RepositoryBlobConnection {
    edges: Option<Vec<Option<RepositoryBlobEdge>>>,
    nodes: Option<Vec<Option<RepositoryBlob>>>,
    page_info: PageInfo,
}

#[derive(SimpleObject)]
pub struct RepositoryBlobEdge {
    cursor: String,
    node: Option<RepositoryBlob>,
}

#[derive(Clone)]
pub struct RepositoryBlob {
    path: String,
    object: GitObject,
}

impl RepositoryBlob {
    /// What GitLab has loaded, in UTF-8 where it finds out how; `None` where it takes it for binary.
    fn data(&self) -> Option<String> {
        let data = &self.object.data[..self.object.data.len().min(MAX_DATA)];
        match std::str::from_utf8(data) {
            Ok(text) => Some(text.to_owned()),
            Err(_) if data.contains(&0) => None,
            // A guess at the encoding; here, Latin-1.
            Err(_) => Some(data.iter().copied().map(char::from).collect()),
        }
    }
}

#[Object]
impl RepositoryBlob {
    async fn id(&self) -> ID {
        "gid://gitlab/Blob/0".into()
    }

    async fn oid(&self) -> &str {
        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    }

    async fn path(&self) -> &str {
        &self.path
    }

    async fn name(&self) -> Option<&str> {
        self.path.rsplit('/').next()
    }

    async fn mode(&self) -> Option<&str> {
        Some(self.object.mode)
    }

    async fn size(&self) -> Option<BigInt> {
        Some(BigInt(self.object.data.len() as u64))
    }

    async fn raw_size(&self) -> Option<BigInt> {
        Some(BigInt(self.object.data.len() as u64))
    }

    async fn lfs_oid(&self) -> Option<&str> {
        self.object.lfs.as_deref()
    }

    async fn stored_externally(&self) -> Option<bool> {
        Some(self.object.lfs.is_some())
    }

    async fn external_storage(&self) -> Option<&str> {
        self.object.lfs.as_ref().map(|_| "lfs")
    }

    /// Ruby's GraphQL refuses to write what is not UTF-8, and GitLab has no better answer then than 500.
    async fn raw_blob(&self) -> Result<Option<String>> {
        let internal = || Error::new("").extend_with(|_, e| e.set("code", INTERNAL));
        self.data().map(Some).ok_or_else(internal)
    }

    /// "Raw content of the blob, if the blob is text data."
    async fn raw_text_blob(&self) -> Option<String> {
        self.data()
    }
}

/// "Represents non-fractional signed whole numeric values. Since the value may exceed the size of a 32-bit integer, it's encoded
/// as a string."
#[derive(Clone, Copy)]
pub struct BigInt(u64);

#[Scalar]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(BigInt(text.parse()?)),
            _ => Err(async_graphql::InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

#[derive(SimpleObject, Clone)]
pub struct PageInfo {
    end_cursor: Option<String>,
    has_next_page: bool,
    has_previous_page: bool,
    start_cursor: Option<String>,
}

/// A part of a list.
struct Page<T> {
    nodes: Vec<T>,
    cursors: Vec<String>,
    info: PageInfo,
}

/// Of lists in memory, the cursor is the place in the list.
fn index(n: usize) -> String {
    URL_SAFE_NO_PAD.encode(n.to_string())
}

/// The number that a cursor is made of.
fn number_in(cursor: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let digits = bytes.into_iter().filter(u8::is_ascii_digit);
    let digits: String = digits.map(char::from).collect();
    digits.parse().ok()
}

impl<T> Page<T> {
    fn map<U>(self, of: impl Fn(T) -> U) -> Page<U> {
        Page {
            nodes: self.nodes.into_iter().map(of).collect(),
            cursors: self.cursors,
            info: self.info,
        }
    }

    fn of(
        all: Vec<T>,
        cursor: impl Fn(usize) -> String,
        [after, before]: [Option<String>; 2],
        [first, last]: [Option<i32>; 2],
    ) -> Result<Self> {
        let many = |n: Option<i32>| n.map(usize::try_from).transpose();
        let (first, last) = (many(first)?, many(last)?);
        let place = |wanted: &String| {
            let at = number_in(wanted).filter(|n| (1..=all.len()).contains(n));
            at.filter(|n| cursor(*n) == *wanted)
                .ok_or_else(|| Error::new(format!("Invalid cursor: {wanted}")))
        };
        let mut from = after.as_ref().map(place).transpose()?.unwrap_or(0);
        let mut to = match &before {
            Some(before) => place(before)? - 1,
            None => all.len(),
        };
        match (first, last) {
            (None, Some(last)) => from = from.max(to.saturating_sub(last.min(MAX_PAGE))),
            (first, _) => to = to.min(from + first.unwrap_or(MAX_PAGE).min(MAX_PAGE)),
        }
        let end = all.len();
        let nodes: Vec<T> = all.into_iter().take(to).skip(from).collect();
        let cursors: Vec<String> = (from..to).map(|n| cursor(n + 1)).collect();
        Ok(Self {
            info: PageInfo {
                end_cursor: cursors.last().cloned(),
                has_next_page: to < end,
                has_previous_page: from > 0,
                start_cursor: cursors.first().cloned(),
            },
            nodes,
            cursors,
        })
    }
}

fn edges<T: Clone, E>(page: &Page<T>, edge: impl Fn(String, Option<T>) -> E) -> Vec<Option<E>> {
    let pairs = page.cursors.iter().zip(&page.nodes);
    pairs
        .map(|(cursor, node)| Some(edge(cursor.clone(), Some(node.clone()))))
        .collect()
}
