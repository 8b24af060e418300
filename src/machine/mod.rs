//! One machine: observe what it has, work out the difference to what it should have (pure), and apply that.
//!
//! ```text
//! docker::Engine::connect → observe::observe → diff::diff → (plan::Plan) → apply::apply
//! ```
//!
//! Only [`apply`] writes. Everything else here either reads, or is a function from data to data.

pub mod accounts;
pub mod apply;
pub mod below;
pub mod diff;
pub mod difference;
pub mod docker;
pub mod doors;
pub mod event;
pub mod files;
pub mod firewall;
pub mod hash;
pub mod heal;
pub mod image;
pub mod inside;
pub mod journal;
pub mod listening;
pub mod lock;
pub mod neighbours;
pub mod observe;
pub mod observed;
pub mod plan;
pub mod ports;
pub mod purge;
pub mod routes;
pub mod space;
pub mod step;
mod systemd;
pub mod usage;
pub mod wait;
