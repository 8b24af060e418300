//! A socket in front of the real docker engine, at which requests can be made to fail.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What becomes of a request instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends without a word.
    Cut,
    /// An answer that begins and does not end.
    Half,
    /// An answer that says that the engine failed.
    Fails,
    /// Nothing, and the connection stays.
    Hangs,
}

/// Which requests have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one of this number, counted from 0.
    Only(usize),
    /// It and all that follow.
    From(usize),
    /// The first whose line holds this.
    First(&'static str),
}

/// The socket. It is gone when dropped; requests in hand go on.
pub struct Proxy {
    directory: tempfile::TempDir,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    seen: Vec<String>,
    plan: Option<(Fault, Which)>,
}

impl Proxy {
    /// One that passes everything on.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("docker.sock")).unwrap();
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let shared = shared.clone();
                std::thread::spawn(move || {
                    // A connection that breaks is what this is for.
                    let _ = serve(stream, &shared);
                });
            }
        });
        Self { directory, state }
    }

    /// Where it listens, as `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Its path.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// Lets requests fail from now on, and counts them anew.
    pub fn fail(&self, fault: Fault, which: Which) {
        *self.state.lock().unwrap() = State {
            seen: Vec::new(),
            plan: Some((fault, which)),
        };
    }

    /// The first lines of the requests since then.
    pub fn seen(&self) -> Vec<String> {
        self.state.lock().unwrap().seen.clone()
    }
}

impl State {
    /// Counts a request, and answers what becomes of it.
    fn next(&mut self, line: &str) -> Option<Fault> {
        let number = self.seen.len();
        let before = self.seen.clone();
        self.seen.push(line.to_owned());
        let (fault, which) = self.plan?;
        let hit = match which {
            Which::Only(at) => number == at,
            Which::From(at) => number >= at,
            Which::First(part) => {
                line.contains(part) && !before.iter().any(|line| line.contains(part))
            }
        };
        hit.then_some(fault)
    }
}

/// One request: the engine is told to end the connection after it, so each has a connection of its own.
fn serve(mut client: UnixStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let (line, rest) = text.split_once("\r\n").unwrap_or((&text, ""));
    // Nobody else waits while this one hangs.
    let fault = state.lock().unwrap().next(line);
    match fault {
        None => {}
        Some(Fault::Cut) => return Ok(()),
        Some(Fault::Half) => {
            return client.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"Id\": \"",
            );
        }
        Some(Fault::Fails) => {
            let body = "{\"message\":\"the store is damaged\"}";
            return client.write_all(
                format!(
                    "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
                .as_bytes(),
            );
        }
        Some(Fault::Hangs) => loop {
            if client.read(&mut byte)? == 0 {
                return Ok(());
            }
        },
    }
    let mut engine = UnixStream::connect(Path::new("/var/run/docker.sock"))?;
    write!(engine, "{line}\r\nConnection: close\r\n{rest}")?;
    let (mut from, mut to) = (client.try_clone()?, engine.try_clone()?);
    std::thread::spawn(move || {
        // Whoever asked went away: the engine is not to go on for nobody.
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    std::io::copy(&mut engine, &mut client)?;
    client.shutdown(Shutdown::Both)
}
