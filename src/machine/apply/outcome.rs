//! What came of a plan.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::error::{Exit, Failure};
use crate::machine::event::StepFailure;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// How many of the steps that are left are named one by one.
const NAMED: usize = 10;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How many steps were done.
    pub done: usize,
    /// What failed: steps first, then containers that do not answer.
    pub failures: Vec<StepFailure>,
    /// How many steps were left out because of those.
    pub skipped: usize,
    /// What each step would have done that was not begun, or broken off, because the run was interrupted.
    pub left: Vec<String>,
    /// Whether it was interrupted before its end.
    pub interrupted: bool,
    /// Tokens that services made.
    #[serde(default)]
    pub tokens: Tokens,
}

/// Tokens that a service made for users, which nobody else can tell: InfluxDB's.
pub type Tokens = BTreeMap<UserName, Secret>;

impl Outcome {
    /// What came of more, done after this.
    pub fn add(&mut self, more: Outcome) {
        let Outcome {
            done,
            failures,
            skipped,
            left,
            interrupted,
            tokens,
        } = more;
        self.done += done;
        self.failures.extend(failures);
        self.skipped += skipped;
        self.left.extend(left);
        self.interrupted |= interrupted;
        self.tokens.extend(tokens);
    }

    /// One failure out of all there were; `Ok` when there were none.
    pub fn result(&self) -> Result<()> {
        self.result_of("the same command")
    }

    /// The same; `again` is what does the rest after an interruption, such as `dtaas up`.
    pub fn result_of(&self, again: &str) -> Result<()> {
        if self.interrupted {
            return Err(Failure::new(self.interruption())
                .hint(format!("run {again} again to do the rest"))
                .exit(Exit::Interrupted)
                .into());
        }
        let hint = self.failures.iter().find_map(|one| one.hint.clone());
        let message = match self.failures.as_slice() {
            [] => return Ok(()),
            [one] => one.message.clone(),
            several => {
                let lines: Vec<String> = several
                    .iter()
                    .map(|one| match &one.hint {
                        Some(hint) => format!("- {} ({hint})", one.message),
                        None => format!("- {}", one.message),
                    })
                    .collect();
                format!("{} things failed:\n{}", several.len(), lines.join("\n"))
            }
        };
        let failure = Failure::new(message);
        Err(match hint {
            Some(hint) if self.failures.len() == 1 => failure.hint(hint),
            Some(_) | None => {
                failure.hint("mend that, then run this again: what is done stays done")
            }
        }
        .into())
    }

    /// What was done, what failed and what is left, line by line.
    fn interruption(&self) -> String {
        let steps = match self.done {
            1 => "1 step".to_owned(),
            many => format!("{many} steps"),
        };
        let mut lines = vec![match self.left.len() {
            0 => {
                format!("interrupted after {steps}, before everything answered; no step is left")
            }
            left => format!("interrupted after {steps}; nothing is half done, and {left} are left"),
        }];
        lines.extend(
            self.failures
                .iter()
                .map(|one| format!("- failed: {}", one.message)),
        );
        lines.extend(self.left.iter().take(NAMED).map(|step| format!("- {step}")));
        if let Some(more @ 1..) = self.left.len().checked_sub(NAMED) {
            lines.push(format!("- and {more} more"));
        }
        lines.join("\n")
    }
}
