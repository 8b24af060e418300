//! Whether ports can be reached from where one stands: a firewall between is seen by nothing but trying.

use std::io::ErrorKind;
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::platform::desired::{Attachment, Component, Desired};

/// How long a door may take to open.
const PATIENCE: Duration = Duration::from_secs(3);

/// A TCP port of a machine that the outside is to reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What listens there.
    pub component: Component,
}

/// The doors of a machine that users call `host`: what its containers are to listen on, but for loopback.
pub fn of(desired: &Desired, host: &str) -> Vec<Door> {
    let outside = desired
        .containers
        .iter()
        .filter(|container| container.running && matches!(container.network, Attachment::Host));
    outside
        .flat_map(|container| {
            let ports = container.listens.iter();
            ports
                .filter(|address| !address.ip().is_loopback())
                .map(|address| Door {
                    host: host.to_owned(),
                    port: address.port(),
                    component: container.component,
                })
        })
        .collect()
}

/// Tries doors side by side; answers why each is closed, in their order, or `None` where it is open.
pub async fn closed(doors: &[Door]) -> Vec<Option<String>> {
    join_all(doors.iter().map(|door| async {
        let opened = TcpStream::connect((door.host.as_str(), door.port));
        match tokio::time::timeout(PATIENCE, opened).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(match error.kind() {
                ErrorKind::ConnectionRefused => {
                    "nothing listens there, or it is refused".to_owned()
                }
                _ => error.to_string(),
            }),
            Err(_) => Some(format!(
                "no answer within {} s: a firewall is in the way, or the machine is down",
                PATIENCE.as_secs()
            )),
        }
    }))
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_door_is_open_where_somebody_listens() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap().port();
        let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shut = other.local_addr().unwrap().port();
        drop(other);
        let door = |port| Door {
            host: "127.0.0.1".to_owned(),
            port,
            component: Component::RabbitMq,
        };

        assert_eq!(
            closed(&[door(open), door(shut)]).await,
            [
                None,
                Some("nothing listens there, or it is refused".to_owned())
            ]
        );
    }
}
