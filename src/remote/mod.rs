//! Machines elsewhere: reached by SSH, where the running executable, uploaded, does what it does on this machine.
//!
//! ```text
//! Target → target::resolve → connection (one OS thread a session) → upload → agent ⇄ serve, one JSON object a line
//! ```
//!
//! No remote shell scripts: what runs there before the agent does are single programs with quoted arguments.

pub mod agent;
pub mod asks;
mod connection;
mod key;
pub mod known_hosts;
mod login;
pub mod pace;
pub mod protocol;
mod pump;
mod quote;
pub mod serve;
mod session;
pub mod ssh_config;
mod tail;
pub mod target;
mod upload;

pub use agent::Agent;
pub use target::Target;
