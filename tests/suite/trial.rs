//! `dtaas trial`: the real binary, as someone would try it.

mod asking;
mod fixture;
mod leaving;
mod page;
mod starting;
mod workspaces;
