//! `dtaas lib serve`: the real binary, asked over HTTP.

mod asking;
mod containment;
mod fixture;
mod gitlab;
mod gitlab_server;
mod limits;
mod running;
mod users;
