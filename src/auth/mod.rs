//! Who may open what: passwords, the htpasswd store, sessions, and the process that the gateway asks.

pub mod account;
mod account_file;
mod apr1;
pub mod asked;
mod attempts;
mod basic;
mod cache;
mod complaints;
mod cookies;
pub mod door;
pub mod endpoint;
mod gatekeeper;
mod line;
mod neighbourhood;
pub mod password;
pub mod sessions;
pub mod shares;
mod signin;
mod socket;
mod stamped;
pub mod store;
pub mod vis;
mod writing;
