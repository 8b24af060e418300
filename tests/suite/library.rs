//! `dtaas lib serve`: the real binary, asked over HTTP.

mod asking;
mod changing;
mod containment;
mod files;
mod files_client;
pub mod fixture;
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
