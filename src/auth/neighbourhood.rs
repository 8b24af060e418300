//! Whom an address stands for.

use std::net::{IpAddr, Ipv6Addr};

/// The address by which its sender is counted: whoever has an IPv6 network (a /64) has all addresses in it.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => match long.to_ipv4_mapped() {
            Some(short) => short.into(),
            None => Ipv6Addr::from_bits(long.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}
