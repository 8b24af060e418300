//! What a directory of the library holds.

use serde_json::{Value, json};

use super::connection::Connection;
use super::path::RemotePath;
use super::problem::Problem;

/// As v0.2's clients ask, so that every library has an answer.
const NAMES: &str = "query($path: String!) { listDirectory(path: $path) { repository { tree {
    trees { edges { node { name } } } blobs { edges { node { name } } } } } } }";

/// The same with what v0.2 does not know.
const DETAILS: &str = "query($path: String!) { listDirectory(path: $path) { repository { tree {
    trees { edges { node { name } } } blobs { edges { node { name size modified } } } } } } }";

/// A directory's entries, each list in the server's order: by the bytes of the names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The names of its directories.
    pub trees: Vec<String>,
    /// Everything else.
    pub blobs: Vec<Blob>,
}

/// An entry that is no directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Its name.
    pub name: String,
    /// Its size in bytes, where it was asked for and can be told.
    pub size: Option<u64>,
    /// When it was changed (RFC 3339, UTC), likewise.
    pub modified: Option<String>,
}

/// How much is asked of each entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Its name.
    Names,
    /// Size and time as well, which v0.2's server does not know.
    All,
}

impl Connection {
    /// Lists a directory.
    ///
    /// # Errors
    ///
    /// The library's refusal, or why there was no answer.
    pub async fn list(&self, path: &RemotePath, detail: Detail) -> Result<Listing, Problem> {
        let query = match detail {
            Detail::Names => NAMES,
            Detail::All => DETAILS,
        };
        let variables = json!({ "path": path.to_string() });
        let data = self.ask(query, variables).await?;
        listing(&data).ok_or_else(|| self.no_library("its answer is not a listing"))
    }

    /// Whether it can be listed. A link to a directory can.
    ///
    /// # Errors
    ///
    /// That there is nothing, or why there was no answer.
    pub async fn is_directory(&self, path: &RemotePath) -> Result<bool, Problem> {
        match self.list(path, Detail::Names).await {
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
    let blob = |node: &&Value| {
        Some(Blob {
            name: name(node)?,
            size: node.get("size").and_then(size),
            modified: node
                .get("modified")
                .and_then(Value::as_str)
                .map(str::to_owned),
        })
    };
    Some(Listing {
        trees: nodes("trees")?.iter().map(name).collect::<Option<_>>()?,
        blobs: nodes("blobs")?.iter().map(blob).collect::<Option<_>>()?,
    })
}

/// Numbers beyond 2^31 travel as text in some servers' GraphQL.
fn size(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
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
                "blobs": {"edges": [{"node": {"name": name, "size": "5", "modified": null}}]},
            }}}})
        };
        let blob = Blob {
            name: "x".into(),
            size: Some(5),
            modified: None,
        };
        assert_eq!(listing(&answer("x")).unwrap().blobs, [blob]);
        for name in ["", ".", "..", "../x", "/etc/passwd", "a\0b"] {
            assert_eq!(listing(&answer(name)), None, "{name:?}");
        }
    }
}
