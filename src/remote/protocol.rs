use crate::machine::{apply::Outcome, diff::DiffOptions, observed::ContainerState, plan::Plan};
use crate::platform::desired::Desired;
use std::collections::BTreeMap;
pub enum Request {
    Look {
        desired: Box<Desired>,
        options: DiffOptions,
        lock: Option<String>,
        answers: bool,
    },
    Apply {},
    Purge {},
    Doors {
        doors: Vec<crate::machine::doors::Door>,
    },
}
pub enum Reply {
    Difference {
        plan: Plan,
        containers: BTreeMap<String, ContainerState>,
        is_up: bool,
        answers: Vec<bool>,
    },
    Outcome(Outcome),
    Doors {
        closed: Vec<Option<String>>,
    },
}
