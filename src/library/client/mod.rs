//! The library from outside: what `dtaas lib ls | cat | get | put | check` ask over HTTP, with a user's credentials.
//!
//! Names come over GraphQL, in the questions that every version of the server and v0.2's know; bytes over `<endpoint>/files/…`.
//! Credentials go to the library's own origin alone: redirects are told and not followed.

pub mod access;
pub mod check;
pub mod connection;
pub mod download;
pub mod event;
pub mod fetch;
pub mod graphql;
pub mod listing;
pub mod local_file;
pub mod path;
pub mod patience;
pub mod problem;
pub mod send;
pub mod upload;
pub mod walk;
