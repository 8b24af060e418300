//! What controller and agent say to each other: a JSON object a line, either way.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::machine::apply::Outcome;
use crate::machine::diff::DiffOptions;
use crate::machine::doors::Door;
use crate::machine::event::{Event, StepFailure};
use crate::machine::observed::ContainerState;
use crate::machine::plan::Plan;
use crate::platform::desired::Desired;
use crate::route;

/// Changes with the form of what is said; both sides are one executable, so only a file that somebody put there is of another.
pub const VERSION: u32 = 1;

/// How often each side says that it is there.
pub const BEAT: Duration = Duration::from_secs(2);

/// After how long without a word the other side is lost.
pub const SILENCE: Duration = Duration::from_secs(10);

/// What the controller says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "say")]
pub enum Say {
    /// It is there.
    Beat,
    /// It wants something; one thing at a time.
    Ask {
        /// What.
        request: Box<Request>,
    },
    /// The steps in hand are to be finished, and no other begun.
    Stop,
}

/// What the agent says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "say")]
pub enum Tell {
    /// It is there; the first that it says.
    Hello {
        /// [`VERSION`].
        version: u32,
        /// Whether an engine is there; whether it answers is seen when it is needed.
        docker: bool,
    },
    /// It is still there.
    Beat,
    /// Something happened.
    Event {
        /// What.
        event: Event,
    },
    /// Something that the operator should know.
    Note {
        /// In words.
        text: String,
    },
    /// It has done what was wanted.
    Done {
        /// What came of it.
        reply: Box<Reply>,
    },
    /// It cannot.
    Failed {
        /// Why.
        failure: StepFailure,
        /// The exit code that this is here.
        exit: u8,
    },
}

/// What is wanted of a machine.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Request {
    /// To be looked at, and what is due worked out and kept in mind.
    Look {
        /// What it should have.
        desired: Box<Desired>,
        /// What was asked for besides.
        options: DiffOptions,
        /// Under which name the deployment and the machine are locked there, for what is done afterwards.
        lock: Option<String>,
        /// Whether each container is asked if it answers.
        answers: bool,
        /// How many seconds an image's pull may stand still.
        pulling_within: u64,
    },
    /// What is due is to be done.
    Apply {},
    /// What is ours in the directory that was looked at is to be removed, with the library if it is in there.
    Purge {
        /// Where the library is, absolute.
        library: PathBuf,
    },
    /// Doors are to be tried from there.
    Doors {
        /// Which.
        doors: Vec<Door>,
    },
    /// Docker is to be installed from the distribution's packages.
    InstallDocker {},
    /// The default route of a NAT is to give way.
    Route {},
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "did")]
pub enum Reply {
    /// Of looking.
    Difference {
        /// What is due.
        plan: Plan,
        /// Containers that are there, by name.
        containers: BTreeMap<String, ContainerState>,
        /// Whether the platform is up: whether its gateway is there.
        is_up: bool,
        /// Whether each container that should be there answers, in their order; empty where it was not asked for.
        answers: Vec<bool>,
    },
    /// Of doing what was due.
    Outcome {
        /// How it went.
        outcome: Outcome,
    },
    /// Of purging, and of installing.
    Nothing,
    /// Why each door is closed, in their order.
    Doors {
        /// `None` where it is open.
        closed: Vec<Option<String>>,
    },
    /// Of the route.
    Route {
        /// How it stands.
        report: route::Report,
    },
}
