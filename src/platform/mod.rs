//! The pure core: from a spec to what each machine should have. No I/O, no clock, no randomness.

pub mod desired;
