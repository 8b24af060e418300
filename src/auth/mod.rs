//! Who may open what: passwords, the htpasswd store, and the endpoint that the gateway asks.

mod apr1;
mod basic;
mod cache;
mod cookies;
pub mod endpoint;
mod gatekeeper;
mod line;
pub mod password;
mod stamped;
pub mod store;
pub mod vis;
