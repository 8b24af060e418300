//! How a run tells what happens: in words on standard error, or with `--json` as one JSON object a line on standard output, each with
//! its kind as `event`:
//!
//! - `plan`: `steps`, each with its number `step` and its `text`; `held` (what stays until it is asked for); `refused` (what is in
//!   the way, each with `message` and `hint`: nothing is done then).
//! - `step-started` (`step`, `text`), `step-progress` (`step`, bytes `done` of `total`), `step-done` (`step`, `millis`), `step-failed`
//!   (`step`, `failure` with `message` and `hint`), `step-skipped` (`step`, `because`), `step-dropped` (`step`: broken off, the next run
//!   does it), `waiting`, `ready` and `not-ready` (`container`): see [`Event`].
//! - `note`: `text` that the operator should know.
//! - `error`: `message` and `hint`; what standard error says as well.
//! - `outcome`, the last line: how many steps were `done`, how many things `failed`, how many steps were `skipped` because of
//!   those, what is `left` to do, whether it was `interrupted`, the `exit` code, and where the platform is (`address`, or null).
//!   A run that is killed, or stopped by a second Ctrl-C, has no such line.
//!
//! Where there are several machines, or another than this one, the first three kinds name theirs as `machine`; steps are counted by
//! machine. Keys may be added; none is taken away. No secret is in any of it.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::error::{Exit, failure_of};
use crate::machine::apply::Outcome;
use crate::machine::event::{Event, StepFailure};
use crate::machine::plan::{Plan, Refusal};
use crate::ui;
use crate::ui::progress::Progress;

/// Tells what happens.
pub struct Report {
    how: How,
    outcome: Mutex<Outcome>,
}

enum How {
    Words,
    Json,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
enum Line<'a> {
    Plan {
        steps: Vec<Planned>,
        held: Vec<String>,
        refused: &'a [Refusal],
        #[serde(skip_serializing_if = "Option::is_none")]
        machine: Option<&'a str>,
    },
    Note {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        machine: Option<&'a str>,
    },
    Error {
        #[serde(flatten)]
        failure: StepFailure,
    },
    Outcome {
        done: usize,
        failed: usize,
        skipped: usize,
        left: &'a [String],
        interrupted: bool,
        exit: u8,
        address: Option<&'a str>,
    },
}

/// An event of one machine of several.
#[derive(Serialize)]
struct Of<'a> {
    #[serde(flatten)]
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<&'a str>,
}

#[derive(Serialize)]
struct Planned {
    step: usize,
    text: String,
}

impl Report {
    /// In words, or as JSON.
    pub fn new(json: bool) -> Self {
        Self {
            how: match json {
                true => How::Json,
                false => How::Words,
            },
            outcome: Mutex::default(),
        }
    }

    /// What is going to be done. In words, each step is told when it begins.
    pub fn plan(&self, machine: Option<&str>, plan: &Plan) {
        let planned = |(step, one): (usize, &crate::machine::step::Step)| Planned {
            step,
            text: one.describe(),
        };
        self.line(&Line::Plan {
            steps: plan.steps.iter().enumerate().map(planned).collect(),
            held: plan.held.iter().map(ToString::to_string).collect(),
            refused: &plan.refused,
            machine,
        });
    }

    /// Something that happened.
    pub fn event(&self, machine: Option<&str>, event: Event, progress: &Progress) {
        match self.how {
            How::Words => progress.show(machine, event),
            How::Json => ui::told_as_json(&Of {
                event: &event,
                machine,
            }),
        }
    }

    /// Something that the operator should know.
    pub fn note(&self, text: &str) {
        self.note_of(None, text);
    }

    /// The same of one machine of several.
    pub fn note_of(&self, machine: Option<&str>, text: &str) {
        match self.how {
            How::Words => ui::say(ui::of(machine, text)),
            How::Json => self.line(&Line::Note {
                text: text.strip_prefix("Note: ").unwrap_or(text),
                machine,
            }),
        }
    }

    /// Keeps what came of a machine's plan for the end.
    pub fn came(&self, machine: Option<&str>, outcome: &Outcome) {
        let mut all = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        all.done += outcome.done;
        all.skipped += outcome.skipped;
        all.failures.extend(outcome.failures.clone());
        let left = outcome.left.iter();
        all.left.extend(left.map(|step| ui::of(machine, step)));
    }

    /// The last line: what came of it all. `done` is the platform's address, where it has one.
    pub fn end(&self, done: &anyhow::Result<Option<String>>) {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let (exit, address) = match done {
            Ok(address) => (Exit::Done, address.as_deref()),
            Err(error) => {
                self.line(&Line::Error {
                    failure: StepFailure::of(error),
                });
                let code = failure_of(error).map_or(Exit::Failed, |failure| failure.code());
                (code, None)
            }
        };
        self.line(&Line::Outcome {
            done: outcome.done,
            failed: outcome.failures.len(),
            skipped: outcome.skipped,
            left: &outcome.left,
            interrupted: exit == Exit::Interrupted,
            exit: exit as u8,
            address,
        });
    }

    fn line(&self, line: &Line<'_>) {
        match self.how {
            How::Words => {}
            How::Json => ui::told_as_json(line),
        }
    }
}
