//! The website: its embedded pages, `env.js`, and who is looking at them.

mod assets;
mod markdown;
pub mod server;
