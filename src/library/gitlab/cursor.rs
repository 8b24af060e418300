//! Listings that come in pages.

use serde_json::Value;

use super::questions::Connection;

/// Where the next page of a connection begins.
pub enum Cursor {
    /// At the begin.
    Start,
    /// Behind what GitLab calls so.
    After(String),
    /// Nowhere: all is here.
    End,
}

impl Cursor {
    /// Takes what a page holds; where the next one begins. What was not asked for is at its end.
    pub fn beyond<T>(page: Option<Connection<T>>, take: impl FnMut(T)) -> Self {
        let Some(page) = page else {
            return Cursor::End;
        };
        let (entries, next) = page.parts();
        entries.for_each(take);
        next.map_or(Cursor::End, Cursor::After)
    }

    /// Whether there may be a next page.
    pub fn wanted(&self) -> bool {
        match self {
            Cursor::Start | Cursor::After(_) => true,
            Cursor::End => false,
        }
    }

    /// As a variable of a question.
    pub fn after(&self) -> Value {
        match self {
            Cursor::After(cursor) => cursor.clone().into(),
            Cursor::Start | Cursor::End => Value::Null,
        }
    }
}
