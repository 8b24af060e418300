//! `dtaas lib serve`: the real binary, asked over HTTP.

mod apollo;
mod asking;
mod client;
mod containment;
mod fixture;
mod limits;
mod running;
mod users;
