//! Carries bytes between an SSH channel and a local socket until both are done.
//!
//! libssh2 cannot begin to send a packet while another one is half sent, and says so only by an error. So an operation that could
//! not send all is the next one to be tried, before any other.

use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use ssh2::{BlockDirections, Channel, Session};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use crate::remote::tail::Tail;

const PIECE: usize = 64 * 1024;
/// How often it is looked without a sign that there is something to see, and the connection is kept alive.
const LOOK: Duration = Duration::from_millis(500);

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// Its exit status, 0 for one that a signal ended.
    pub(super) status: i32,
    /// The signal that ended it, without `SIG`.
    pub(super) signal: Option<String>,
}

impl Ended {
    /// Whether it did what it should.
    pub(super) fn is_good(&self) -> bool {
        self.status == 0 && self.signal.is_none()
    }
}

/// Told when all is over; whoever listens no longer does not want it any more.
pub(super) type Tell = oneshot::Sender<Result<Ended, String>>;

#[derive(Debug, Clone, Copy)]
enum Operation {
    Write,
    Eof,
    Read,
    ReadStderr,
    KeepAlive,
    Close,
}

/// What came of an operation.
enum Came {
    /// Something was done.
    Moved,
    /// Nothing is to be done just now.
    Idle,
    /// It waits for the socket to take more.
    Blocked,
    /// The other end has closed the channel.
    Closed,
}

pub(super) struct Pump<'a> {
    session: &'a Session,
    channel: Channel,
    local: UnixStream,
    stderr: &'a Tail,
    /// From the other machine to here, as far as not delivered.
    outward: Vec<u8>,
    /// From here to the other machine, as far as not sent.
    inward: Vec<u8>,
    /// Nothing more comes from here.
    local_ended: bool,
    /// Nobody here takes anything any more.
    local_gone: bool,
    eof_sent: bool,
    remote_ended: bool,
    local_shut: bool,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        session: &'a Session,
        channel: Channel,
        local: UnixStream,
        stderr: &'a Tail,
    ) -> Self {
        Self {
            session,
            channel,
            local,
            stderr,
            outward: Vec::new(),
            inward: Vec::new(),
            local_ended: false,
            local_gone: false,
            eof_sent: false,
            remote_ended: false,
            local_shut: false,
        }
    }

    /// Runs until the channel is closed. The error is that the connection broke, or that nobody wants it any more.
    pub(super) async fn run(
        mut self,
        socket: &UnixStream,
        tell: &mut Tell,
    ) -> Result<Ended, String> {
        const ALL: [Operation; 6] = [
            Operation::Write,
            Operation::Eof,
            Operation::Read,
            Operation::ReadStderr,
            Operation::KeepAlive,
            Operation::Close,
        ];
        let mut pending = None;
        loop {
            if tell.is_closed() {
                return Err("it was given up".to_owned());
            }
            let mut moved = self.with_local().map_err(|error| error.to_string())?;
            for operation in pending.take().into_iter().chain(ALL) {
                match self.attempt(operation).map_err(|error| error.to_string())? {
                    Came::Moved => moved = true,
                    Came::Idle => {}
                    Came::Blocked => {
                        pending = Some(operation);
                        break;
                    }
                    Came::Closed => return Ok(self.ended()),
                }
            }
            if !moved {
                self.wait(socket, tell, pending.is_some()).await?;
            }
        }
    }

    fn ended(&self) -> Ended {
        Ended {
            status: self.channel.exit_status().unwrap_or(-1),
            signal: self
                .channel
                .exit_signal()
                .ok()
                .and_then(|signal| signal.exit_signal),
        }
    }

    fn attempt(&mut self, operation: Operation) -> io::Result<Came> {
        let done = match operation {
            Operation::Write if !self.inward.is_empty() => {
                self.channel.write(&self.inward).map(|count| {
                    self.inward.drain(..count);
                    count > 0
                })
            }
            Operation::Eof if self.local_ended && self.inward.is_empty() && !self.eof_sent => {
                self.channel.send_eof().map_err(io::Error::from).map(|()| {
                    self.eof_sent = true;
                    true
                })
            }
            Operation::Read if self.outward.is_empty() && !self.remote_ended => {
                self.outward.resize(PIECE, 0);
                let read = self.channel.read(&mut self.outward);
                self.outward.truncate(*read.as_ref().unwrap_or(&0));
                let ended = self.channel.eof();
                read.map(|count| {
                    self.remote_ended = count == 0 && ended;
                    count > 0 || self.remote_ended
                })
            }
            Operation::ReadStderr if !self.remote_ended => {
                let mut piece = [0; 4096];
                self.channel.stderr().read(&mut piece).map(|count| {
                    self.stderr.add(&piece[..count]);
                    count > 0
                })
            }
            Operation::KeepAlive => self
                .session
                .keepalive_send()
                .map_err(io::Error::from)
                .map(|_| false),
            Operation::Close if self.remote_ended && self.outward.is_empty() => {
                match self.channel.wait_close().map_err(io::Error::from) {
                    Ok(()) => return Ok(Came::Closed),
                    Err(error) => Err(error),
                }
            }
            Operation::Write
            | Operation::Eof
            | Operation::Read
            | Operation::ReadStderr
            | Operation::Close => Ok(false),
        };
        match done {
            Ok(true) => Ok(Came::Moved),
            Ok(false) => Ok(Came::Idle),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                match self.session.block_directions() {
                    BlockDirections::Outbound | BlockDirections::Both => Ok(Came::Blocked),
                    BlockDirections::Inbound | BlockDirections::None => Ok(Came::Idle),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// What can be done with the local socket at once.
    fn with_local(&mut self) -> io::Result<bool> {
        let mut moved = false;
        if self.inward.is_empty() && !self.local_ended {
            self.inward.resize(PIECE, 0);
            let read = self.local.try_read(&mut self.inward);
            self.inward.truncate(*read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => {
                    self.local_ended = true;
                    moved = true;
                }
                Ok(_) => moved = true,
                Err(error) if is_later(&error) => {}
                Err(_) => self.local_ended = true,
            }
        }
        if !self.outward.is_empty() {
            match self.local.try_write(&self.outward) {
                _ if self.local_gone => self.outward.clear(),
                Ok(count) => {
                    self.outward.drain(..count);
                    moved = true;
                }
                Err(error) if is_later(&error) => {}
                Err(_) => {
                    self.local_gone = true;
                    self.outward.clear();
                    moved = true;
                }
            }
        }
        if self.remote_ended && self.outward.is_empty() && !self.local_shut {
            self.local_shut = true;
            // It may be gone already.
            let _ = SockRef::from(&self.local).shutdown(Shutdown::Write);
        }
        Ok(moved)
    }

    /// Waits until there may be something to do.
    async fn wait(
        &self,
        socket: &UnixStream,
        tell: &mut Tell,
        to_send: bool,
    ) -> Result<(), String> {
        let something = poll_fn(|context| self.poll(context, socket, tell, to_send));
        match tokio::time::timeout(LOOK, something).await {
            Ok(Err(error)) => Err(error.to_string()),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    fn poll(
        &self,
        context: &mut Context<'_>,
        socket: &UnixStream,
        tell: &mut Tell,
        to_send: bool,
    ) -> Poll<io::Result<()>> {
        if tell.poll_closed(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        // Cleared before it is looked at: what comes from then on is told anew.
        if socket.poll_read_ready(context)?.is_ready() {
            forget(socket, Interest::READABLE);
            return Poll::Ready(Ok(()));
        }
        if to_send && socket.poll_write_ready(context)?.is_ready() {
            forget(socket, Interest::WRITABLE);
            return Poll::Ready(Ok(()));
        }
        if self.inward.is_empty()
            && !self.local_ended
            && self.local.poll_read_ready(context)?.is_ready()
        {
            return Poll::Ready(Ok(()));
        }
        if !self.outward.is_empty() && self.local.poll_write_ready(context)?.is_ready() {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

/// Forgets that the socket is ready, so that it is told when it is so again.
fn forget(socket: &UnixStream, interest: Interest) {
    // The error is the one that is made here.
    let _ = socket.try_io(interest, || Err::<(), _>(ErrorKind::WouldBlock.into()));
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
