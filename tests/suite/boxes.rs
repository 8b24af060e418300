//! `dtaas box build`: the real binary with stand-ins for `vagrant`, `ssh` and the guest behind it, which keep in files what was
//! made. Nothing of a machine is run: `provision.sh` is looked at, and answered for.

mod broken;
mod refused;
mod sealed;
mod whole;
mod world;
