//! A connection to a machine: a thread for each SSH session on the way, which is the only one that touches it.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::SockRef;
use ssh2::{Channel, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::error::Failure;
use crate::remote::asks::Asks;
use crate::remote::pump::{Ended, Pump, Tell};
use crate::remote::quote;
use crate::remote::session::{self, Opened};
use crate::remote::tail::Tail;
use crate::remote::target::Hop;

/// How long a short command may take.
const TO_RUN: Duration = Duration::from_secs(60);
/// How much of what a short command writes is kept.
const MOST: u64 = 1 << 20;
/// How often a session that has nothing to do is kept alive, in seconds.
const KEEP_ALIVE: u32 = 5;

/// Sessions through one another, the last of them with the machine. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct Connection {
    machine: String,
    orders: mpsc::UnboundedSender<Order>,
    /// What it goes through.
    _before: Vec<mpsc::UnboundedSender<Order>>,
}

/// A channel to be opened.
#[derive(Debug)]
struct Order {
    kind: Kind,
    local: StdStream,
    stderr: Arc<Tail>,
    begun: oneshot::Sender<Result<(), String>>,
    ended: Tell,
}

#[derive(Debug)]
enum Kind {
    /// A command, quoted.
    Run(String),
    /// A connection from there to a host and port.
    Lead(String, u16),
}

/// A command that runs.
pub(super) struct Running {
    /// Its standard input and output.
    pub(super) stream: UnixStream,
    /// The last of its standard error.
    pub(super) stderr: Arc<Tail>,
    /// How it ended, or how the connection did. Dropped, the connection is given up.
    pub(super) ended: oneshot::Receiver<Result<Ended, String>>,
}

/// What a short command came to.
pub(super) struct Output {
    pub(super) ended: Ended,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Connection {
    /// Connects through all hops, and logs in at each.
    pub(super) async fn open(hops: Vec<Hop>, machine: &str, asks: Arc<dyn Asks>) -> Result<Self> {
        let mut before: Vec<mpsc::UnboundedSender<Order>> = Vec::new();
        let mut wire = None;
        for hop in hops {
            if let Some(last) = before.last() {
                let kind = Kind::Lead(hop.host.clone(), hop.port);
                let (stream, _, ended) = order(last, kind).await.map_err(|why| {
                    Failure::new(format!(
                        "{machine}: the host on the way cannot connect to {hop}: {why}"
                    ))
                    .hint("is the machine switched on, and may that host reach it? try it there with ssh")
                })?;
                // Whether it is over shows on the wire itself.
                tokio::spawn(ended);
                wire = Some(OwnedFd::from(stream));
            }
            let (orders, taken) = mpsc::unbounded_channel();
            let (opened, is_open) = oneshot::channel();
            let (wire, asks, machine) = (wire.take(), Arc::clone(&asks), machine.to_owned());
            std::thread::Builder::new()
                .name(format!("ssh {machine}"))
                .spawn(move || live(wire, &hop, &machine, &*asks, opened, taken))
                .context("cannot start a thread for the connection")?;
            is_open.await.context("the connection's thread ended")??;
            before.push(orders);
        }
        let orders = before.pop().context("no host to connect to")?;
        Ok(Self {
            machine: machine.to_owned(),
            orders,
            _before: before,
        })
    }

    /// Starts a command.
    pub(super) async fn start<S: AsRef<str>>(&self, words: &[S]) -> Result<Running> {
        let kind = Kind::Run(quote::line(words)?);
        let (stream, stderr, ended) = order(&self.orders, kind)
            .await
            .map_err(|why| self.lost(&why))?;
        let stream = stream
            .set_nonblocking(true)
            .and_then(|()| UnixStream::from_std(stream))
            .context("cannot talk with the connection's thread")?;
        Ok(Running {
            stream,
            stderr,
            ended,
        })
    }

    /// Runs a short command to its end, with nothing on its standard input.
    pub(super) async fn run<S: AsRef<str>>(&self, words: &[S]) -> Result<Output> {
        let what = words
            .iter()
            .map(AsRef::as_ref)
            .collect::<Vec<_>>()
            .join(" ");
        let run = async {
            let mut running = self.start(words).await?;
            running.end_of_input().await;
            let mut text = Vec::new();
            (&mut running.stream)
                .take(MOST)
                .read_to_end(&mut text)
                .await
                .context("cannot read from the connection's thread")?;
            let stderr = Arc::clone(&running.stderr);
            let ended = running.came().await.map_err(|why| self.lost(&why))?;
            Ok(Output {
                ended,
                stdout: String::from_utf8_lossy(&text).into_owned(),
                stderr: stderr.lines(),
            })
        };
        match tokio::time::timeout(TO_RUN, run).await {
            Ok(output) => output,
            Err(_) => Err(Failure::new(format!(
                "{}: `{what}` did not end within {} s",
                self.machine,
                TO_RUN.as_secs()
            ))
            .hint("is the machine very busy, or its disk gone? look there, then run this again")
            .into()),
        }
    }

    /// That the connection broke before anything was begun there.
    pub(super) fn lost(&self, why: &str) -> anyhow::Error {
        Failure::new(format!("lost the connection to {}: {why}", self.machine))
            .hint("run the same again when the network is back")
            .into()
    }
}

impl Running {
    /// Nothing more is said to it.
    pub(super) async fn end_of_input(&mut self) {
        // One that has ended needs no telling.
        let _ = self.stream.shutdown().await;
    }

    /// How it ended.
    pub(super) async fn came(self) -> Result<Ended, String> {
        match self.ended.await {
            Ok(came) => came,
            Err(_) => Err(GONE.to_owned()),
        }
    }
}

pub(super) const GONE: &str = "it was closed";

type Begun = (
    StdStream,
    Arc<Tail>,
    oneshot::Receiver<Result<Ended, String>>,
);

/// Has a session's thread open a channel.
async fn order(orders: &mpsc::UnboundedSender<Order>, kind: Kind) -> Result<Begun, String> {
    let gone = |_| GONE.to_owned();
    let (ours, local) = StdStream::pair().map_err(|error| error.to_string())?;
    let (begun, has_begun) = oneshot::channel();
    let (ended, has_ended) = oneshot::channel();
    let stderr = Arc::new(Tail::default());
    let order = Order {
        kind,
        local,
        stderr: Arc::clone(&stderr),
        begun,
        ended,
    };
    orders.send(order).map_err(|_| GONE.to_owned())?;
    has_begun.await.map_err(gone)??;
    Ok((ours, stderr, has_ended))
}

/// The life of a session's thread.
fn live(
    wire: Option<OwnedFd>,
    hop: &Hop,
    machine: &str,
    asks: &dyn Asks,
    opened: oneshot::Sender<Result<()>>,
    orders: mpsc::UnboundedReceiver<Order>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a thread for the connection");
    let begun = runtime.and_then(|runtime| {
        let open = session::open(wire, hop, machine, asks)?;
        Ok((runtime, open))
    });
    let (runtime, Opened { session, socket }) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            // Nobody may be waiting any more.
            let _ = opened.send(Err(error));
            return;
        }
    };
    session.set_keepalive(true, KEEP_ALIVE);
    if opened.send(Ok(())).is_ok() {
        runtime.block_on(serve(&session, &socket, orders));
    }
    session.set_blocking(false);
    // A last word; where it cannot be said at once, the end of the connection says it.
    let _ = session.disconnect(None, "done", None);
    let _ = SockRef::from(&socket).shutdown(std::net::Shutdown::Both);
}

/// Does what is ordered, one thing after another, until nobody orders any more or the connection breaks.
async fn serve(session: &Session, socket: &OwnedFd, mut orders: mpsc::UnboundedReceiver<Order>) {
    // Whatever kind of socket it is: here it is only watched, and read and written by libssh2 alone.
    let watched = socket.try_clone().map(StdStream::from);
    let Ok(socket) = watched.and_then(UnixStream::from_std) else {
        return;
    };
    let mut alive = tokio::time::interval(Duration::from_secs(KEEP_ALIVE.into()));
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            _ = alive.tick() => {
                session.set_blocking(true);
                if session.keepalive_send().is_err() {
                    return;
                }
                continue;
            }
        };
        let Some(Order {
            kind,
            local,
            stderr,
            begun,
            mut ended,
        }) = order
        else {
            return;
        };
        session.set_blocking(true);
        let channel = open(session, &kind);
        session.set_blocking(false);
        let local = local
            .set_nonblocking(true)
            .and_then(|()| UnixStream::from_std(local));
        let (channel, local) = match (channel, local) {
            (Ok(channel), Ok(local)) => (channel, local),
            (Err(error), _) => {
                let _ = begun.send(Err(error.message().to_owned()));
                continue;
            }
            (_, Err(error)) => {
                let _ = begun.send(Err(error.to_string()));
                continue;
            }
        };
        if begun.send(Ok(())).is_err() {
            return;
        }
        let came = Pump::new(session, channel, local, &stderr)
            .run(&socket, &mut ended)
            .await;
        let is_over = came.is_err();
        let _ = ended.send(came);
        if is_over {
            return;
        }
    }
}

fn open(session: &Session, kind: &Kind) -> Result<Channel, ssh2::Error> {
    match kind {
        Kind::Run(line) => {
            let mut channel = session.channel_session()?;
            channel.exec(line)?;
            Ok(channel)
        }
        Kind::Lead(host, port) => session.channel_direct_tcpip(host, *port, None),
    }
}
