//! What can be reached from inside a container's network, tried from there.
//!
//! A thread of ours enters the network of the container's first process (setns(2)) and connects, so that nothing has to be installed in
//! the container and nothing in it can answer for the network.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// How long a connection may take; on the machine itself it takes less than a millisecond.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How many are tried side by side, each by a thread.
const SIDE_BY_SIDE: usize = 64;

/// What came of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Something listens there, and took it.
    Open,
    /// It got there, and nothing listens.
    Refused,
    /// Nothing came back.
    Nothing,
}

/// Tries these addresses from inside the network of a process, in their order.
///
/// # Errors
/// When the process is gone, or its network must not be entered.
pub async fn reach(pid: i64, addresses: Vec<SocketAddrV4>) -> Result<Vec<Answer>> {
    let tried = tokio::task::spawn_blocking(move || {
        let network = File::open(format!("/proc/{pid}/ns/net"))
            .with_context(|| format!("cannot enter the network of process {pid}"))?;
        let mut answers = Vec::with_capacity(addresses.len());
        for some in addresses.chunks(SIDE_BY_SIDE) {
            // A thread that has moved never comes back, so each is for one connection.
            let tried: Vec<Result<Answer>> = std::thread::scope(|scope| {
                let threads: Vec<_> = some
                    .iter()
                    .map(|address| {
                        let network = &network;
                        scope.spawn(move || try_from(network, *address))
                    })
                    .collect();
                let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Answer>>| {
                    thread
                        .join()
                        .unwrap_or_else(|_| Err(anyhow::anyhow!("a thread broke off")))
                };
                threads.into_iter().map(join).collect()
            });
            for answer in tried {
                answers.push(answer?);
            }
        }
        Ok(answers)
    });
    tried.await.context("trying the network broke off")?
}

fn try_from(network: &File, address: SocketAddrV4) -> Result<Answer> {
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
        .context("cannot enter a container's network")?;
    let connected = TcpStream::connect_timeout(&SocketAddr::V4(address), PATIENCE);
    Ok(match connected {
        Ok(_) => Answer::Open,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Answer::Refused,
        // Dropped, or told that there is no way there.
        Err(_) => Answer::Nothing,
    })
}
