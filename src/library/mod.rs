//! The library server: assets over GraphQL, as v0.2's clients ask for them, with every user kept to their own
//! folder and `common`.

pub mod answer;
pub mod archive;
pub mod aside;
pub mod bounds;
pub mod cached;
pub mod changes;
pub mod conditions;
pub mod config;
pub mod contain;
pub mod details;
pub mod entries;
pub mod env_file;
pub mod flow;
pub mod gate;
pub mod http;
pub mod local;
pub mod log;
pub mod media;
pub mod path;
pub mod question;
pub mod quota;
pub mod refusal;
pub mod schema;
pub mod serve;
pub mod source;
pub mod stale;
pub mod start;
pub mod upload;
pub mod walk;
