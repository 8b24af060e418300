//! `dtaas trial`: the real binary, as someone would try it.

mod asking;
mod fixture;
mod leaving;
mod page;
mod pages;
mod starting;
mod workspaces;
