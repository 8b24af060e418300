//! From another platform to ours, and from ours to another: what v0.2 had becomes a deployment, and a deployment becomes a file for
//! docker compose.

pub mod apart;
pub mod compose;
pub mod copy;
pub mod v02;
