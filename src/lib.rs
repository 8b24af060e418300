//! Puts a Digital-Twin-as-a-Service platform on a machine, keeps it running, and takes it away again.
//!
//! Arrows point down: `cli → machine → platform → {render, spec, secrets} → error`; `library`, `website`
//! and `auth` stand beside, used by `cli`; anything may use `ui` for talking.

pub mod auth;
pub mod cli;
pub mod error;
pub mod library;
pub mod machine;
pub mod platform;
pub mod secrets;
pub mod spec;
pub mod website;
