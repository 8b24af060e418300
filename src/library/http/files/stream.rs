//! Bodies that are made piece by piece, on threads where waiting for the disk hinders nobody: never more than one piece on
//! its way and another one ready.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::super::super::contain::Root;
use super::super::super::flow::Turn;
use super::super::super::local::Local;
use super::super::super::whose::Whose;

/// Pieces of one body that are in memory at once.
const PIECES: usize = 2;

/// What makes a body.
pub trait Pieces: Send + 'static {
    /// The next piece, of about `size` bytes and not empty; `None` at the end.
    ///
    /// # Errors
    ///
    /// That the body cannot be made whole: its client sees it end short.
    fn next(&mut self, size: usize) -> io::Result<Option<Vec<u8>>>;
}

/// A body of such pieces, for somebody. The work ends soon after whoever reads it is gone. `cut` is called when it cannot be made whole.
pub fn body(
    local: &Local,
    whose: Whose,
    turn: Turn,
    pieces: impl Pieces,
    cut: impl FnOnce(&io::Error) + Send + 'static,
) -> Body {
    let (sender, mut receiver) = mpsc::channel(PIECES);
    let local = local.clone();
    tokio::spawn(async move {
        let made = make((&local, whose), &turn, pieces, &sender).await;
        if let Err(error) = made {
            cut(&error);
            // An error ends the connection. Nobody may be left to hear of it.
            let _ = sender.send(Err(error)).await;
        }
    });
    Body::from_stream(stream::poll_fn(move |cx| receiver.poll_recv(cx)))
}

async fn make(
    (local, whose): (&Local, Whose),
    turn: &Turn,
    mut pieces: impl Pieces,
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(PIECES));
    loop {
        let permit = tokio::select! {
            permit = room.clone().acquire_owned() => permit.map_err(io::Error::other)?,
            () = sender.closed() => return Ok(()),
        };
        let size = turn.chunk();
        let next = move |_: &Root| (pieces.next(size), pieces);
        let made = local.off_thread(whose, next).await;
        let Some((piece, rest)) = made else {
            return Err(io::Error::other("the server is stopping"));
        };
        pieces = rest;
        let Some(bytes) = piece? else {
            return Ok(());
        };
        let piece = Piece {
            bytes,
            _room: permit,
        };
        if sender.send(Ok(Bytes::from_owner(piece))).await.is_err() {
            return Ok(());
        }
    }
}

/// A piece on its way. Its room is free again once the last of it has been passed to the kernel.
struct Piece {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
