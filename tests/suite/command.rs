//! The real binary in a directory of its own: what it says, exits with and writes.

mod docker_missing;
mod init;
mod init_killed;
mod init_refused;
mod render;
mod run;
mod secrets;
mod spec;
mod talk;
mod terminal;
mod users;
mod users_change;
mod users_file;
