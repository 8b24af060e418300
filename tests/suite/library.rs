//! `dtaas lib serve`: the real binary, asked over HTTP.

mod asking;
mod containment;
pub mod fixture;
mod kernels;
mod limits;
mod metrics;
mod playground;
mod running;
mod users;
