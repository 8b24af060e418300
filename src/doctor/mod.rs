//! What would stop the platform from working, and what to do about it: one check a file, each finding with its evidence and its remedy.
//!
//! Checks of a machine are made on it, by the agent where it is another; those of names, certificates and the like are made here.

mod finding;
pub mod here;
pub mod machine;
pub mod mend;

pub use finding::{Finding, Fix, Severity};
