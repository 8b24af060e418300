//! What GitLab is asked, and the part of its types that comes back. Names and nullability are those of GitLab's GraphQL API
//! reference. Everything that may be null there is optional here.
//!
//! GitLab counts how complex a question is and takes up to 250: these come to 40 at most, and twice [`LOOK_AT`] more for
//! [`LOOK`].

use serde::{Deserialize, Deserializer};

/// The most entries of a connection that GitLab gives at once; the questions below say it as `first: 100`.
pub const PAGE: usize = 100;

/// What a directory holds, page by page. Of submodules, one at the beginning: a directory that holds nothing else is there too.
pub const LIST: &str = "query List($project: ID!, $path: String!, $trees: Boolean!, $blobs: Boolean!, $start: Boolean!, \
$afterTrees: String, $afterBlobs: String) { project(fullPath: $project) { repository { empty \
tree(path: $path, recursive: false) { \
trees(first: 100, after: $afterTrees) @include(if: $trees) { nodes { name } pageInfo { hasNextPage endCursor } } \
blobs(first: 100, after: $afterBlobs) @include(if: $blobs) { nodes { name } pageInfo { hasNextPage endCursor } } \
submodules(first: 1) @include(if: $start) { nodes { name } } } } } }";

/// The text of a file. Not `rawBlob`: of what is no text GitLab cannot give it, and says 500 instead of that.
pub const READ: &str = "query Read($project: ID!, $path: String!) { project(fullPath: $project) { repository { \
blobs(paths: [$path]) { nodes { mode size lfsOid rawTextBlob } } } } }";

/// What is at a path where no directory with entries or no file was found, and at the paths that lead there.
pub const LOOK: &str = "query Look($project: ID!, $path: String!, $paths: [String!]!) { project(fullPath: $project) { \
repository { tree(path: $path, recursive: false) { trees(first: 1) { nodes { name } } blobs(first: 1) { nodes { name } } \
submodules(first: 1) { nodes { name } } } blobs(paths: $paths) { nodes { path mode } } } } }";

/// The most paths that [`LOOK`] may name: each adds two to what GitLab counts.
pub const LOOK_AT: usize = 50;

/// The projects of the group, page by page; those of groups inside it are not among them.
pub const PROJECTS: &str = "query Projects($group: ID!, $after: String) { group(fullPath: $group) { \
projects(includeSubgroups: false, first: 100, after: $after) { nodes { path } pageInfo { hasNextPage endCursor } } } }";

/// Whether the group can be seen.
pub const READY: &str = "query Ready($group: ID!) { group(fullPath: $group) { path } }";

/// Which of so many projects are there: `project0` for `$path0`, and so on.
pub fn folders(count: usize) -> String {
    let (mut variables, mut fields) = (Vec::new(), String::new());
    for n in 0..count {
        variables.push(format!("$path{n}: ID!"));
        fields.push_str(&format!(
            "project{n}: project(fullPath: $path{n}) {{ path }} "
        ));
    }
    format!("query Folders({}) {{ {fields}}}", variables.join(", "))
}

/// `Query.project`.
#[derive(Debug, Deserialize)]
pub struct OneProject {
    pub project: Option<Project>,
}

/// `Project`.
#[derive(Debug, Deserialize)]
pub struct Project {
    pub repository: Option<Repository>,
}

/// `Repository`.
#[derive(Debug, Deserialize)]
pub struct Repository {
    /// Whether it has no commit yet.
    pub empty: Option<bool>,
    pub tree: Option<Tree>,
    pub blobs: Option<Connection<Blob>>,
}

/// `Tree`.
#[derive(Debug, Deserialize)]
pub struct Tree {
    pub trees: Option<Connection<Entry>>,
    pub blobs: Option<Connection<Entry>>,
    pub submodules: Option<Connection<Entry>>,
}

impl Tree {
    /// Whether something is in it, of what was asked for.
    pub fn holds_something(&self) -> bool {
        let holds = |list: &Option<Connection<Entry>>| {
            list.as_ref()
                .is_some_and(|list| list.entries().next().is_some())
        };
        holds(&self.trees) || holds(&self.blobs) || holds(&self.submodules)
    }
}

/// `TreeEntryConnection`, `BlobConnection` and the like.
#[derive(Debug, Deserialize)]
pub struct Connection<T> {
    nodes: Option<Vec<Option<T>>>,
    #[serde(rename = "pageInfo")]
    page: Option<Page>,
}

/// `PageInfo`: where the next page begins, where there is one.
#[derive(Debug, Deserialize)]
#[serde(try_from = "PageInfo")]
struct Page {
    next: Option<String>,
}

#[derive(Deserialize)]
struct PageInfo {
    #[serde(rename = "hasNextPage")]
    more: bool,
    #[serde(rename = "endCursor")]
    end: Option<String>,
}

impl TryFrom<PageInfo> for Page {
    type Error = &'static str;

    /// A page that is not the last and does not say where the next begins would make a listing that lacks something.
    fn try_from(info: PageInfo) -> Result<Self, Self::Error> {
        match (info.more, info.end) {
            (true, Some(end)) => Ok(Self { next: Some(end) }),
            (true, None) => Err("another page, and no cursor that leads to it"),
            (false, _) => Ok(Self { next: None }),
        }
    }
}

impl<T> Connection<T> {
    /// What the page holds.
    pub fn entries(&self) -> impl Iterator<Item = &T> {
        self.nodes.iter().flatten().flatten()
    }

    /// What the page holds, and where the next one begins, where there is one.
    pub fn parts(self) -> (impl Iterator<Item = T>, Option<String>) {
        let next = self.page.and_then(|page| page.next);
        (self.nodes.into_iter().flatten().flatten(), next)
    }
}

/// `TreeEntry`, `Blob` and `Submodule`, which are all an `Entry`.
#[derive(Debug, Deserialize)]
pub struct Entry {
    pub name: String,
}

/// `RepositoryBlob`.
#[derive(Debug, Deserialize)]
pub struct Blob {
    /// Its path in the repository.
    pub path: Option<String>,
    /// As git writes it, in octal.
    pub mode: Option<String>,
    /// Of the file in the repository, in bytes. A BigInt, which GitLab writes as a string.
    #[serde(default, deserialize_with = "big")]
    pub size: Option<u64>,
    /// Set where the file is a pointer to Git LFS.
    #[serde(rename = "lfsOid")]
    pub lfs: Option<String>,
    /// Null where it is no text.
    #[serde(rename = "rawTextBlob")]
    pub text: Option<String>,
}

/// What git's modes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A symbolic link, whose text is where it leads.
    Link,
    /// A directory.
    Directory,
    /// Another repository.
    Submodule,
}

impl Blob {
    /// What it is. What has no mode is taken for a file.
    pub fn kind(&self) -> Kind {
        let bits = self.mode.as_deref();
        match bits.and_then(|bits| u32::from_str_radix(bits, 8).ok()) {
            Some(bits) if bits & 0o170_000 == 0o120_000 => Kind::Link,
            Some(bits) if bits & 0o170_000 == 0o040_000 => Kind::Directory,
            Some(bits) if bits & 0o170_000 == 0o160_000 => Kind::Submodule,
            Some(_) | None => Kind::File,
        }
    }
}

fn big<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Big {
        Text(String),
        Number(u64),
    }
    Ok(match Option::<Big>::deserialize(value)? {
        Some(Big::Text(text)) => text.parse().ok(),
        Some(Big::Number(number)) => Some(number),
        None => None,
    })
}

/// `Query.group`.
#[derive(Debug, Deserialize)]
pub struct OneGroup {
    pub group: Option<Group>,
}

/// `Group`.
#[derive(Debug, Deserialize)]
pub struct Group {
    pub projects: Option<Connection<Folder>>,
}

/// `Project`, of which only the path is asked for.
#[derive(Debug, Deserialize)]
pub struct Folder {
    pub path: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_asked_for_by_variables() {
        assert_eq!(
            folders(2),
            "query Folders($path0: ID!, $path1: ID!) { project0: project(fullPath: $path0) { path } \
             project1: project(fullPath: $path1) { path } }"
        );
    }

    #[test]
    fn sizes_come_as_text_or_as_numbers_and_modes_in_octal() {
        let blob = |text: &str| -> Blob { serde_json::from_str(text).unwrap() };
        for (text, size, kind) in [
            (
                r#"{"size":"6000000000","mode":"100644"}"#,
                Some(6_000_000_000),
                Kind::File,
            ),
            (r#"{"size":12,"mode":"100755"}"#, Some(12), Kind::File),
            (r#"{"size":null,"mode":"120000"}"#, None, Kind::Link),
            (r#"{"mode":"40000"}"#, None, Kind::Directory),
            (r#"{"mode":"040000"}"#, None, Kind::Directory),
            (r#"{"mode":"160000"}"#, None, Kind::Submodule),
            ("{}", None, Kind::File),
        ] {
            let blob = blob(text);
            assert_eq!((blob.size, blob.kind()), (size, kind), "{text}");
        }
    }
}
