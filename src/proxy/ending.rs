//! A body that is cut off when it has to end.

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};

/// A body, and what ends it before its time. Its other end sees that it is not whole.
pub struct Ending<E> {
    body: Incoming,
    /// Nothing any more once it is over: what is over is not asked again.
    end: Option<Pin<Box<E>>>,
}

impl<E> Ending<E> {
    /// The body, until `end` is over.
    pub fn new(body: Incoming, end: Pin<Box<E>>) -> Self {
        let end = Some(end);
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
        // Before the body: one that always has more would never let it have its turn.
        let over = match self.end.as_mut() {
            Some(end) => end.as_mut().poll(cx).is_ready(),
            None => true,
        };
        if over {
            self.end = None;
            let over = Error::new(ErrorKind::ConnectionAborted, "it is open no more");
            return Poll::Ready(Some(Err(axum::Error::new(over))));
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map_err(axum::Error::new)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
