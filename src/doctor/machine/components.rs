//! The containers that are there: that they run, stay up and answer.

use futures_util::FutureExt;
use time::OffsetDateTime;

use super::{Check, Seen, Subject};
use crate::doctor::{Finding, Fix, Severity};
use crate::machine::observed::{ContainerState, Owner, Run};
use crate::platform::desired::Container;

pub const CHECK: Check = Check {
    name: "components",
    run: |subject| check(subject).boxed_local(),
};

/// So many restarts by the engine are a crash loop.
const CRASHES: i64 = 3;
/// What a program that the kernel killed ends with: 128 + SIGKILL.
const KILLED: i64 = 137;
/// How many lines of its log are shown.
const LINES: usize = 3;
/// So many characters of each.
const WIDTH: usize = 160;

async fn check(subject: &Subject) -> Vec<Finding> {
    let Some(seen) = &subject.seen else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let owner = Owner::of(&subject.desired);
    for (container, answers) in subject.desired.containers.iter().zip(&seen.answers) {
        let Some(state) = seen.observed.containers.get(&container.name) else {
            continue;
        };
        if state.owner == owner && container.running {
            found.extend(one(container, state, *answers, seen).await);
        }
    }
    found
}

async fn one(
    container: &Container,
    state: &ContainerState,
    answers: bool,
    seen: &Seen,
) -> Option<Finding> {
    let name = &container.name;
    let young = container.ready.as_ref().is_some_and(|probe| {
        let deadline = i64::try_from(probe.deadline_seconds).unwrap_or(i64::MAX);
        state.age(OffsetDateTime::now_utc()) < deadline
    });
    let message = match state.run {
        Run::Restarting => format!("{name} crashes again and again"),
        Run::Running if state.restarts >= CRASHES && !answers => {
            format!(
                "{name} crashed {} times and does not answer",
                state.restarts
            )
        }
        Run::Running if !answers => format!("{name} runs and does not answer"),
        Run::Paused => format!("{name} is paused"),
        // That it is stopped is drift, and told there.
        Run::Created | Run::Exited | Run::Dead | Run::Running => return None,
    };
    let mut evidence = Vec::new();
    if let Some(code) = state.exit_code.filter(|code| *code != 0) {
        evidence.push(match code {
            KILLED => "it was killed (137): memory used up, or docker stop".to_owned(),
            code => format!("it ended with {code}"),
        });
    }
    // What is frozen said nothing about that.
    if state.run != Run::Paused
        && let Ok(lines) = seen.engine.last_lines(name, LINES).await
    {
        let lines = lines.iter().map(|line| shown(line));
        evidence.extend(lines.filter(|line| !line.is_empty()));
    }
    let part = match &container.user {
        Some(user) => user.as_str(),
        None => container.component.as_str(),
    };
    let (severity, remedy) = match (young, state.run) {
        (true, Run::Running) => (
            Severity::Note,
            "it was started a moment ago: look again in a minute".to_owned(),
        ),
        _ => (
            Severity::Error,
            format!(
                "see what it says (`dtaas logs {part}`); `dtaas restart {part}` keeps what is in it"
            ),
        ),
    };
    let finding = Finding::new(CHECK.name, severity, message, remedy);
    let finding = match evidence.is_empty() {
        true => finding,
        false => finding.seen(evidence.join("; ")),
    };
    Some(match state.run {
        // The engine does so already.
        Run::Restarting => finding,
        Run::Paused => finding.fixed_by(Fix::Up),
        // What runs in a workspace is its user's: that is for the operator to end.
        Run::Running if container.user.is_none() && !young => finding.fixed_by(Fix::Restart {
            container: name.clone(),
            owner: state.owner.clone(),
        }),
        Run::Created | Run::Exited | Run::Dead | Run::Running => finding,
    })
}

/// A line of a log, made safe to show and cut to what fits on a line.
fn shown(line: &str) -> String {
    let line: String = line.trim().chars().take(WIDTH).collect();
    crate::ui::printable::printable(&line).into_owned()
}
