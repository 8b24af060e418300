//! The whole test suite in one binary.

mod auth;
mod auth_htpasswd;
mod command;
mod golden;
mod library;
mod loopback;
mod website;
mod website_links;
