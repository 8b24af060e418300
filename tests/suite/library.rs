//! `dtaas lib serve`: the real binary, asked over HTTP.

mod apollo;
mod asking;
mod changing;
mod client;
mod containment;
mod files;
mod files_client;
pub mod fixture;
mod gitlab;
mod gitlab_server;
mod kernels;
mod large;
mod limits;
mod metrics;
mod model;
mod playground;
mod races;
mod ranges;
mod room;
mod rude;
mod running;
mod transfers;
mod upload;
mod users;
mod zip;
