//! `dtaas lib serve`: the real binary, asked over HTTP.

mod asking;
mod containment;
mod fixture;
mod large;
mod limits;
mod model;
mod races;
mod rude;
mod running;
mod users;
