//! `dtaas lib serve`: the real binary, asked over HTTP.

mod asking;
mod containment;
mod fixture;
mod kernels;
mod limits;
mod running;
mod users;
