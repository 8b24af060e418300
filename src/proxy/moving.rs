//! A body that shows that it moves.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;

/// A body, and who is told whenever something of it has gone.
pub struct Moving {
    body: Body,
    moved: Arc<Notify>,
}

impl Moving {
    /// The body, and what is told of it.
    pub fn new(body: Body) -> (Self, Arc<Notify>) {
        let moved = Arc::<Notify>::default();
        let told = Arc::clone(&moved);
        (Self { body, moved }, told)
    }
}

/// Ends once nothing has moved for so long.
pub async fn still(moved: Arc<Notify>, longest: Duration) {
    while tokio::time::timeout(longest, moved.notified())
        .await
        .is_ok()
    {}
}

impl HttpBody for Moving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // Also at its end: from there on the other side thinks.
        self.moved.notify_one();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
