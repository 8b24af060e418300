//! A path of the library as it is typed.

use std::fmt;

/// Segments below the library's top: no empty one, no `.`, no `..`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemotePath {
    segments: Vec<String>,
}

impl RemotePath {
    /// Reads a path as the server does: slashes at the ends and doubled ones do not count, `..` takes back the segment before it.
    /// `None` where it leads out of the library.
    pub fn parse(text: &str) -> Option<Self> {
        let mut segments: Vec<String> = Vec::new();
        for segment in text.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    segments.pop()?;
                }
                name => segments.push(name.to_owned()),
            }
        }
        Some(Self { segments })
    }

    /// Whether it is the library itself.
    pub fn is_top(&self) -> bool {
        self.segments.is_empty()
    }

    /// Its segments, from the top down.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// The last segment; `None` at the top.
    pub fn name(&self) -> Option<&str> {
        self.segments.last().map(String::as_str)
    }

    /// What it lies in; `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.segments.split_last()?;
        Some(Self {
            segments: rest.to_vec(),
        })
    }

    /// The path of what has this name in it.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let mut segments = self.segments.clone();
        segments.push(name.to_owned());
        Self { segments }
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_top() {
            true => f.write_str("/"),
            false => f.write_str(&self.segments.join("/")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_the_server_reads_it() {
        for (typed, shown) in [
            ("", Some("/")),
            ("/", Some("/")),
            ("alice/models", Some("alice/models")),
            ("//alice/./models/", Some("alice/models")),
            ("alice/../common", Some("common")),
            ("alice/..", Some("/")),
            ("..", None),
            ("alice/../../x", None),
        ] {
            let path = RemotePath::parse(typed).map(|path| path.to_string());
            assert_eq!(path.as_deref(), shown, "{typed:?}");
        }
    }
}
