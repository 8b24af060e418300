//! `dtaas trial`: the real binary, as someone would try it.

mod asking;
mod changing;
mod fixture;
mod leaving;
mod page;
mod pages;
mod reading;
mod starting;
mod workspaces;
