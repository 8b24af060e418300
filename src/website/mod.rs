//! The website: its embedded pages, `env.js`, and who is looking at them.

mod assets;
pub mod build;
mod markdown;
pub mod server;
