//! A channel of a session as a socket: a thread of its own, which alone uses the session, carries the bytes between them.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, Channel};

use super::session::Connected;

/// How much is carried at once, in bytes.
const PIECE: usize = 32 * 1024;
/// How much may wait to be carried on, in bytes.
const WAITING: usize = 1 << 20;
/// How long it is waited for the sockets at most: what libssh2 has read already makes no socket ready.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};
/// How long the other side has to take what is left when this side has ended.
const TO_END: Duration = Duration::from_secs(3);
/// How much of what a program says on standard error is kept, in bytes.
const SAID: usize = 4096;

/// The last that a program said on standard error.
#[derive(Debug, Clone, Default)]
pub struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn add(&self, bytes: &[u8]) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(bytes);
        let over = said.len().saturating_sub(SAID);
        said.drain(..over);
    }

    /// Its last lines in one.
    pub fn last(&self) -> String {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        lines[lines.len().saturating_sub(3)..].join("; ")
    }
}

/// Carries bytes between a channel and a socket until one of them ends. What comes on standard error is kept in `said`.
///
/// # Errors
/// When there is no thread to be had.
pub(super) fn start(
    connected: Connected,
    channel: Channel,
    socket: UnixStream,
    said: Option<Said>,
) -> anyhow::Result<()> {
    socket
        .set_nonblocking(true)
        .context("cannot prepare a socket")?;
    std::thread::Builder::new()
        .name("ssh".to_owned())
        .spawn(move || {
            connected.session.set_blocking(false);
            // However it ends, the socket is closed then, and whoever holds its other end sees that.
            let _ = carry(&connected, channel, socket, said.as_ref());
        })
        .context("cannot start a thread")?;
    Ok(())
}

fn carry(
    connected: &Connected,
    mut channel: Channel,
    mut socket: UnixStream,
    said: Option<&Said>,
) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    let (mut inward, mut outward) = (Vec::new(), Vec::new());
    let mut ended: Option<Instant> = None;
    loop {
        let mut moved = false;
        if outward.len() < WAITING {
            moved |= take(channel.read(&mut piece), &piece, &mut outward)?.unwrap_or(false);
        }
        if let Some(said) = said {
            let mut heard = Vec::new();
            moved |= take(channel.stderr().read(&mut piece), &piece, &mut heard)?.unwrap_or(false);
            said.add(&heard);
        }
        if ended.is_none() && inward.len() < WAITING {
            match take(socket.read(&mut piece), &piece, &mut inward)? {
                Some(some) => moved |= some,
                // Whoever held the other end is gone.
                None => ended = Some(Instant::now()),
            }
        }
        moved |= give(&mut inward, |bytes| channel.write(bytes))?;
        moved |= give(&mut outward, |bytes| socket.write(bytes))?;
        if outward.is_empty() && channel.eof() {
            return Ok(());
        }
        if let Some(since) = ended
            && (since.elapsed() > TO_END || (inward.is_empty() && channel.send_eof().is_ok()))
        {
            let _ = channel.close();
            return Ok(());
        }
        if !moved {
            wait(connected, &socket, &outward)?;
        }
    }
}

/// Adds what was read; `None` at the end, false where there was nothing yet.
fn take(
    outcome: std::io::Result<usize>,
    piece: &[u8],
    into: &mut Vec<u8>,
) -> std::io::Result<Option<bool>> {
    match outcome {
        Ok(0) => Ok(None),
        Ok(length) => {
            into.extend_from_slice(&piece[..length]);
            Ok(Some(true))
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(Some(false))
        }
        Err(error) => Err(error),
    }
}

/// Writes as much as goes.
fn give(
    from: &mut Vec<u8>,
    write: impl FnOnce(&[u8]) -> std::io::Result<usize>,
) -> std::io::Result<bool> {
    if from.is_empty() {
        return Ok(false);
    }
    match write(from) {
        Ok(length) => {
            from.drain(..length);
            Ok(length > 0)
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn wait(connected: &Connected, socket: &UnixStream, outward: &[u8]) -> std::io::Result<()> {
    let mut of_session = PollFlags::IN;
    match connected.session.block_directions() {
        BlockDirections::Outbound | BlockDirections::Both => of_session |= PollFlags::OUT,
        BlockDirections::Inbound | BlockDirections::None => {}
    }
    let of_socket = match outward.is_empty() {
        true => PollFlags::IN,
        false => PollFlags::IN | PollFlags::OUT,
    };
    let mut both = [
        PollFd::from_borrowed_fd(connected.socket.as_fd(), of_session),
        PollFd::from_borrowed_fd(socket.as_fd(), of_socket),
    ];
    match poll(&mut both, Some(&LOOK)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
