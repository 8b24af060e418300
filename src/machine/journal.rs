//! What containers write: read from the engine, a line at a time, with the time of each.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;
use futures_util::StreamExt;
use futures_util::future::join_all;
use regex::Regex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::error::Failure;
use crate::machine::docker::Engine;

/// How long a container that has ended is given to come back, before it is looked at again.
const PAUSE: Duration = Duration::from_millis(500);

/// A line that a container wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Whose.
    pub container: String,
    /// When, as the engine noted it (RFC 3339, UTC, with as many digits always), so that lines sort by it as text.
    pub time: String,
    /// Whether it went to standard error.
    pub error: bool,
    /// What.
    pub text: String,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Of which containers.
    pub containers: Vec<String>,
    /// Not those before, in seconds since 1970.
    pub since: Option<i64>,
    /// So many of each, the last of those that match; `None` is all that the engine has kept.
    pub tail: Option<u64>,
    /// Those alone that this matches.
    pub matching: Option<String>,
    /// Whether to go on with what is written from now on, until told to stop.
    pub follow: bool,
}

/// A pattern as `--grep` takes it.
///
/// # Errors
/// A usage failure that says where it is wrong.
pub fn pattern(text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|error| {
        Failure::usage(format!("--grep {text} is no pattern: {error}"))
            .hint("it is a regular expression; a dot, a bracket or a star for itself takes a \\ before it")
            .into()
    })
}

/// Reads what is wanted, telling each line. A container that is not there has written nothing.
///
/// # Errors
/// When the engine does not answer, or the pattern is none.
pub async fn read(
    engine: &Engine,
    wanted: &Wanted,
    tell: &(dyn Fn(Line) + Sync),
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let matching = wanted.matching.as_deref().map(pattern).transpose()?;
    let all = wanted.containers.iter().map(|name| {
        let mut stop = stop.clone();
        let matching = matching.as_ref();
        async move {
            let mut last = String::new();
            let reading = async {
                loop {
                    one(engine, name, wanted, matching, &mut last, tell).await?;
                    if !wanted.follow {
                        return anyhow::Ok(());
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            };
            tokio::select! {
                read = reading => read,
                _ = stop.wait_for(|stop| *stop) => Ok(()),
            }
        }
    });
    for read in join_all(all).await {
        read?;
    }
    Ok(())
}

/// Reads to the end of what there is, or of the container; `last` is the time of the last line that was told.
async fn one(
    engine: &Engine,
    name: &str,
    wanted: &Wanted,
    matching: Option<&Regex>,
    last: &mut String,
    tell: &(dyn Fn(Line) + Sync),
) -> Result<()> {
    // What was told already is not told again when the container comes back.
    let (since, most) = match last.is_empty() {
        true => (wanted.since, wanted.tail),
        false => (seconds(last), None),
    };
    let tail = most.filter(|_| matching.is_none());
    let mut kept = VecDeque::new();
    let mut lines = std::pin::pin!(engine.lines(name, since, tail, wanted.follow));
    while let Some(line) = lines.next().await {
        let Some(line) = line? else {
            break;
        };
        if line.time <= *last {
            continue;
        }
        last.clone_from(&line.time);
        if !matching.is_none_or(|matching| matching.is_match(&line.text)) {
            continue;
        }
        // How many match is known at the end alone.
        match most {
            Some(most) if tail.is_none() => {
                kept.push_back(line);
                if u64::try_from(kept.len()).is_ok_and(|length| length > most) {
                    kept.pop_front();
                }
            }
            Some(_) | None => tell(line),
        }
    }
    kept.into_iter().for_each(tell);
    Ok(())
}

fn seconds(time: &str) -> Option<i64> {
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;
    let time = OffsetDateTime::parse(time, &Rfc3339).ok()?;
    Some(time.unix_timestamp())
}
