//! A body that is cut off when it has to end.

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};

/// A body, and what ends it before its time. Its other end sees that it is not whole.
pub struct Ending<E> {
    body: Incoming,
    end: Pin<Box<E>>,
}

impl<E> Ending<E> {
    /// The body, until `end` is over.
    pub fn new(body: Incoming, end: Pin<Box<E>>) -> Self {
        Self { body, end }
    }
}

impl<E: Future<Output = ()>> HttpBody for Ending<E> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_pending() && self.end.as_mut().poll(cx).is_ready() {
            let over = Error::new(ErrorKind::ConnectionAborted, "it is open no more");
            return Poll::Ready(Some(Err(axum::Error::new(over))));
        }
        frame.map(|frame| frame.map(|frame| frame.map_err(axum::Error::new)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
