//! What is known of a connection: what it waits for, since when, and what it is told to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use super::scarce::Scarce;

/// The time, in ticks. Counted by one task, so that looking at it costs a request nothing.
#[derive(Debug, Default)]
pub struct Clock(AtomicU32);

impl Clock {
    /// The current tick.
    pub fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// One tick later.
    pub fn advance(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No byte of a request is here.
    Idle,
    /// The head of a request has begun to arrive.
    Head,
    /// A request is being answered.
    Busy,
    /// It is no longer HTTP's: a WebSocket, which may be silent for as long as it likes.
    Upgraded,
}

/// What a connection is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// To go on.
    Serve,
    /// To end the request in hand and take no other.
    Finish,
    /// To end at once.
    End,
}

/// One connection. Its own task alone writes, but for the order.
#[derive(Debug)]
pub struct Record {
    clock: Arc<Clock>,
    phase: AtomicU8,
    since: AtomicU32,
    moved: AtomicU32,
    upgraded: AtomicBool,
    body_awaited: AtomicBool,
    write_awaited: AtomicBool,
    /// What the client must take of the answer in hand, in bytes a second, where that holds something scarce; else nothing.
    least: AtomicU64,
    order: AtomicU8,
    task: AtomicWaker,
}

impl Record {
    /// A connection that has just been taken.
    pub fn new(clock: Arc<Clock>) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Idle as u8),
            since: AtomicU32::new(clock.now()),
            moved: AtomicU32::new(0),
            upgraded: AtomicBool::new(false),
            body_awaited: AtomicBool::new(false),
            write_awaited: AtomicBool::new(false),
            least: AtomicU64::new(0),
            order: AtomicU8::new(Order::Serve as u8),
            task: AtomicWaker::new(),
            clock,
        }
    }

    /// How far it is. An answer that its client has not taken yet is still in hand.
    pub fn phase(&self) -> Phase {
        if self.is_upgraded() {
            return Phase::Upgraded;
        }
        match self.write_awaited.load(Ordering::Relaxed) {
            true => Phase::Busy,
            false => self.entered(),
        }
    }

    fn entered(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            phase if phase == Phase::Idle as u8 => Phase::Idle,
            phase if phase == Phase::Head as u8 => Phase::Head,
            _ => Phase::Busy,
        }
    }

    /// It has changed to another protocol, and does not change back.
    pub fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    /// Whether it has changed to another protocol.
    pub fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// It is now so far. The moment is written first: who sees the new phase sees no older moment.
    pub fn enter(&self, phase: Phase) {
        self.since.store(self.clock.now(), Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// The tick at which it came so far.
    pub fn since(&self) -> u32 {
        self.since.load(Ordering::Relaxed)
    }

    /// Bytes that went either way since the beginning; wraps around.
    pub fn moved(&self) -> u32 {
        self.moved.load(Ordering::Relaxed)
    }

    /// So many bytes have come in.
    pub fn arrived(&self, bytes: usize) {
        self.count(bytes);
        if bytes > 0 && self.entered() == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// What came of writing: without anything, the client must take what is on its way first.
    pub fn wrote(&self, outcome: &Poll<std::io::Result<usize>>) {
        let awaited = outcome.is_pending();
        if self.write_awaited.load(Ordering::Relaxed) && !awaited && self.entered() == Phase::Idle {
            // The next request is waited for from now on.
            self.enter(Phase::Idle);
        }
        self.write_awaited.store(awaited, Ordering::Relaxed);
        if let Poll::Ready(Ok(bytes)) = outcome {
            self.count(*bytes);
        }
    }

    /// Whether the request in hand cannot go on before the client sends more of its body.
    pub fn awaits_body(&self, awaited: bool) {
        self.body_awaited.store(awaited, Ordering::Relaxed);
    }

    /// Whether the request in hand cannot go on before the client sends or takes something.
    pub fn awaits_client(&self) -> bool {
        self.body_awaited.load(Ordering::Relaxed) || self.awaits_write()
    }

    /// What the answer in hand holds until its client has taken it, where that is something scarce.
    pub fn holds_scarce(&self, scarce: Option<Scarce>) {
        let least = scarce.map_or(0, Scarce::least);
        self.least.store(least, Ordering::Relaxed);
    }

    /// What its client must take in that case, in bytes a second.
    pub fn least(&self) -> Option<u64> {
        let least = self.least.load(Ordering::Relaxed);
        (least > 0).then_some(least)
    }

    /// Whether the client must take something before more can be written.
    pub fn awaits_write(&self) -> bool {
        self.write_awaited.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: usize) {
        // Truncated: what counts is the difference of two moments, and that is smaller.
        let moved = self.moved().wrapping_add(bytes as u32);
        self.moved.store(moved, Ordering::Relaxed);
    }

    /// Tells the connection's task what to do. An order is never taken back.
    pub fn tell(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::AcqRel);
        self.task.wake();
    }

    /// What the connection's task has been told; it is woken at the next order.
    pub fn told(&self, cx: &Context<'_>) -> Order {
        self.task.register(cx.waker());
        self.order()
    }

    /// What the connection's task has been told.
    pub fn order(&self) -> Order {
        match self.order.load(Ordering::Acquire) {
            order if order == Order::Serve as u8 => Order::Serve,
            order if order == Order::Finish as u8 => Order::Finish,
            _ => Order::End,
        }
    }
}
