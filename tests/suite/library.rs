//! `dtaas lib serve`: the real binary, asked over HTTP.

mod asking;
mod beyond;
mod changing;
mod containment;
mod files;
mod files_client;
mod fixture;
mod limits;
mod mutations;
mod pages;
mod parts;
mod patience;
mod ranges;
mod room;
mod running;
mod search;
mod twins;
mod upload;
mod users;
mod zip;
