//! Puts a Digital-Twin-as-a-Service platform on a machine, keeps it running, and takes it away again.
//!
//! Arrows point down: `cli → {backup, fleet} → {deployment, vagrant, remote} → machine → platform → {render, spec, secrets} → error`; `library`,
//! `website` and `auth` stand beside, used by `cli` and by `trial`, which is all of them in one process; `route` by `cli` and `remote`, and so is
//! `doctor`;
//! anything may use `ui` for talking.

#![recursion_limit = "256"]

pub mod auth;
pub mod backup;
pub mod certificate;
pub mod cli;
pub mod deployment;
pub mod doctor;
pub mod error;
pub mod exchange;
pub mod fleet;
pub mod gate;
pub mod library;
pub mod machine;
pub mod page;
pub mod platform;
pub mod profile;
pub mod proxy;
pub mod remote;
pub mod render;
pub mod route;
pub mod secrets;
pub mod serve;
pub mod signals;
pub mod spec;
pub mod trial;
pub mod ui;
pub mod vagrant;
pub mod website;
