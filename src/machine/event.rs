//! What happens while a plan is applied: plain data, one JSON line each when it comes from another machine.

use serde::{Deserialize, Serialize};

use crate::machine::journal::Line;

/// Something that happened. `step` is the step's index in the plan; its text is [`crate::machine::step::Step::describe`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// A step begins.
    StepStarted {
        /// Which.
        step: usize,
        /// What it does.
        text: String,
    },
    /// A step is under way.
    StepProgress {
        /// Which.
        step: usize,
        /// Bytes done.
        done: u64,
        /// Bytes in all, as far as known yet.
        total: u64,
    },
    /// A step is done.
    StepDone {
        /// Which.
        step: usize,
        /// How long it took, in milliseconds.
        millis: u64,
    },
    /// A step failed.
    StepFailed {
        /// Which.
        step: usize,
        /// Why.
        failure: StepFailure,
    },
    /// A step was broken off, because the run was interrupted and nothing is lost by that; the next run does it.
    StepDropped {
        /// Which.
        step: usize,
    },
    /// A step is left out, because one that it needs failed.
    StepSkipped {
        /// Which.
        step: usize,
        /// Why.
        because: String,
    },
    /// A container is probed.
    Waiting {
        /// Its name.
        container: String,
    },
    /// A container answers.
    Ready {
        /// Its name.
        container: String,
        /// How long that took, in milliseconds.
        millis: u64,
    },
    /// What containers wrote, for whoever asked for it.
    Lines {
        /// In the order of each container.
        lines: Vec<Line>,
    },
    /// A container does not answer, and will not be waited for any longer.
    NotReady {
        /// Its name.
        container: String,
        /// Why.
        failure: StepFailure,
    },
}

/// Why something failed, as text that can travel: a [`crate::error::Failure`] without its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepFailure {
    /// What failed, and why.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl StepFailure {
    /// Out of an error: its chain in one sentence, and the remedy of the outermost failure in it.
    pub fn of(error: &anyhow::Error) -> Self {
        Self {
            message: format!("{error:#}"),
            hint: crate::error::failure_of(error)
                .and_then(|failure| failure.remedy())
                .or_else(|| crate::error::remedy_of_cause(error))
                .map(str::to_owned),
        }
    }
}
