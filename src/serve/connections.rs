//! The connections of a server: how many there may be, how long each may keep us waiting, and which of them goes
//! when there are too many.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::peer::PEER;
use super::record::{Clock, Order, Phase, Record};
use super::scarce::{Behind, GRACE as GRACE_OF_SCARCE, Scarce};
use super::stream::{Arriving, Leaving, Stream};

/// The largest head of a request, in bytes: its first line and its headers. v0.2's server takes 16 KiB.
const MAX_HEAD: usize = 32 * 1024;
/// What is read of a body or kept of an answer at once, in bytes.
const BUFFER: usize = 64 * 1024;
/// A client that is waited for shows that it is there by sending or taking so many bytes.
const PROGRESS: u32 = 1024;
/// Of those that may go, one in so many goes at once: looking for them is then paid for by as many new connections.
const EVICTED_AT_ONCE: usize = 64;

/// Ticks in which a request can come before its connection has to go for another: one whole tick for sure.
const GRACE: u32 = 2;

/// How many clients there may be, and how long they may keep a server waiting.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// The unit of the others.
    pub tick: Duration,
    /// Ticks from a request's first byte to the end of its head.
    pub head: u32,
    /// Ticks without any request. More than the 90 seconds for which the gateway keeps a connection, so that it is
    /// the gateway that ends one, and never while a request is on its way.
    pub idle: u32,
    /// Ticks in which a client sends or takes less than a KiB of what it is waited for. Of an answer that is [`Scarce`] it has to
    /// take more.
    pub stall: u32,
}

impl Limits {
    /// The limits of a server that may have so many descriptors open; `None` is without limit. Some are taken at the
    /// start, and a quarter of the others is for files.
    pub fn usual(descriptors: Option<u64>) -> Self {
        const MOST: u64 = 16 * 1024;
        const TAKEN: u64 = 16;
        let free = descriptors.unwrap_or(u64::MAX).saturating_sub(TAKEN);
        let connections = (free / 4 * 3).clamp(4, MOST);
        Self {
            connections: usize::try_from(connections).unwrap_or(usize::MAX),
            tick: Duration::from_millis(250),
            head: 30 * 4,
            idle: 120 * 4,
            stall: 120 * 4,
        }
    }
}

/// A connection, and how long it has been waited for without progress.
#[derive(Debug)]
struct Watched {
    record: Arc<Record>,
    waited: u32,
    moved: u32,
    /// What had moved at the tick before.
    before: u32,
    behind: Behind,
}

/// The connections of one server.
#[derive(Debug)]
pub struct Connections {
    limits: Limits,
    clock: Arc<Clock>,
    slots: Arc<Semaphore>,
    all: Mutex<HashMap<u64, Watched>>,
}

impl Connections {
    /// None yet.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            clock: Arc::default(),
            slots: Arc::new(Semaphore::new(limits.connections)),
            all: Mutex::default(),
        })
    }

    /// Takes connections and serves them, each in a task of its own. Does not end; to stop taking them, drop it.
    pub async fn take(self: &Arc<Self>, listener: TcpListener, app: Router) {
        for number in 0.. {
            let (connection, address) = loop {
                match listener.accept().await {
                    Ok(taken) => break taken,
                    Err(error) => self.refused(error.kind()).await,
                }
            };
            let slot = self.slot().await;
            // Answers are small; without this they may wait for the other side's acknowledgement. Where it fails it
            // only costs time.
            drop(connection.set_nodelay(true));
            let record = Arc::new(Record::new(self.clock.clone()));
            let watched = Watched::new(record.clone());
            self.with(|all| all.insert(number, watched));
            let guard = Guard {
                connections: self.clone(),
                number,
                _slot: slot,
            };
            let app = app.clone();
            tokio::spawn(PEER.scope(address.ip(), async move {
                serve(connection, record, app, guard).await;
            }));
        }
    }

    /// Room for one more. Where there is none, those that have been waited for longest have to go; those at work do
    /// not.
    async fn slot(&self) -> OwnedSemaphorePermit {
        loop {
            // Closed is what nobody does to it.
            if let Ok(slot) = self.slots.clone().try_acquire_owned() {
                return slot;
            }
            self.evict();
            tokio::select! {
                Ok(slot) = self.slots.clone().acquire_owned() => return slot,
                () = tokio::time::sleep(self.limits.tick) => {}
            }
        }
    }

    /// What to do when a connection could not be taken: when it broke off by itself, nothing; else there are no
    /// descriptors or no memory, and trying again at once would only keep the processor busy.
    async fn refused(&self, error: ErrorKind) {
        use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        if !matches!(
            error,
            ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
        ) {
            self.evict();
            tokio::time::sleep(self.limits.tick / 10).await;
        }
    }

    /// Ends some of the connections that no request has come from for longest, and for [`GRACE`] at least.
    fn evict(&self) {
        let now = self.clock.now();
        let age = |record: &&Arc<Record>| now.wrapping_sub(record.since());
        self.with(|all| {
            let mut waiting: Vec<&Arc<Record>> = all
                .values()
                .map(|watched| &watched.record)
                .filter(|record| match record.phase() {
                    Phase::Idle | Phase::Head => age(record) >= GRACE,
                    Phase::Busy | Phase::Upgraded => false,
                })
                .collect();
            if waiting.is_empty() {
                return;
            }
            let some = waiting.len().div_ceil(EVICTED_AT_ONCE);
            waiting.select_nth_unstable_by_key(some - 1, |record| std::cmp::Reverse(age(record)));
            for record in &waiting[..some] {
                record.tell(Order::End);
            }
        });
    }

    /// Counts the time, and ends the connections that have kept us waiting for too long. Does not end.
    pub async fn watch(&self) {
        let mut ticks = tokio::time::interval(self.limits.tick);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tick();
        }
    }

    fn tick(&self) {
        self.clock.advance();
        let now = self.clock.now();
        self.with(|all| {
            for watched in all.values_mut() {
                if watched.is_over(now, &self.limits) {
                    watched.record.tell(Order::End);
                }
            }
        });
    }

    /// Lets every connection end the request in hand; done when all have.
    pub async fn finish(&self) {
        self.with(|all| {
            for watched in all.values() {
                watched.record.tell(Order::Finish);
            }
        });
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        // Closed is what nobody does to it.
        let _ = self.slots.acquire_many(all).await;
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<u64, Watched>) -> T) -> T {
        work(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watched {
    fn new(record: Arc<Record>) -> Self {
        Self {
            record,
            waited: 0,
            moved: 0,
            before: 0,
            behind: Behind::default(),
        }
    }

    /// Looks at it, once a tick: whether it has been waited for too long.
    fn is_over(&mut self, now: u32, limits: &Limits) -> bool {
        if self.keeps_from_others(limits) {
            return true;
        }
        let age = || now.wrapping_sub(self.record.since());
        match self.record.phase() {
            Phase::Upgraded => false,
            Phase::Idle => age() > limits.idle,
            Phase::Head => age() > limits.head,
            Phase::Busy => {
                let moved = self.record.moved();
                if moved.wrapping_sub(self.moved) >= PROGRESS {
                    (self.moved, self.waited) = (moved, 0);
                } else if self.record.awaits_client() {
                    self.waited += 1;
                }
                self.waited > limits.stall
            }
        }
    }

    /// Whether it takes too little of what others could use.
    fn keeps_from_others(&mut self, limits: &Limits) -> bool {
        let moved = self.record.moved();
        let taken = moved.wrapping_sub(std::mem::replace(&mut self.before, moved));
        let Some(least) = self.record.least() else {
            self.behind = Behind::default();
            return false;
        };
        let waited = match self.record.awaits_write() {
            true => u64::try_from(limits.tick.as_millis()).unwrap_or(u64::MAX),
            false => 0,
        };
        self.behind
            .count(taken.into(), waited, least, GRACE_OF_SCARCE)
    }
}

/// A connection's place among the others, until it ends in whichever way.
struct Guard {
    connections: Arc<Connections>,
    number: u64,
    _slot: OwnedSemaphorePermit,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.connections.with(|all| all.remove(&self.number));
    }
}

async fn serve(connection: TcpStream, record: Arc<Record>, app: Router, guard: Guard) {
    let app = TowerToHyperService::new(app);
    let service = service_fn(|request: Request<Incoming>| {
        record.enter(Phase::Busy);
        let record = record.clone();
        let request = request.map(|body| match body.is_end_stream() {
            true => Body::empty(),
            false => Body::new(Arriving::new(body, record.clone())),
        });
        let answer = app.call(request);
        async move {
            let answer: Response = answer.await?;
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                record.upgrade();
            }
            record.holds_scarce(answer.extensions().get::<Scarce>().copied());
            Ok::<_, Infallible>(answer.map(|body| Leaving::new(body, record)))
        }
    });
    let stream = TokioIo::new(Stream::new(connection, record.clone(), guard));
    // How long a head may take is watched for all connections at once, which costs a request nothing.
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(MAX_HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    poll_fn(|cx| {
        match record.told(cx) {
            Order::Serve => {}
            Order::Finish => connection.as_mut().graceful_shutdown(),
            Order::End => return Poll::Ready(()),
        }
        // An error is the client's: there is nobody to tell.
        connection.as_mut().poll(cx).map(drop)
    })
    .await;
}
