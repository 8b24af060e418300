//! `dtaas lib ls | cat | get | put | check`: the real command against the real server, alone or behind a door that checks passwords.

mod access;
mod check;
mod door;
mod get;
mod names;
mod put;
mod ran;
mod terminal;
