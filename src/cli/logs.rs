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
use crate::fleet::{self, How, Member};
use crate::machine::journal::{self, Line, Wanted};
use crate::spec::quantity::Span;
use crate::ui;
use crate::ui::printable::printable;

/// What comes from several machines within this is put in order before it is shown.
const TOGETHER: Duration = Duration::from_millis(300);

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
        let sites = deployment.sites.iter();
        let sites = sites.filter(|site| meant.contains_key(site.name.as_str()));
        let mut members = fleet::reach(&deployment, sites, how, &told, interrupt.wanted()).await?;
        let wanted = |member: &Member<'_>, since: Option<OffsetDateTime>, follow: bool| Wanted {
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
        };
        let began = OffsetDateTime::now_utc();
        shown
            .read(
                &mut members,
                &|member| wanted(member, self.since, false),
                &interrupt,
            )
            .await;
        shown.show();
        if self.follow {
            let follow = |member: &Member<'_>| wanted(member, Some(began), true);
            tokio::select! {
                () = shown.read(&mut members, &follow, &interrupt) => {}
                () = shown.keep_showing() => {}
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
    /// The time of the last line that was shown of each container.
    until: Mutex<BTreeMap<String, String>>,
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
                let tell = |line: Line| {
                    let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
                    lines.push((called.clone(), line));
                };
                if let Err(error) = hand.read_logs(wanted, &tell, stop).await {
                    member.hand = Err(error);
                }
            }
        });
        join_all(reading).await;
    }

    async fn keep_showing(&self) {
        loop {
            tokio::time::sleep(TOGETHER).await;
            self.show();
        }
    }

    /// Shows what was read, in the order of time.
    fn show(&self) {
        let mut lines =
            std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        lines.sort_by(|(_, one), (_, other)| one.time.cmp(&other.time));
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        for (machine, line) in lines {
            // What was shown before is read again where following begins.
            if until
                .get(&line.container)
                .is_some_and(|until| line.time <= *until)
            {
                continue;
            }
            until.insert(line.container.clone(), line.time.clone());
            self.one(machine.as_deref(), &line);
        }
    }

    fn one(&self, machine: Option<&str>, line: &Line) {
        let part = self.called.get(line.container.as_str());
        let part = part.map_or(line.container.as_str(), String::as_str);
        if self.json {
            ui::json_line(&From {
                machine,
                part,
                line,
            });
            return;
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
        ui::data(format!(
            "{} {} {}",
            style(time).dim(),
            style(name).fg(COLORS[sum % COLORS.len()]),
            // Colours of their own are for another terminal.
            printable(&console::strip_ansi_codes(&line.text))
        ));
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
