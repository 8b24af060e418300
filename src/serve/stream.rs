//! A connection's bytes and bodies on their way through, each noted in its record.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::record::{Order, Phase, Record};

/// A connection whose record knows what goes through it.
///
/// One that has changed to another protocol outlives the server's work on it, and takes its place among the others along.
pub struct Stream<P> {
    connection: TcpStream,
    record: Arc<Record>,
    _place: P,
}

impl<P> Stream<P> {
    /// The connection with its record, and its place.
    pub fn new(connection: TcpStream, record: Arc<Record>, place: P) -> Self {
        Self {
            connection,
            record,
            _place: place,
        }
    }
}

impl<P: Unpin> AsyncRead for Stream<P> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.record.is_upgraded() {
            match self.record.told(cx) {
                Order::Serve => {}
                // As if the client had gone.
                Order::Finish | Order::End => return Poll::Ready(Ok(())),
            }
        }
        let before = into.filled().len();
        let outcome = Pin::new(&mut self.connection).poll_read(cx, into);
        self.record.arrived(into.filled().len() - before);
        outcome
    }
}

impl<P: Unpin> AsyncWrite for Stream<P> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.connection).poll_write(cx, bytes);
        self.record.wrote(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.connection).poll_write_vectored(cx, pieces);
        self.record.wrote(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}

/// The body of a request.
pub struct Arriving {
    body: Incoming,
    record: Arc<Record>,
}

impl Arriving {
    /// The body with the record of its connection.
    pub fn new(body: Incoming, record: Arc<Record>) -> Self {
        Self { body, record }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let outcome = Pin::new(&mut self.body).poll_frame(cx);
        self.record.awaits_body(outcome.is_pending());
        outcome
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.record.awaits_body(false);
    }
}

/// The body of an answer. Once it is gone, the connection waits for its next request.
pub struct Leaving {
    body: Body,
    record: Arc<Record>,
}

impl Leaving {
    /// The body with the record of its connection.
    pub fn new(body: Body, record: Arc<Record>) -> Self {
        Self { body, record }
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.record.enter(Phase::Idle);
    }
}
