//! What listens on this machine for TCP, as the kernel tells it (proc_net_tcp(5)).

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;

use crate::ui::printable::printable;

/// A port that something listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// Which.
    pub port: u16,
    /// At which address; `None` is all of the machine's.
    pub address: Option<Ipv4Addr>,
    /// The socket's inode, by which its program is found.
    inode: u64,
}

impl Listening {
    /// Whether it can be reached at an address of the machine, as far as addresses go.
    pub fn is_at(&self, address: Ipv4Addr) -> bool {
        self.address.is_none_or(|one| one == address)
    }

    /// Who listens, such as `sshd (process 812)`, where that can be told.
    pub fn program(&self) -> Option<String> {
        let process = self.process()?;
        let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        // Any account may call its program as it likes.
        Some(format!("{} (process {process})", printable(name.trim())))
    }

    /// The process that listens; only root sees other accounts' ones.
    pub fn process(&self) -> Option<i32> {
        let socket = format!("socket:[{}]", self.inode);
        for process in fs::read_dir("/proc").ok()?.flatten() {
            let Ok(pid) = process.file_name().to_string_lossy().parse::<i32>() else {
                continue;
            };
            let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else {
                continue;
            };
            let holds = descriptors.flatten().any(|descriptor| {
                fs::read_link(descriptor.path())
                    .is_ok_and(|target| target.as_os_str() == socket.as_str())
            });
            if holds {
                return Some(pid);
            }
        }
        None
    }
}

/// All that listens, by port and address; IPv6 only where it takes IPv4 as well.
pub fn listening() -> Vec<Listening> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| {
        // Where the kernel has no IPv6 there is no second table.
        fs::read_to_string(path).unwrap_or_default()
    });
    of_tables(&tables[0], &tables[1])
}

fn of_tables(v4: &str, v6: &str) -> Vec<Listening> {
    let mut found = BTreeMap::new();
    let lines = v4.lines().skip(1).chain(v6.lines().skip(1));
    for one in lines.filter_map(of_line) {
        found.entry((one.port, one.address)).or_insert(one);
    }
    found.into_values().collect()
}

fn of_line(line: &str) -> Option<Listening> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let address = match address.len() {
        // The kernel writes the number as the machine has it: the first byte last.
        8 => Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.swap_bytes()),
        // `::`; other addresses of IPv6 take none of IPv4.
        32 if address.bytes().all(|digit| digit == b'0') => Ipv4Addr::UNSPECIFIED,
        _ => return None,
    };
    Some(Listening {
        port: u16::from_str_radix(port, 16).ok()?,
        address: Some(address).filter(|address| !address.is_unspecified()),
        inode: fields.get(9)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 812 1 0 100 0 0 10 0
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 813 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 814 1 0 100 0 0 10 0";
    const V6: &str = "  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 815 1 0 100 0 0 10 0
   1: 00000000000000000000000001000000:0017 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 816 1 0 100 0 0 10 0";

    #[test]
    fn ports_that_are_listened_on_are_found_once() {
        let found = of_tables(V4, V6);
        let shown: Vec<(u16, Option<Ipv4Addr>)> =
            found.iter().map(|one| (one.port, one.address)).collect();
        assert_eq!(shown, [(22, None), (8080, Some(Ipv4Addr::LOCALHOST))]);
        assert!(found[0].is_at(Ipv4Addr::new(172, 30, 0, 1)));
        assert!(!found[1].is_at(Ipv4Addr::new(172, 30, 0, 1)));
    }

    #[test]
    fn a_port_of_ours_is_listening_and_ours() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = listening();
        let own = found.iter().find(|one| one.port == port).unwrap();
        let program = own.program().unwrap();
        assert!(program.ends_with(&format!("(process {})", std::process::id())));
    }
}
