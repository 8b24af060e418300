//! The pure core as data: what a spec becomes, byte for byte, and what holds for every spec.

mod compose;
mod files;
mod fixture;
mod keys;
mod properties;
