//! `dtaas lib serve`: the real binary, asked over HTTP.

mod apollo;
mod asking;
mod changing;
mod client;
mod containment;
mod files;
mod files_client;
mod fixture;
mod limits;
mod parts;
mod patience;
mod ranges;
mod room;
mod running;
mod upload;
mod users;
mod zip;
