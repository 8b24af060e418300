//! Pages of a list that is sorted by bytes. A cursor holds the name that it stands behind, so that a page begins at the same
//! place whatever came or went meanwhile.

use std::ops::Range;

use async_graphql::{ErrorExtensions, SimpleObject};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::library::question::BAD_USER_INPUT;

/// Where a page lies in its list.
#[derive(SimpleObject)]
pub struct PageInfo {
    /// The cursor of the last one on this page.
    pub end_cursor: Option<String>,
    /// Whether something follows.
    pub has_next_page: bool,
    /// Whether something stands before it.
    pub has_previous_page: bool,
    /// The cursor of the first one on this page.
    pub start_cursor: Option<String>,
}

/// Which part of a list is asked for; all of it by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// At most so many.
    pub first: Option<usize>,
    /// Those behind this name.
    after: Option<Vec<u8>>,
}

impl Window {
    /// From the arguments of a connection.
    ///
    /// # Errors
    ///
    /// That there cannot be so many, or that this was never a cursor.
    pub fn new(first: Option<i32>, after: Option<&str>) -> async_graphql::Result<Self> {
        let first = match first.map(usize::try_from) {
            None => None,
            Some(Ok(first)) => Some(first),
            Some(Err(_)) => return Err(bad_input("\"first\" is less than 0")),
        };
        let after = after.map(read_cursor).transpose()?;
        Ok(Self { first, after })
    }

    /// The part of these names, which are sorted.
    pub fn range(&self, names: &[Vec<u8>]) -> Range<usize> {
        let start = match &self.after {
            Some(after) => names.partition_point(|name| name <= after),
            None => 0,
        };
        let length = names.len() - start;
        start..start + self.first.unwrap_or(length).min(length)
    }
}

/// The cursor that stands behind these bytes.
pub fn cursor(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes that a cursor stands behind.
///
/// # Errors
///
/// That this was never a cursor.
pub fn read_cursor(cursor: &str) -> async_graphql::Result<Vec<u8>> {
    STANDARD
        .decode(cursor)
        .map_err(|_| bad_input("\"after\" is no cursor of this list"))
}

/// A question that cannot be meant.
pub fn bad_input(message: impl Into<String>) -> async_graphql::Error {
    async_graphql::Error::new(message)
        .extend_with(|_, extensions| extensions.set("code", BAD_USER_INPUT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_on_behind_a_name_that_is_gone() {
        let names: Vec<Vec<u8>> = [&b"a"[..], b"c", b"caf\xe9", b"d"]
            .map(<[u8]>::to_vec)
            .into();
        let range = |first, after: Option<&[u8]>| {
            let after = after.map(cursor);
            Window::new(first, after.as_deref()).unwrap().range(&names)
        };
        assert_eq!(range(None, None), 0..4);
        assert_eq!(range(Some(2), None), 0..2);
        assert_eq!(range(Some(2), Some(b"b")), 1..3);
        assert_eq!(range(None, Some(b"caf\xe9")), 3..4);
        assert_eq!(range(Some(i32::MAX), Some(b"z")), 4..4);
        assert_eq!(range(Some(0), None), 0..0);
        assert!(Window::new(Some(-1), None).is_err());
        assert!(Window::new(None, Some("?")).is_err());
    }
}
