//! The real binary in a directory of its own: what it says, exits with and writes.

mod backup;
mod cert;
mod cert_files;
mod docker_missing;
mod docker_odd;
mod export;
mod faults;
mod import;
mod init;
mod init_killed;
mod init_refused;
mod locks;
mod refused;
mod render;
mod run;
mod secrets;
mod share;
mod spec;
mod talk;
mod terminal;
mod users;
mod users_change;
mod users_file;
