//! `dtaas logs`: what the parts of the platform wrote, from all machines, in the order of time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use console::{Color, style};
use futures_util::future::join_all;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::interrupt::Interrupt;
use super::parts;
use super::reaching::Reaching;
use super::report::Report;
use super::run::{self, Told};
use crate::deployment::Deployment;
use crate::error::Failure;
use crate::fleet::{self, How, Member};
use crate::machine::journal::{self, Line, Wanted};
use crate::machine::observed::Owner;
use crate::spec::quantity::Span;
use crate::ui;
use crate::ui::printable::printable;

/// What comes from several machines within this is put in order before it is shown.
const TOGETHER: Duration = Duration::from_millis(300);
/// More lines than these are not put in order: they would take half a gigabyte of memory.
const MOST: usize = 1_000_000;

/// Show what the parts of the platform wrote, from all machines, in the order of time.
#[derive(Debug, Args)]
pub struct Logs {
    /// Of these alone: components such as gateway or library, services, or users.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Go on with what is written from now on, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// Only what was written since: so long ago, such as 90s, 10m, 2h or 3d, or a time such as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<OffsetDateTime>,
    /// The last so many lines of each, or all. [default: 100, and all with --since]
    #[arg(short = 'n', long, value_name = "LINES", value_parser = tail)]
    tail: Option<Tail>,
    /// Only lines that this regular expression matches.
    #[arg(long, value_name = "PATTERN")]
    grep: Option<String>,
    /// Give each line as a JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reaching: Reaching,
}

#[derive(Debug, Clone, Copy)]
enum Tail {
    All,
    Last(u64),
}

fn tail(text: &str) -> Result<Tail, String> {
    match text {
        "all" => Ok(Tail::All),
        number => number
            .parse()
            .map(Tail::Last)
            .map_err(|_| "write a number, or all".to_owned()),
    }
}

fn since(text: &str) -> Result<OffsetDateTime, String> {
    if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(time);
    }
    let ago = || {
        let seconds = text.parse::<Span>().ok()?.0;
        let ago = time::Duration::seconds(i64::try_from(seconds).ok()?);
        OffsetDateTime::now_utc().checked_sub(ago)
    };
    ago().ok_or_else(|| {
        "write how long ago, such as 10m, or a time such as 2026-01-31T12:00:00Z".to_owned()
    })
}

/// A line with the machine that it is from, where there are several.
#[derive(Serialize)]
struct From<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<&'a str>,
    part: &'a str,
    #[serde(flatten)]
    line: &'a Line,
}

impl Logs {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        if let Some(grep) = &self.grep {
            journal::pattern(grep)?;
        }
        let deployment = Deployment::open(directory)?;
        let engine = run::engine_of_here(&deployment, "dtaas logs", None).await?;
        let desired = parts::desired(&deployment)?;
        let meant = parts::meant(&deployment, &desired, &self.names)?;
        let called: BTreeMap<&str, String> = meant
            .values()
            .flatten()
            .map(|one| (one.name.as_str(), parts::called(&deployment, one)))
            .collect();
        let interrupt = Interrupt::listen()?;
        let report = Report::new(false);
        let told = Told::by(&report);
        let how = How {
            engine,
            ..self.reaching.how()
        };
        let mut members = parts::reach(&deployment, &meant, how, &told, &interrupt).await?;
        let wanted = |member: &Member<'_>, since: Option<OffsetDateTime>, follow: bool| Wanted {
            owner: Owner::of(&desired[&member.site.name]),
            containers: meant
                .get(member.site.name.as_str())
                .into_iter()
                .flatten()
                .map(|one| one.name.clone())
                .collect(),
            since: since.map(OffsetDateTime::unix_timestamp),
            tail: match (self.tail, self.since, follow) {
                (Some(Tail::Last(lines)), _, false) => Some(lines),
                (None, None, false) => Some(100),
                (Some(Tail::All), _, _) | (None, Some(_), _) | (_, _, true) => None,
            },
            matching: self.grep.clone(),
            follow,
        };
        let shown = Shown {
            called: &called,
            json: self.json,
            lines: Mutex::default(),
            until: Mutex::default(),
            last: Mutex::default(),
            most: match self.follow {
                true => usize::MAX,
                false => MOST,
            },
        };
        let began = OffsetDateTime::now_utc();
        shown
            .read(
                &mut members,
                &|member| wanted(member, self.since, false),
                &interrupt,
            )
            .await;
        shown.enough()?;
        shown.show();
        shown.remember();
        if self.follow {
            let follow = |member: &Member<'_>| wanted(member, Some(began), true);
            tokio::select! {
                () = shown.read(&mut members, &follow, &interrupt) => {}
                () = shown.keep_showing() => return Ok(()),
            }
            shown.show();
        }
        fleet::result(members, Vec::new(), "dtaas logs")
    }
}

/// What was read and is yet to be shown.
struct Shown<'a> {
    called: &'a BTreeMap<&'a str, String>,
    json: bool,
    lines: Mutex<Vec<(Option<String>, Line)>>,
    /// The time of the last line of each container that was shown before following began.
    until: Mutex<BTreeMap<String, String>>,
    /// The same of the last that was shown at all.
    last: Mutex<BTreeMap<String, String>>,
    /// So many lines are read before any is shown.
    most: usize,
}

impl Shown<'_> {
    async fn read(
        &self,
        members: &mut [Member<'_>],
        wanted: &dyn Fn(&Member<'_>) -> Wanted,
        interrupt: &Interrupt,
    ) {
        let reading = members.iter_mut().map(|member| {
            let wanted = wanted(member);
            let called = member.called.map(str::to_owned);
            let stop = interrupt.wanted();
            async move {
                let Ok(hand) = &mut member.hand else {
                    return;
                };
                let tell = |some: Vec<Line>| {
                    let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
                    if lines.len() <= self.most {
                        lines.extend(some.into_iter().map(|line| (called.clone(), line)));
                    }
                };
                if let Err(error) = hand.read_logs(wanted, &tell, stop).await {
                    member.hand = Err(error);
                }
            }
        });
        join_all(reading).await;
    }

    /// Ends when nobody reads it any more.
    async fn keep_showing(&self) {
        while self.show() {
            tokio::time::sleep(TOGETHER).await;
        }
    }

    /// Fails where there are more lines than can be put in order.
    fn enough(&self) -> anyhow::Result<()> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.len() > self.most {
            false => Ok(()),
            true => Err(Failure::new(format!("there are more than {MOST} lines"))
                .hint("name some parts, or narrow it with --since, --tail or --grep")
                .into()),
        }
    }

    /// What was shown is read again where following begins.
    fn remember(&self) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        until.clone_from(&last);
    }

    /// Shows what was read, in the order of time; answers whether anybody reads it.
    fn show(&self) -> bool {
        let mut lines =
            std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        lines.sort_by(|(_, one), (_, other)| one.time.cmp(&other.time));
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for (machine, line) in lines {
            let shown = until.get(&line.container);
            if shown.is_some_and(|until| line.time <= *until) {
                continue;
            }
            if !self.one(machine.as_deref(), &line) {
                return false;
            }
            last.insert(line.container, line.time);
        }
        true
    }

    fn one(&self, machine: Option<&str>, line: &Line) -> bool {
        let part = self.called.get(line.container.as_str());
        let part = part.map_or(line.container.as_str(), String::as_str);
        if self.json {
            let line = From {
                machine,
                part,
                line,
            };
            // A line is plain data, and always can be.
            return serde_json::to_string(&line).is_ok_and(|line| ui::is_read(&line));
        }
        const COLORS: [Color; 5] = [
            Color::Cyan,
            Color::Green,
            Color::Magenta,
            Color::Blue,
            Color::Yellow,
        ];
        let sum: usize = part.bytes().map(usize::from).sum();
        let name = match machine {
            Some(machine) => format!("{machine}/{part}"),
            None => part.to_owned(),
        };
        // 2026-01-31T12:00:00.123
        let time: String = line.time.chars().take(23).collect();
        ui::is_read(&format!(
            "{} {} {}",
            style(time).dim(),
            style(name).fg(COLORS[sum % COLORS.len()]),
            // Colours of their own are for another terminal.
            printable(&console::strip_ansi_codes(&line.text))
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_given_as_such_or_as_how_long_ago() {
        let now = OffsetDateTime::now_utc();
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7200), ("3d", 259_200)] {
            let ago = (now - since(text).unwrap()).whole_seconds();
            assert!((ago - seconds).abs() <= 1, "{text}: {ago}");
        }
        let time = since("2026-01-31T12:00:00+01:00").unwrap();
        assert_eq!(time.unix_timestamp(), 1_769_857_200);
        for text in [
            "",
            "m",
            "10",
            "-5m",
            "10 m",
            "9999999999999999999d",
            "yesterday",
        ] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
