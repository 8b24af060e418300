//! The platform on a real machine: the real binary, a docker engine, a gateway and workspaces that hold JupyterLab.

mod bystanders;
mod client;
pub mod deployment;
mod doors;
pub mod engine;
mod engine_faults;
mod first_light;
mod foreign;
mod interrupted;
mod isolation;
mod keeps;
mod killed;
mod library;
mod life;
mod links;
mod namespaces;
mod neighbours;
mod pulls;
mod secrets;
mod snapshot;
pub mod steps;
mod terminal;
mod tls;
mod tls_acme;
mod users;
mod users_out;
mod ways;
