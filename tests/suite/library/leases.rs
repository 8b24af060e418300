//! A program may hold a lease on a file of its user's: nobody is kept waiting for it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::files_client::{Files, writable};
use super::fixture::{LIST, Library, READ, names, text};
use crate::rig::there_is;

/// A program with a lease; it ends with the test.
struct Held(Child);

impl Held {
    fn on(file: &Path) -> Self {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/library/lease.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(program)
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut said).unwrap();
        assert_eq!(said, "held\n");
        Self(child)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_file_with_a_lease_on_it_holds_nobody_up() {
    const TEST: &str = "library::leases::a_file_with_a_lease_on_it_holds_nobody_up";
    let python = "/usr/bin/python3";
    if !there_is(python, Path::new(python).exists(), TEST) {
        return;
    }
    // Given a file that was read before, and a lease on it from then on,
    let library = Library::new();
    library.write("alice/leased.txt", "x");
    let server = writable(&library);
    let ask = async || server.ask(READ, json!({"path": "alice/leased.txt"})).await;
    assert_eq!(text(&ask().await), "x");
    let held = Held::on(&library.path("alice/leased.txt"));

    // whoever asks for it is told at once (the kernel would have them wait for 45 seconds),
    for _ in 0..3 {
        assert_eq!(text(&ask().await), "200 BUSY");
    }
    let files = Files::of(&server);
    assert_eq!(files.get("alice/leased.txt").await.said(), "409 BUSY");
    let zip = files.get("alice/?zip").await;
    assert!(zip.whole);
    assert_eq!(zip.status, 200);
    let listed = server.ask(LIST, json!({"path": "alice/data"})).await;
    assert_eq!(names(&listed), " | ");

    // and given back, it is read again.
    drop(held);
    assert_eq!(text(&ask().await), "x");
}
