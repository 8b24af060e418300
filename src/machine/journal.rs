//! What containers write: read from the engine, a line at a time, with the time of each.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;
use futures_util::StreamExt;
use futures_util::future::{LocalBoxFuture, try_join_all};
use regex::Regex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::error::Failure;
use crate::machine::docker::Engine;
use crate::machine::observed::{Owner, Run};
use crate::secrets::Secret;

/// How long is waited for a container that has ended, before it is looked at again: while it is being restarted, and later.
const SOON: Duration = Duration::from_millis(500);
const LATER: Duration = Duration::from_secs(5);
/// How many lines are told at a time.
const TOGETHER: usize = 256;

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
    /// Whose they must be.
    pub owner: Owner,
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

/// Whoever is told of lines; the next are read when these were taken.
pub type Tell<'a> = dyn Fn(Vec<Line>) -> LocalBoxFuture<'a, ()> + 'a;

/// Reads what is wanted, telling the lines of each container in their order. A container that is not there, or is somebody else's, has
/// written nothing.
///
/// # Errors
/// When the engine does not answer, or the pattern is none.
pub async fn read(
    engine: &Engine,
    wanted: &Wanted,
    tell: &Tell<'_>,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let matching = wanted.matching.as_deref().map(pattern).transpose()?;
    let all = wanted.containers.iter().map(|name| {
        let mut stop = stop.clone();
        let reader = Reader {
            engine,
            name,
            wanted,
            matching: matching.as_ref(),
            tell,
        };
        async move {
            tokio::select! {
                read = reader.read() => read,
                _ = stop.wait_for(|stop| *stop) => Ok(()),
            }
        }
    });
    try_join_all(all).await.map(|_| ())
}

/// Reads one container.
struct Reader<'r, 'a> {
    engine: &'r Engine,
    name: &'r str,
    wanted: &'r Wanted,
    matching: Option<&'r Regex>,
    tell: &'r Tell<'a>,
}

/// How far a container was read: the time of the last line, and how many had that time.
#[derive(Default)]
struct Mark {
    time: String,
    lines: usize,
}

impl Reader<'_, '_> {
    async fn read(&self) -> Result<()> {
        let mut mark = Mark::default();
        loop {
            let found = self.engine.container(self.name, &Secret::new("")).await?;
            let ours = found.filter(|found| found.owner == self.wanted.owner);
            let run = ours.as_ref().map(|found| found.run);
            if run.is_some() && (mark.time.is_empty() || run != Some(Run::Exited)) {
                self.to_its_end(&mut mark).await?;
            }
            if !self.wanted.follow {
                return Ok(());
            }
            let pause = match run {
                Some(Run::Running | Run::Restarting | Run::Created) => SOON,
                None | Some(Run::Paused | Run::Exited | Run::Dead) => LATER,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Reads to the end of what there is, or of the container.
    async fn to_its_end(&self, mark: &mut Mark) -> Result<()> {
        // What was told already is not told again when the container comes back.
        let resumed = !mark.time.is_empty();
        let (since, most) = match resumed {
            true => (seconds(&mark.time), None),
            false => (self.wanted.since, self.wanted.tail),
        };
        let tail = most.filter(|_| self.matching.is_none());
        let mut known = resumed.then(|| std::mem::take(mark));
        let mut kept = VecDeque::new();
        let lines = self
            .engine
            .lines(self.name, since, tail, self.wanted.follow);
        let mut lines = std::pin::pin!(lines.ready_chunks(TOGETHER));
        while let Some(some) = lines.next().await {
            let mut told = Vec::new();
            for line in some {
                let Some(line) = line? else {
                    // It is gone, or just now being made anew.
                    continue;
                };
                let new = mark.pass(&line.time, &mut known);
                if !new || !self.matches(&line.text) {
                    continue;
                }
                match most {
                    // How many match is known at the end alone.
                    Some(most) if tail.is_none() => {
                        kept.push_back(line);
                        if u64::try_from(kept.len()).is_ok_and(|length| length > most) {
                            kept.pop_front();
                        }
                    }
                    Some(_) | None => told.push(line),
                }
            }
            if !told.is_empty() {
                (self.tell)(told).await;
            }
        }
        if !kept.is_empty() {
            (self.tell)(kept.into()).await;
        }
        Ok(())
    }

    fn matches(&self, text: &str) -> bool {
        self.matching.is_none_or(|matching| matching.is_match(text))
    }
}

impl Mark {
    /// Takes notice of a line; answers whether it is one that was not `known` before. Clocks may be set back, so only as many lines are
    /// left out as were told with the very time that is resumed at, and those before them.
    fn pass(&mut self, time: &str, known: &mut Option<Mark>) -> bool {
        if let Some(before) = known {
            if time < before.time.as_str() {
                return false;
            }
            if time == before.time && before.lines > 0 {
                before.lines -= 1;
                self.notice(time);
                return false;
            }
            *known = None;
        }
        self.notice(time);
        true
    }

    fn notice(&mut self, time: &str) {
        match self.time == time {
            true => self.lines += 1,
            false => {
                *self = Self {
                    time: time.to_owned(),
                    lines: 1,
                }
            }
        }
    }
}

fn seconds(time: &str) -> Option<i64> {
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;
    let time = OffsetDateTime::parse(time, &Rfc3339).ok()?;
    Some(time.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_not_told_again_and_nothing_else_is_left_out() {
        let mut mark = Mark::default();
        let mut none = None;
        for time in ["1", "2", "2", "1"] {
            assert!(mark.pass(time, &mut none), "the clock may be set back");
        }
        let mut mark = Mark {
            time: "2".into(),
            lines: 2,
        };
        let mut known = Some(std::mem::take(&mut mark));
        let told: Vec<bool> = ["1", "2", "2", "2", "3", "2"]
            .iter()
            .map(|time| mark.pass(time, &mut known))
            .collect();
        assert_eq!(told, [false, false, false, true, true, true]);
    }
}
