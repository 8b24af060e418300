//! A network that can be cut without a word: a TCP proxy that stops forwarding and does not close.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

pub struct Wire {
    pub port: u16,
    cut: Arc<AtomicBool>,
    carried: Arc<AtomicU64>,
}

impl Wire {
    /// One that leads to a loopback port.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self {
            port: listener.local_addr().unwrap().port(),
            cut: Arc::default(),
            carried: Arc::default(),
        };
        let (cut, carried) = (Arc::clone(&wire.cut), Arc::clone(&wire.carried));
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let Ok(near) = near else { return };
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                for (mut from, mut to) in [
                    (near.try_clone().unwrap(), far.try_clone().unwrap()),
                    (far, near),
                ] {
                    let (cut, carried) = (Arc::clone(&cut), Arc::clone(&carried));
                    std::thread::spawn(move || carry(&mut from, &mut to, &cut, &carried));
                }
            }
        });
        wire
    }

    /// From here on nothing is carried any more, in neither direction.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// How many bytes were carried, both ways together.
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::SeqCst)
    }
}

fn carry(from: &mut TcpStream, to: &mut TcpStream, cut: &AtomicBool, carried: &AtomicU64) {
    let mut piece = [0; 16384];
    loop {
        let count = from.read(&mut piece).unwrap_or(0);
        while cut.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(100));
        }
        if count == 0 || to.write_all(&piece[..count]).is_err() {
            let _ = to.shutdown(std::net::Shutdown::Both);
            return;
        }
        carried.fetch_add(count as u64, Ordering::SeqCst);
    }
}
