//! The whole test suite in one binary.

mod auth;
mod auth_htpasswd;
mod library;
mod loopback;
mod platform;
mod rig;
mod website;
mod website_links;
