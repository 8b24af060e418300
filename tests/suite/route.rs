//! The default-route fix: the real binary and `scripts/route.sh`, which must do the same, with recorded situations and in network
//! namespaces. No test runs systemd: a stand-in for `systemctl` takes what is written into the unit and starts that.

mod living;
mod machine;
mod network;
mod properties;
mod situations;
