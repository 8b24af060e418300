//! Whose a request is, where something that there is little of is shared out.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::LazyLock;

use super::path::Viewer;
use crate::serve;

/// Drawn anew by each process, so that nobody can choose a name or an address that comes to the same as another's.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Whose a request is: a user's, or stand-alone an address's. Told apart by a keyed hash, so that making one costs a question
/// no memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Whose(u64);

impl Whose {
    /// What the server does by itself.
    pub const SERVER: Self = Self(0);

    /// The viewer's; stand-alone that of the address that the request in hand comes from. Of IPv6 the network counts
    /// (64 bits): a host has all the addresses in it. Behind a proxy that is the proxy's, for all its clients: whom it asks for stands
    /// in a header that anybody could send.
    pub fn of(viewer: &Viewer) -> Self {
        match viewer {
            Viewer::User { name, .. } => Self(KEYS.hash_one(name.as_str())),
            Viewer::Everyone => Self(KEYS.hash_one(serve::peer().map(network))),
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_by_its_network() {
        let same = |one: &str, other: &str| {
            network(one.parse().unwrap()) == network(other.parse().unwrap())
        };
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
    }

    #[test]
    fn a_user_is_the_same_whatever_groups_they_are_in() {
        let user = |name: &str, publisher| Viewer::User {
            name: name.parse().unwrap(),
            publisher,
        };
        assert_eq!(
            Whose::of(&user("alice", true)),
            Whose::of(&user("alice", false))
        );
        assert_ne!(
            Whose::of(&user("alice", true)),
            Whose::of(&user("bob", true))
        );
    }
}
