//! The library server: assets over GraphQL, as v0.2's clients ask for them, with every user kept to their own
//! folder and `common`.

pub mod bounds;
pub mod client;
pub mod config;
pub mod contain;
pub mod env_file;
pub mod gate;
pub mod http;
pub mod local;
pub mod log;
pub mod path;
pub mod question;
pub mod refusal;
pub mod schema;
pub mod serve;
pub mod source;
