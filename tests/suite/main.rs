//! The whole test suite in one binary.

mod auth;
mod auth_htpasswd;
mod boxes;
mod browser;
mod command;
mod engine_proxy;
mod golden;
mod library;
mod loopback;
mod machine_engine;
mod machine_faults;
mod machine_lab;
mod machine_others;
mod machines;
mod npm;
mod platform;
mod remote;
mod rig;
mod route;
mod scripts;
mod trial;
mod v02;
mod vagrant;
mod website;
mod website_scripts;
mod website_uploads;
