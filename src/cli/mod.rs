//! One file a command: what can be typed, the call, what is printed.

pub mod lib;
