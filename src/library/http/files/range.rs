//! Which part of a file is asked for (RFC 9110, section 14). Pure.

use axum::http::header::{CONTENT_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderValue};

/// What of a file shall be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// All of it.
    Whole,
    /// From one byte to another, both among them.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// What the file does not have.
    Nothing,
}

/// What a request asks of a file of `size` bytes.
///
/// Whoever asks for several parts in one request is sent the whole, as the standard allows: the parts together must not
/// cost more than that. So is whoever asks in a way that cannot be read, or in another unit than bytes.
pub fn asked(headers: &HeaderMap, size: u64) -> Asked {
    let mut lines = headers.get_all(RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Asked::Whole;
    };
    let text = line.to_str().unwrap_or_default();
    match text.split_once('=') {
        Some((unit, part)) if unit.trim().eq_ignore_ascii_case("bytes") => {
            part_of(part.trim(), size).unwrap_or(Asked::Whole)
        }
        Some(_) | None => Asked::Whole,
    }
}

/// `None` where it cannot be read as one part.
fn part_of(text: &str, size: u64) -> Option<Asked> {
    let (first, last) = text.split_once('-')?;
    if first.is_empty() {
        let length = number(last)?;
        return Some(match (length, size) {
            (0, _) => Asked::Nothing,
            // The last bytes of nothing are all that there is.
            (_, 0) => Asked::Whole,
            _ => Asked::Part {
                first: size.saturating_sub(length),
                last: size - 1,
            },
        });
    }
    let first = number(first)?;
    let last = match last {
        "" => u64::MAX,
        last => number(last)?,
    };
    if last < first {
        return None;
    }
    Some(match first < size {
        true => Asked::Part {
            first,
            last: last.min(size - 1),
        },
        false => Asked::Nothing,
    })
}

/// Digits and nothing else; more than can be counted is as much as can be.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// What `Content-Range` says of a request that sends a part of a file, or asks how much of it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// `bytes <first>-<last>/<total>`.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
        /// The size of the whole file, in bytes.
        total: u64,
    },
    /// `bytes */<total>`.
    Question {
        /// The size of the whole file, in bytes.
        total: u64,
    },
}

/// What a request sends of a file: `Ok(None)` where it says nothing of that, an error where it cannot be read.
pub fn sent(headers: &HeaderMap) -> Result<Option<Sent>, ()> {
    let mut lines = headers.get_all(CONTENT_RANGE).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => read(line).map(Some).ok_or(()),
        (Some(_), Some(_)) => Err(()),
    }
}

fn read(line: &HeaderValue) -> Option<Sent> {
    let (unit, rest) = line.to_str().ok()?.trim().split_once(' ')?;
    let (part, total) = rest.trim().split_once('/')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let total = number(total)?;
    if part == "*" {
        return Some(Sent::Question { total });
    }
    let (first, last) = part.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last && last < total).then_some(Sent::Part { first, last, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str, size: u64) -> Asked {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_str(text).unwrap());
        asked(&headers, size)
    }

    #[test]
    fn one_part_is_understood() {
        let part = |first, last| Asked::Part { first, last };
        for (text, size, expected) in [
            ("bytes=0-0", 10, part(0, 0)),
            ("bytes=2-5", 10, part(2, 5)),
            ("bytes=2-", 10, part(2, 9)),
            ("bytes=2-99", 10, part(2, 9)),
            ("bytes=-3", 10, part(7, 9)),
            ("bytes=-99", 10, part(0, 9)),
            ("BYTES = 1-1", 10, part(1, 1)),
            ("bytes=9-", 10, part(9, 9)),
            ("bytes=5-99999999999999999999999", 10, part(5, 9)),
            ("bytes=10-", 10, Asked::Nothing),
            ("bytes=99999999999999999999999-", 10, Asked::Nothing),
            ("bytes=-0", 10, Asked::Nothing),
            ("bytes=0-", 0, Asked::Nothing),
            ("bytes=-5", 0, Asked::Whole),
            ("bytes=0-1,4-5", 10, Asked::Whole),
            ("bytes=5-2", 10, Asked::Whole),
            ("bytes=a-b", 10, Asked::Whole),
            ("bytes=+1-2", 10, Asked::Whole),
            ("bytes=-", 10, Asked::Whole),
            ("bytes=", 10, Asked::Whole),
            ("lines=0-1", 10, Asked::Whole),
            ("0-1", 10, Asked::Whole),
        ] {
            assert_eq!(range(text, size), expected, "{text} of {size}");
        }
        assert_eq!(asked(&HeaderMap::new(), 3), Asked::Whole);
    }

    #[test]
    fn what_is_sent_must_be_a_part() {
        for (text, expected) in [
            (
                "bytes 0-4/10",
                Ok(Some(Sent::Part {
                    first: 0,
                    last: 4,
                    total: 10,
                })),
            ),
            (
                "bytes 9-9/10",
                Ok(Some(Sent::Part {
                    first: 9,
                    last: 9,
                    total: 10,
                })),
            ),
            ("bytes */10", Ok(Some(Sent::Question { total: 10 }))),
            ("bytes 0-4/*", Err(())),
            ("bytes 4-0/10", Err(())),
            ("bytes 0-10/10", Err(())),
            ("bytes=0-4/10", Err(())),
            ("bytes 0-4", Err(())),
            ("lines 0-4/10", Err(())),
            ("", Err(())),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, HeaderValue::from_str(text).unwrap());
            assert_eq!(sent(&headers), expected, "{text}");
        }
        assert_eq!(sent(&HeaderMap::new()), Ok(None));
    }
}
