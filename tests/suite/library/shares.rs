//! What there is little of: nobody has all of it.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::files_client::{Files, half, until};
use super::fixture::{Library, READ, Server, text};

/// A client that takes no more of an answer than its begin, until dropped.
async fn takes_little(server: &Server, request: &str) -> (String, tokio::net::TcpStream) {
    // The kernel takes little in its place.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let address = server.address().parse().unwrap();
    let mut connection = socket.connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut begin = [0; 2048];
    let read = connection.read(&mut begin).await.unwrap();
    let begin = String::from_utf8_lossy(&begin[..read]).into_owned();
    (begin, connection)
}

/// The status, and when to come again.
fn said(begin: &str) -> String {
    let after = begin.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("retry-after: ")
            .map(str::to_owned)
    });
    format!(
        "{} {}",
        &begin[9..12],
        after.unwrap_or_else(|| "-".to_owned())
    )
}

#[tokio::test]
async fn one_user_makes_half_of_the_zips_at_most() {
    let library = Library::new();
    for owner in ["alice", "bob"] {
        let file = std::fs::File::create(library.path(&format!("{owner}/large.zip"))).unwrap();
        file.set_len(64 << 20).unwrap();
    }
    let server = library.serve_users();
    let zip = |files: &Files<'_>, path: &str| format!("{}\r\n", files.head("GET", path));
    let (alice, bob) = (Files::user(&server, "alice"), Files::user(&server, "bob"));
    let mut held = Vec::new();
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let (begin, connection) = takes_little(&server, &zip(&alice, "alice?zip")).await;
        statuses.push(said(&begin));
        held.push(connection);
    }
    assert_eq!(statuses, ["200 -", "200 -", "200 -", "200 -", "503 5"]);
    let (begin, _connection) = takes_little(&server, &zip(&alice, "alice?zip")).await;
    let words = "you have as many zips made at this moment as one may have";
    assert!(begin.contains(words), "{begin}");
    // Bob has his.
    let (begin, _connection) = takes_little(&server, &zip(&bob, "bob?zip")).await;
    assert_eq!(said(&begin), "200 -");
}

#[tokio::test]
async fn one_user_sends_half_of_the_files_at_most() {
    let library = Library::new();
    let server = library.serve_users_with(&["--writable"]);
    let (alice, bob) = (Files::user(&server, "alice"), Files::user(&server, "bob"));
    let begun = |number: usize| {
        let path = format!("alice/data/{number}");
        half(&alice, &path, "Content-Length: 2\r\n", b"x")
    };
    let mut held: Vec<TcpStream> = (0..64).map(begun).collect();
    until("all are being taken", async || {
        super::files_client::aside(&library, "alice/data").len() == 64
    })
    .await;
    let more = alice.put("alice/data/more", "x").await;
    assert_eq!(more.said(), "503 OVERLOADED");
    assert_eq!(more.header("retry-after"), "5");
    assert_eq!(
        more.json()["errors"][0]["message"],
        "\"alice/data/more\": you are sending as many files at this moment as one may"
    );
    assert_eq!(bob.put("bob/data/x", "x").await.status, 201);
    // When one has arrived, there is room for the next.
    let mut first = held.remove(0);
    first.write_all(b"x").unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 201");
    until("there is a place again", async || {
        alice.put("alice/data/more", "x").await.status < 300
    })
    .await;
}

#[tokio::test]
async fn names_in_a_listing_take_room() {
    let library = Library::new();
    for number in 0..2000 {
        library.write(&format!("alice/data/{number}{}", "x".repeat(200)), "");
    }
    let server = library.serve_users_with(&["--max-answer", "600k"]);
    let files = Files::user(&server, "alice");
    let listing = format!("{}\r\n", files.head("GET", "alice/data"));
    // Given that of half of the room of 2,400 KiB two of these listings are held,
    let mut held = Vec::new();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let (begin, connection) = takes_little(&server, &listing).await;
        statuses.push(said(&begin));
        held.push(connection);
    }
    // there is none for more,
    assert_eq!(statuses, ["200 -", "200 -", "503 5", "503 5"]);
    // but for small ones, and for others.
    let reply = server
        .ask_as("alice", READ, json!({"path": "alice/README.md"}))
        .await;
    assert_eq!(text(&reply), "# alice");
    assert_eq!(files.get("alice/models").await.status, 200);
    drop(held);
    until("there is room again", async || {
        files.get("alice/data").await.status == 200
    })
    .await;
    // What is larger than any answer may be is told.
    let small = library.serve_users_with(&["--max-answer", "100k"]);
    let listed = Files::user(&small, "alice").get("alice/data").await;
    assert_eq!(listed.said(), "413 TOO_LARGE");
}
