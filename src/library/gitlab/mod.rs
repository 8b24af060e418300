//! A library in the projects of a GitLab group, read through GitLab's GraphQL API.
//!
//! What is asked for, and what comes back, is as GitLab's GraphQL API reference has it (<https://docs.gitlab.com/api/graphql/>):
//! `project(fullPath:)`, `group(fullPath:)`, `Repository.tree`, `Repository.blobs`, pages of at most 100 entries.

mod client;
mod cursor;
mod questions;
mod rest;
pub mod settings;
mod source;
mod trouble;
mod trust;

pub use source::Gitlab;
