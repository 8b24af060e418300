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
//! Keys may be added; none is taken away. No secret is in any of it.

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
    },
    Note {
        text: &'a str,
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
    pub fn plan(&self, plan: &Plan) {
        let planned = |(step, one): (usize, &crate::machine::step::Step)| Planned {
            step,
            text: one.describe(),
        };
        self.line(&Line::Plan {
            steps: plan.steps.iter().enumerate().map(planned).collect(),
            held: plan.held.iter().map(ToString::to_string).collect(),
            refused: &plan.refused,
        });
    }

    /// Something that happened.
    pub fn event(&self, event: Event, progress: &Progress) {
        match self.how {
            How::Words => progress.show(event),
            How::Json => ui::json_line(&event),
        }
    }

    /// Something that the operator should know.
    pub fn note(&self, text: &str) {
        match self.how {
            How::Words => ui::say(text),
            How::Json => self.line(&Line::Note {
                text: text.strip_prefix("Note: ").unwrap_or(text),
            }),
        }
    }

    /// Keeps what came of a plan for the end.
    pub fn came(&self, outcome: &Outcome) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = outcome.clone();
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
            How::Json => ui::json_line(line),
        }
    }
}
