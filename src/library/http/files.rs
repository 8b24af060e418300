//! The files of the library as files: read, listed, written.

use axum::extract::Request;
use axum::response::Response;

use super::super::path::Viewer;
use super::{Entry, Service};

/// Where the files are, below the endpoint.
pub const PREFIX: &str = "/files";
/// What an address of one of them begins with.
pub const BELOW: &str = "/files/";

/// Answers a request for a file or a directory.
pub async fn answer(_service: &Service, _viewer: &Viewer, _request: Request) -> (Response, Entry) {
    unimplemented!()
}
