//! A plan: the ordered difference of what a machine should have and what it has. Plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::machine::step::Step;
use crate::spec::names::UserName;

/// What will be done on a machine, what waits to be asked for, and what cannot be done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What will be done, in order; steps of one [`Phase`](crate::machine::step::Phase) may be done side by side.
    pub steps: Vec<Step>,
    /// What is left as it is until it is asked for.
    pub held: Vec<Held>,
    /// What is in the way: with any of these, nothing is done at all.
    pub refused: Vec<Refusal>,
    /// Containers that are probed at the end, whether or not a step concerns them.
    pub ready: Vec<String>,
    /// What the operator should know, and nothing is done about.
    pub notes: Vec<String>,
    /// Disks that are nearly full: the same, and what `status` tells as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub space: Vec<String>,
}

impl Plan {
    /// Whether the machine is as it should be, as far as it may be changed without asking.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.refused.is_empty()
    }

    /// The failure that everything in the way is; `None` when nothing is.
    pub fn refusal(&self) -> Option<Failure> {
        match self.refused.as_slice() {
            [] => None,
            [one] => Some(Failure::new(one.message.clone()).hint(one.hint.clone())),
            several => {
                let lines: Vec<String> = several
                    .iter()
                    .map(|one| format!("- {}: {}", one.message, one.hint))
                    .collect();
                Some(
                    Failure::new(format!(
                        "{} things are in the way, and nothing was done:\n{}",
                        several.len(),
                        lines.join("\n")
                    ))
                    .hint("clear them away, then run this again"),
                )
            }
        }
    }
}

/// Something that stays as it is, because changing it would lose someone's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The container or network.
    pub name: String,
    /// Whose it is.
    pub user: Option<UserName>,
    /// Whether its user is not in the spec any more: then it is to be removed, and not made anew.
    pub nobodys: bool,
    /// What differs, such as `image a → b`.
    pub differs: Vec<String>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nobodys {
            let user = self.user.as_ref().map_or("its user", UserName::as_str);
            return write!(
                f,
                "{} stays, though users/{user}.yaml is gone: removing it {LOSES}",
                self.name
            );
        }
        write!(
            f,
            "{} must be made anew ({}), which {LOSES}",
            self.name,
            self.differs.join(", ")
        )
    }
}

/// What making a precious container anew does to it.
pub const LOSES: &str = "loses what was installed in the container and stops what runs";

/// Something in the way that is not ours to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What is in the way, one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}
