//! What a directory of the library holds.

use reqwest::header::ACCEPT_RANGES;
use reqwest::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::connection::Connection;
use super::download::About;
use super::path::RemotePath;
use super::problem::Problem;

/// As v0.2's clients ask, so that every library has an answer.
const NAMES: &str = "query($path: String!) { listDirectory(path: $path) { repository { tree {
    trees { edges { node { name } } } blobs { edges { node { name } } } } } } }";
/// How much of a listing with details is taken: a million entries come to about half of it.
const MOST: usize = 256 << 20;

/// The names in a directory, each list in the server's order: by their bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Directories.
    pub trees: Vec<String>,
    /// Everything else.
    pub blobs: Vec<String>,
}

/// An entry of a directory, with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Its size in bytes; `None` for what is no file.
    pub size: Option<u64>,
    /// When it was changed (RFC 3339, UTC); `None` where that cannot be said.
    pub modified: Option<String>,
}

/// What an entry is. Links are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A FIFO, a device or a socket.
    Other,
}

impl Connection {
    /// Lists a directory.
    ///
    /// # Errors
    ///
    /// The library's refusal, or why there was no answer.
    pub async fn list(&self, path: &RemotePath) -> Result<Listing, Problem> {
        let variables = json!({ "path": path.to_string() });
        let data = self.ask(NAMES, variables).await?;
        listing(&data).ok_or_else(|| self.no_library("its answer is not a listing"))
    }

    /// Lists a directory with what is known of each entry. Of a file, that is the file alone.
    ///
    /// # Errors
    ///
    /// The library's refusal, or why there was no answer.
    pub async fn list_with_details(&self, path: &RemotePath) -> Result<Vec<Entry>, Problem> {
        let mut answer = self.send(self.file(Method::GET, path)).await?;
        if !is_of_a_directory(&answer) {
            let about = About::of(answer.headers());
            let modified = about.modified.map(OffsetDateTime::from);
            return Ok(vec![Entry {
                name: path.name().unwrap_or_default().to_owned(),
                kind: Kind::File,
                size: about.size,
                modified: modified.and_then(|time| time.format(&Rfc3339).ok()),
            }]);
        }
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece(&mut answer).await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MOST {
                return Err(self.no_library("its answer has no end"));
            }
        }
        let entries: Vec<Entry> = serde_json::from_slice(&bytes)
            .map_err(|_| self.no_library("its answer is not a listing"))?;
        match entries.iter().all(|entry| is_a_name(&entry.name)) {
            true => Ok(entries),
            false => Err(self.no_library("its answer is not a listing")),
        }
    }

    /// Whether it can be listed. A link to a directory can.
    ///
    /// # Errors
    ///
    /// That there is nothing, or why there was no answer.
    pub async fn is_directory(&self, path: &RemotePath) -> Result<bool, Problem> {
        match self.list(path).await {
            Ok(_) => Ok(true),
            Err(Problem::Refused(no)) if no.is("NOT_A_DIRECTORY") => Ok(false),
            Err(problem) => Err(problem),
        }
    }
}

fn listing(data: &Value) -> Option<Listing> {
    let tree = data.pointer("/listDirectory/repository/tree")?;
    let nodes = |kind: &str| -> Option<Vec<&Value>> {
        let edges = tree.get(kind)?.get("edges")?.as_array()?;
        edges.iter().map(|edge| edge.get("node")).collect()
    };
    let name = |node: &&Value| -> Option<String> {
        let name = node.get("name")?.as_str()?;
        is_a_name(name).then(|| name.to_owned())
    };
    Some(Listing {
        trees: nodes("trees")?.iter().map(name).collect::<Option<_>>()?,
        blobs: nodes("blobs")?.iter().map(name).collect::<Option<_>>()?,
    })
}

/// Whether an answer is about a directory: that comes as it is at the moment, and never in parts.
pub fn is_of_a_directory(answer: &Response) -> bool {
    answer
        .headers()
        .get(ACCEPT_RANGES)
        .is_some_and(|ranges| ranges == "none")
}

/// What a server calls an entry becomes a file's name here, and must not lead anywhere else.
fn is_a_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

/// The bytes of a name that is not UTF-8, which the server marks with them: `caf� (not UTF-8: 636166e9)`. Such a name cannot be
/// asked for. `None` for every other name.
pub fn not_utf8(name: &str) -> Option<Vec<u8>> {
    let (before, hex) = name.strip_suffix(')')?.rsplit_once(" (not UTF-8: ")?;
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).ok())
        .collect::<Option<_>>()?;
    let marked = std::str::from_utf8(&bytes).is_err() && String::from_utf8_lossy(&bytes) == before;
    marked.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_name_is_known_by_its_bytes() {
        assert_eq!(
            not_utf8("caf\u{fffd} (not UTF-8: 636166e9)"),
            Some(b"caf\xe9".to_vec())
        );
        for name in [
            "café",
            "caf (not UTF-8: 636166)",
            "caf\u{fffd} (not UTF-8: 636166e)",
            "other\u{fffd} (not UTF-8: 636166e9)",
            "x (not UTF-8: +f)",
            "x (not UTF-8: é)",
            "(not UTF-8: ff)",
        ] {
            assert_eq!(not_utf8(name), None, "{name}");
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_no_listing() {
        let answer = |name: &str| {
            json!({"listDirectory": {"repository": {"tree": {
                "trees": {"edges": []},
                "blobs": {"edges": [{"node": {"name": name}}]},
            }}}})
        };
        assert_eq!(listing(&answer("x")).unwrap().blobs, ["x"]);
        for name in ["", ".", "..", "../x", "/etc/passwd", "a\0b"] {
            assert_eq!(listing(&answer(name)), None, "{name:?}");
        }
    }
}
