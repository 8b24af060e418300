//! What a request makes its answer depend on: `If-Match` and its like (RFC 9110, section 13). Pure.

use std::fmt;
use std::time::SystemTime;

use axum::http::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
};
use axum::http::{HeaderMap, HeaderValue};
use time::OffsetDateTime;

use super::details::Details;

/// An entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Whether it names contents that are as good, and not these bytes.
    pub weak: bool,
    /// What stands between the quotes.
    pub opaque: String,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weak = if self.weak { "W/" } else { "" };
        write!(f, "{weak}\"{}\"", self.opaque)
    }
}

/// Which contents a condition is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    Any,
    These(Vec<Tag>),
}

impl Tags {
    /// Whether one of these is the tag, byte for byte.
    fn holds_strong(&self, tag: Option<&Tag>) -> bool {
        match self {
            Tags::Any => true,
            Tags::These(tags) => {
                tag.is_some_and(|tag| !tag.weak && tags.iter().any(|one| one == tag))
            }
        }
    }

    /// Whether one of these is the tag, weak or not.
    fn holds_weak(&self, tag: Option<&Tag>) -> bool {
        match self {
            Tags::Any => true,
            Tags::These(tags) => {
                tag.is_some_and(|tag| tags.iter().any(|one| one.opaque == tag.opaque))
            }
        }
    }
}

/// What a request makes its answer depend on. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    matching: Option<Tags>,
    none_matching: Option<Tags>,
    modified_since: Option<SystemTime>,
    unmodified_since: Option<SystemTime>,
}

/// What comes of the conditions of a request that reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They hold.
    Fulfilled,
    /// The client has these contents already.
    NotModified,
    /// They do not hold.
    Failed,
}

impl Conditions {
    /// Those of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        Self {
            matching: tags(headers, &IF_MATCH),
            none_matching: tags(headers, &IF_NONE_MATCH),
            modified_since: date(headers, &IF_MODIFIED_SINCE),
            unmodified_since: date(headers, &IF_UNMODIFIED_SINCE),
        }
    }

    /// That nothing may be there yet.
    pub fn nothing_there() -> Self {
        Self {
            none_matching: Some(Tags::Any),
            ..Self::default()
        }
    }

    /// Whether nothing may be there yet.
    pub fn wants_nothing_there(&self) -> bool {
        self.none_matching == Some(Tags::Any)
    }

    /// Whether they hold for a request that reads what is there now.
    pub fn read(&self, now: OffsetDateTime, current: &Details) -> Outcome {
        let tag = current.tag(now);
        if !self.holds_so_far(tag.as_ref(), Some(current)) {
            return Outcome::Failed;
        }
        let seen = match (&self.none_matching, self.modified_since) {
            (Some(tags), _) => tags.holds_weak(tag.as_ref()),
            (None, Some(date)) => whole_seconds(current.modified) <= date,
            (None, None) => false,
        };
        match seen {
            true => Outcome::NotModified,
            false => Outcome::Fulfilled,
        }
    }

    /// Whether they hold for a request that changes what is there now.
    pub fn allow_change(&self, now: OffsetDateTime, current: Option<&Details>) -> bool {
        let tag = current.and_then(|current| current.tag(now));
        let unwanted = match (&self.none_matching, current) {
            (Some(tags), Some(_)) => tags.holds_weak(tag.as_ref()),
            (Some(_) | None, _) => false,
        };
        self.holds_so_far(tag.as_ref(), current) && !unwanted
    }

    fn holds_so_far(&self, tag: Option<&Tag>, current: Option<&Details>) -> bool {
        match (&self.matching, self.unmodified_since, current) {
            (Some(_), _, None) => false,
            (Some(tags), _, Some(_)) => tags.holds_strong(tag),
            (None, Some(date), Some(current)) => whole_seconds(current.modified) <= date,
            (None, Some(_), None) | (None, None, _) => true,
        }
    }
}

/// Whether the part that a request asks for may be sent: where it says of which contents (`If-Range`), only if these
/// are the ones.
pub fn range_applies(headers: &HeaderMap, now: OffsetDateTime, current: &Details) -> bool {
    let Some(value) = headers.get(IF_RANGE) else {
        return true;
    };
    let Ok(text) = value.to_str() else {
        return false;
    };
    if let Ok(date) = httpdate::parse_http_date(text) {
        // A date is strong only when it is older than the contents could have been changed twice within its second.
        let settled = now - current.modified > time::Duration::seconds(1);
        return settled && whole_seconds(current.modified) == date;
    }
    match parse(text) {
        Some(tags) => current
            .tag(now)
            .is_some_and(|tag| tags.len() == 1 && Tags::These(tags).holds_strong(Some(&tag))),
        None => false,
    }
}

fn whole_seconds(at: OffsetDateTime) -> SystemTime {
    let whole = at.replace_nanosecond(0).unwrap_or(at);
    SystemTime::from(whole)
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// The tags that a header names, in one line or in several. What cannot be read names none.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Tags> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let texts: Option<Vec<&str>> = lines.map(|line: &HeaderValue| line.to_str().ok()).collect();
    let text = texts.unwrap_or_default().join(",");
    if text.trim() == "*" {
        return Some(Tags::Any);
    }
    Some(Tags::These(parse(&text).unwrap_or_default()))
}

/// Entity tags with commas between them.
fn parse(text: &str) -> Option<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
            continue;
        }
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
        tags.push(Tag {
            weak,
            opaque: opaque.to_owned(),
        });
        rest = after.trim_start();
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
    Some(tags)
}

#[cfg(test)]
mod tests;
