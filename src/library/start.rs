//! What must be right before the server can start. All that is wrong is told at once.

use std::net::SocketAddr;
use std::path::Path;

use tokio::net::TcpListener;

use crate::error::{Failure, failure_of};
use crate::serve;

use super::config::{Settings, Wrong};
use super::gate::Gate;

/// Everything that the server needs from outside.
pub struct Ready {
    /// Its settings.
    pub settings: Settings,
    /// Who may ask.
    pub gate: Gate,
    /// Where it listens.
    pub listener: TcpListener,
}

/// Reads the settings and takes the address: `listen`, or `127.0.0.1` and the settings' port.
///
/// # Errors
/// Whatever keeps the server from starting: what is wrong with the gate, each wrong setting, an address that is taken.
pub async fn prepare(
    env_file: Option<&Path>,
    listen: Option<SocketAddr>,
    gate: anyhow::Result<Gate>,
) -> anyhow::Result<Ready> {
    let settings = Settings::read(env_file);
    let port = match &settings {
        Ok(settings) => Some(settings.port),
        Err(Wrong { port, .. }) => *port,
    };
    let address = listen.or(port.map(|port| SocketAddr::from(([127, 0, 0, 1], port))));
    let listener = match address {
        Some(address) => serve::listen("the library server", address).await.map(Some),
        None => Ok(None),
    };
    match (settings, gate, listener) {
        (Ok(settings), Ok(gate), Ok(Some(listener))) => Ok(Ready {
            settings,
            gate,
            listener,
        }),
        (settings, gate, listener) => {
            let wrong = settings.err().map_or_else(Vec::new, |wrong| wrong.problems);
            let failures = [gate.err(), listener.err()].into_iter().flatten();
            Err(all_at_once(failures.collect(), wrong))
        }
    }
}

fn all_at_once(mut failures: Vec<anyhow::Error>, settings: Vec<String>) -> anyhow::Error {
    if settings.is_empty() && failures.len() == 1 {
        return failures.remove(0);
    }
    let heading = match (failures.len(), settings.len()) {
        (0, 1) => "a setting of the library server is wrong".to_owned(),
        (0, count) => format!("{count} settings of the library server are wrong"),
        (others, count) => {
            let count = others + count;
            format!("{count} things keep the library server from starting")
        }
    };
    let all: Vec<String> = failures.iter().map(in_a_line).chain(settings).collect();
    let list: String = all.iter().map(|one| format!("\n  {one}")).collect();
    Failure::usage(format!("{heading}:{list}")).into()
}

fn in_a_line(error: &anyhow::Error) -> String {
    match failure_of(error).and_then(Failure::remedy) {
        Some(hint) => format!("{error:#}; {hint}"),
        None => format!("{error:#}"),
    }
}
