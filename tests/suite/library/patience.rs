//! Clients that send slowly, not at all, or what is not wanted.

use std::io::{Read, Write};
use std::time::Duration;

use super::files_client::{Files, aside, half, until};
use super::fixture::Library;

#[tokio::test]
async fn a_client_that_stops_sending_is_not_waited_for_and_a_slow_one_is() {
    let library = Library::new();
    let server = library.serve_with("", &["--no-auth", "--writable", "--patience", "2"]);
    let files = Files::of(&server);
    let mut stalled = half(&files, "alice/stalled", "Content-Length: 100\r\n", b"some");
    let mut slow = half(
        &files,
        "alice/slow",
        "Content-Length: 30\r\nConnection: close\r\n",
        b"",
    );
    for _ in 0..30 {
        slow.write_all(b"x").unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let mut answer = [0; 12];
    stalled.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert!(!library.path("alice/stalled").exists());
    until("nothing is aside", async || {
        aside(&library, "alice").is_empty()
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_is_told_also_to_who_sends_all_of_it_first() {
    let library = Library::new();
    let server = library.serve_with("", &["--no-auth", "--writable", "--max-upload", "1k"]);
    let files = Files::of(&server);
    let mut stream = half(&files, "alice/x", "Content-Length: 8000000\r\n", b"");
    stream.write_all(&vec![0; 8_000_000]).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    // Who asks first is not told to send anything.
    let headers = "Content-Length: 8000000\r\nExpect: 100-continue\r\n";
    let mut stream = half(&files, "alice/x", headers, b"");
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}
