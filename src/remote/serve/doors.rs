//! Which ports answer, seen from here.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::remote::protocol::Door;

/// How long a port may take to answer.
const TO_ANSWER: Duration = Duration::from_secs(2);
/// How many are tried side by side.
const SIDE_BY_SIDE: usize = 64;

/// Tries them all, and answers in their order.
pub(super) async fn tried(addresses: &[SocketAddr]) -> Vec<Door> {
    let each = addresses.iter().map(|address| async move {
        match timeout(TO_ANSWER, TcpStream::connect(address)).await {
            Ok(Ok(_)) => Door::Open,
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Door::Closed,
            Ok(Err(_)) | Err(_) => Door::Filtered,
        }
    });
    futures_util::stream::iter(each)
        .buffered(SIDE_BY_SIDE)
        .collect()
        .await
}
