//! Where the request in hand comes from.

use std::net::IpAddr;

tokio::task_local! {
    /// Set for the task of a connection: that costs a request nothing, as an extension of each would.
    pub(super) static PEER: IpAddr;
}

/// The address that the request in hand comes from; `None` where it does not come over a connection, or in a task of its own.
pub fn peer() -> Option<IpAddr> {
    PEER.try_with(|address| *address).ok()
}
