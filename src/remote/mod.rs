//! Other machines: reached by SSH, and worked on by an agent there that is this same executable.
//!
//! ```text
//! Target → hops (target) → connect (session, known_hosts, login) → upload → `dtaas agent` ⇄ Agent::ask
//! ```
//!
//! Both sides say every two seconds that they are there. Who hears nothing for ten takes the other for lost: here that is an error, there
//! the step in hand is finished and no other begun.

mod agent;
mod bridge;
mod known_hosts;
mod login;
pub mod protocol;
mod quote;
pub mod serve;
mod session;
mod target;
mod upload;

pub use agent::{Agent, Options};
pub use target::Target;
