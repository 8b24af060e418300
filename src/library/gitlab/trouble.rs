//! Why GitLab gives no answer, in words that may be shown to whoever asked.

use std::time::Duration;

use super::super::refusal::{Lacking, Reason};
use super::super::shares::Taken;

/// Longer words of GitLab's are cut, in characters.
const LONGEST_WORDS: usize = 300;

/// Why GitLab gives no answer. None of it holds the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No connection; why.
    #[error("GitLab cannot be reached: {0}")]
    Unreachable(String),
    /// No whole answer in this time.
    #[error("GitLab gave no whole answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// The connection ended before the answer did; how.
    #[error("GitLab's answer broke off: {0}")]
    Broken(String),
    /// 401, with what GitLab says.
    #[error("GitLab does not take the library's token{}", said(.0))]
    TokenRefused(Option<String>),
    /// 403, with what GitLab says.
    #[error("GitLab does not let the library's token ask{}", said(.0))]
    Forbidden(Option<String>),
    /// 429, or a 503 that names a time; with how long to wait where GitLab says it.
    #[error("GitLab has no time for the library now{}", later(.0))]
    Throttled(Option<Duration>),
    /// A redirection, which is not followed: the token is for the address that the operator wrote.
    #[error("GitLab's address leads elsewhere ({status}){}; GITLAB_URL must be the address that answers", leading(.to))]
    Redirected {
        /// The status.
        status: u16,
        /// Where to.
        to: Option<String>,
    },
    /// Another status, with what GitLab says.
    #[error("GitLab answered {status}{}", said(.words))]
    Status {
        /// The status.
        status: u16,
        /// GitLab's words.
        words: Option<String>,
    },
    /// An answer of more bytes than this.
    #[error("GitLab's answer is larger than {0} bytes")]
    TooLarge(u64),
    /// Something else than an answer of a GraphQL API.
    #[error("what answers at GITLAB_URL is not GitLab's GraphQL API: {0}")]
    NotGraphql(&'static str),
    /// Errors in a GraphQL answer, in GitLab's words.
    #[error("GitLab says: {0}")]
    Errors(String),
    /// The group is not there, or not for this token.
    #[error("GitLab shows the library's token no group {0:?}")]
    NoGroup(String),
    /// The project is there, its repository is not for this token.
    #[error(
        "GitLab shows the library's token no repository of this project; it needs the role Reporter and the scope read_api"
    )]
    NoRepository,
    /// GitLab is left alone for a while, since the last questions failed.
    #[error("{why}; it is asked again in {} s", .left.as_secs() + 1)]
    Resting {
        /// The failure before it.
        why: String,
        /// How long still.
        left: Duration,
    },
    /// Too many questions wait for GitLab.
    #[error("too many questions wait for GitLab")]
    Crowded,
    /// There is no room for GitLab's answer; who has taken it.
    #[error("{}", Lacking::Room(*.0))]
    NoRoom(Taken),
}

/// What a failure means for the questions after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// GitLab is there; only this question failed.
    Light,
    /// Some of these in a row, and GitLab is left alone for a while.
    Counts,
    /// GitLab is left alone from now on for this long.
    RestFor(Duration),
}

/// How long GitLab is left alone that names no time of its own with a 429.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// The longest of GitLab's own times that is kept to.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

impl Trouble {
    /// What the one who asked is told.
    pub fn reason(&self) -> Reason {
        match self {
            Trouble::Slow(_)
            | Trouble::Throttled(_)
            | Trouble::Resting { .. }
            | Trouble::Crowded => Reason::UpstreamBusy,
            Trouble::NoRoom(taken) => Reason::Crowded(Lacking::Room(*taken)),
            Trouble::Unreachable(_)
            | Trouble::Broken(_)
            | Trouble::TokenRefused(_)
            | Trouble::Forbidden(_)
            | Trouble::Redirected { .. }
            | Trouble::Status { .. }
            | Trouble::NotGraphql(_)
            | Trouble::Errors(_)
            | Trouble::NoGroup(_)
            | Trouble::NoRepository => Reason::Upstream,
            Trouble::TooLarge(limit) => Reason::TooLarge(*limit),
        }
    }

    /// What it means for the questions after this one.
    pub fn weight(&self) -> Weight {
        match self {
            Trouble::Throttled(wait) => {
                Weight::RestFor(wait.unwrap_or(DEFAULT_WAIT).min(LONGEST_WAIT))
            }
            // GitLab shuts out addresses that show wrong tokens often.
            Trouble::TokenRefused(_) => Weight::RestFor(DEFAULT_WAIT),
            Trouble::Unreachable(_)
            | Trouble::Slow(_)
            | Trouble::Broken(_)
            | Trouble::Redirected { .. }
            | Trouble::NotGraphql(_) => Weight::Counts,
            Trouble::Status {
                status: 502..=504, ..
            } => Weight::Counts,
            Trouble::Status { .. }
            | Trouble::Forbidden(_)
            | Trouble::TooLarge(_)
            | Trouble::Errors(_)
            | Trouble::NoGroup(_)
            | Trouble::NoRepository
            | Trouble::Resting { .. }
            | Trouble::Crowded
            | Trouble::NoRoom(_) => Weight::Light,
        }
    }
}

fn said(words: &Option<String>) -> String {
    match words {
        Some(words) => format!(": {words}"),
        None => String::new(),
    }
}

fn leading(place: &Option<String>) -> String {
    match place {
        Some(place) => format!(", to {place}"),
        None => String::new(),
    }
}

fn later(wait: &Option<Duration>) -> String {
    match wait {
        Some(wait) => format!(" (429); it wants to be asked again in {} s", wait.as_secs()),
        None => " (429)".to_owned(),
    }
}

/// Words of GitLab's as they may be passed on: without `secret` should GitLab repeat it, on one line, and not without end.
pub fn clean(words: &str, secret: &str) -> String {
    let words = words.replace(secret, "…");
    let words: Vec<&str> = words
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let words = words.join(" ");
    match words.char_indices().nth(LONGEST_WORDS) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_on_words_are_one_line_without_the_token() {
        assert_eq!(
            clean(" no\r\n\tproject\u{1b}[31m for glpat-1 ", "glpat-1"),
            "no project [31m for …"
        );
        let long = clean(&"é".repeat(400), "x");
        assert_eq!(long.chars().count(), LONGEST_WORDS + 1);
    }

    #[test]
    fn what_leaves_gitlab_alone_and_for_how_long() {
        let seconds = Duration::from_secs;
        for (trouble, expected) in [
            (
                Trouble::Throttled(Some(seconds(7))),
                Weight::RestFor(seconds(7)),
            ),
            (
                Trouble::Throttled(Some(seconds(86_400))),
                Weight::RestFor(LONGEST_WAIT),
            ),
            (Trouble::Throttled(None), Weight::RestFor(DEFAULT_WAIT)),
            (Trouble::TokenRefused(None), Weight::RestFor(DEFAULT_WAIT)),
            (Trouble::Slow(seconds(1)), Weight::Counts),
            (
                Trouble::Status {
                    status: 502,
                    words: None,
                },
                Weight::Counts,
            ),
            // One question that GitLab trips over does not shut out the others.
            (
                Trouble::Status {
                    status: 500,
                    words: None,
                },
                Weight::Light,
            ),
            (Trouble::Errors(String::new()), Weight::Light),
        ] {
            assert_eq!(trouble.weight(), expected, "{trouble:?}");
        }
    }
}
