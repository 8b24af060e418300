pub mod auth;
pub mod website;
