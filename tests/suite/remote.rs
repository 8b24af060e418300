//! Machines elsewhere: a real sshd on loopback, with the real binary as the agent behind it.

mod hosts;
mod keys;
mod lost;
mod machine;
mod pipes;
mod sshd;
mod wire;
