//! Addresses of the host that a container is to listen on: whether they are free, and who holds them if not.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddrV4, TcpListener};

use crate::machine::observed::Taken;
use crate::platform::desired::Container;

/// Whether an address can be listened on now; if not, who holds it where that can be told.
///
/// It is tried, by listening for a moment. An address that this machine does not have counts as free here: whoever listens on it says so better.
pub fn taken(address: SocketAddrV4, container: &str) -> Option<Taken> {
    match TcpListener::bind(address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => Some(Taken {
            address,
            container: container.to_owned(),
            holder: holder(address),
        }),
        Ok(_) | Err(_) => None,
    }
}

/// The addresses that a container is to listen on and that are taken now; those in `held` will be given up for it.
pub fn taken_from(container: &Container, held: &[SocketAddrV4]) -> Vec<Taken> {
    container
        .listens
        .iter()
        .filter(|address| !held.iter().any(|one| meet(*one, **address)))
        .filter_map(|address| taken(*address, &container.name))
        .collect()
}

/// Whether only one can listen where two want to.
pub fn meet(one: SocketAddrV4, other: SocketAddrV4) -> bool {
    one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// One sentence about a taken address.
pub fn message(taken: &Taken) -> String {
    let holder = taken
        .holder
        .as_deref()
        .map_or_else(|| "another program".to_owned(), ToOwned::to_owned);
    format!(
        "{} needs {}, and {holder} listens there already",
        taken.container, taken.address
    )
}

/// What to do about it.
pub fn hint(taken: &Taken) -> String {
    format!(
        "stop it (see: ss -ltnp sport = :{}), or set another port in dtaas.yaml, then run this again",
        taken.address.port()
    )
}

/// The program that listens on an address, out of `/proc`.
fn holder(address: SocketAddrV4) -> Option<String> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, address.port()))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Ok(pid) = process.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let holds = descriptors.flatten().any(|descriptor| {
            fs::read_link(descriptor.path()).is_ok_and(|target| {
                inodes
                    .iter()
                    .any(|inode| target.as_os_str() == inode.as_str())
            })
        });
        if holds {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {pid})", name.trim()));
        }
    }
    None
}

/// Inodes of the sockets that listen on a port, from a table like `/proc/net/tcp` (see proc(5)).
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (_, hex_port) = fields.get(1)?.rsplit_once(':')?;
            let listens = *fields.get(3)? == LISTEN;
            (listens && u16::from_str_radix(hex_port, 16) == Ok(port))
                .then(|| fields.get(9).map(ToString::to_string))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_names_who_holds_it() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let std::net::SocketAddr::V4(address) = held.local_addr().unwrap() else {
            unreachable!()
        };
        let taken = taken(address, "gateway").unwrap();
        let own = format!("(process {})", std::process::id());
        assert!(taken.holder.unwrap().ends_with(&own));
    }

    #[test]
    fn a_free_address_is_free() {
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let std::net::SocketAddr::V4(address) = address else {
            unreachable!()
        };
        assert_eq!(taken(address, "gateway"), None);
    }
}
