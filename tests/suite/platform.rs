//! The platform on a real machine: the real binary, a docker engine, a gateway and workspaces that hold JupyterLab.

mod bystanders;
mod client;
mod deployment;
mod doors;
mod engine;
mod first_light;
mod foreign;
mod isolation;
mod keeps;

mod life;
mod namespaces;
mod snapshot;
mod steps;
mod terminal;
mod users;
mod users_out;
mod ways;
