//! Files on their way: what the log and the metrics say of them, and what becomes of them when the server stops.

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fixture::{Library, Reply, SECRET, Server, client};

/// More than all that lies between the server and a client that does not read.
const LARGE: u64 = 64 * 1024 * 1024;

fn with_large_file() -> Library {
    let library = Library::new();
    let file = std::fs::File::create(library.path("alice/large.bin")).unwrap();
    file.set_len(LARGE).unwrap();
    library
}

/// Asks for a file in alice's name and reads the head of the answer.
async fn begin(server: &Server, path: &str) -> TcpStream {
    let mut connection = TcpStream::connect(server.address()).await.unwrap();
    let request = format!(
        "GET /lib/files/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         X-Dtaas-Gateway: {SECRET}\r\nX-Forwarded-User: alice\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    connection
}

/// Reads what is left of an answer and says how much that was.
async fn rest(connection: &mut TcpStream) -> u64 {
    let mut all = tokio::io::sink();
    tokio::io::copy(connection, &mut all).await.unwrap()
}

async fn counted(server: &Server, sample: &str) -> Option<u64> {
    let reply = Reply::of(client().get(server.at("/metrics"))).await;
    let line = reply
        .text
        .lines()
        .find_map(|line| line.strip_prefix(sample));
    line.map(|count| count.trim().parse().unwrap())
}

#[tokio::test]
async fn a_file_is_logged_when_all_of_it_was_sent() {
    let library = with_large_file();
    let server = library.serve_users();
    let mut answer = begin(&server, "alice/large.bin").await;
    let in_flight = "dtaas_library_requests_in_flight{kind=\"files\"}";
    assert_eq!(counted(&server, in_flight).await, Some(1));
    assert_eq!(rest(&mut answer).await, LARGE);
    let line = server.logged("large.bin");
    let whole = format!(" alice GET \"alice/large.bin\" 200 {LARGE} bytes ");
    assert!(line.contains(&whole), "{line}");
    assert_eq!(counted(&server, in_flight).await, Some(0));
    let sent = "dtaas_library_files_sent_bytes_total";
    assert_eq!(counted(&server, sent).await, Some(LARGE));

    // A file that is not there, and one of which only the head is asked for.
    let headers = [("X-Dtaas-Gateway", SECRET), ("X-Forwarded-User", "alice")];
    let asked = |request: reqwest::RequestBuilder| {
        headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        })
    };
    Reply::of(asked(
        client().get(format!("{}/files/alice/none", server.url)),
    ))
    .await;
    let line = server.logged("none");
    assert!(
        line.contains(" alice GET \"alice/none\" 404 NOT_FOUND "),
        "{line}"
    );
    Reply::of(asked(
        client().head(format!("{}/files/alice/large.bin", server.url)),
    ))
    .await;
    let line = server.logged("HEAD");
    assert!(
        line.contains(" alice HEAD \"alice/large.bin\" 200 0 bytes "),
        "{line}"
    );
}

#[tokio::test]
async fn a_client_that_goes_away_is_told_from_one_that_got_all() {
    let library = with_large_file();
    let server = library.serve_users();
    drop(begin(&server, "alice/large.bin").await);
    let line = server.logged("large.bin");
    assert!(
        line.contains(" alice GET \"alice/large.bin\" 200 CLIENT_GONE "),
        "{line}"
    );
    let gone = "dtaas_library_refusals_total{code=\"CLIENT_GONE\"}";
    assert_eq!(counted(&server, gone).await, Some(1));
}

#[tokio::test]
async fn what_comes_in_is_counted() {
    let library = Library::new();
    let server = library.serve_with("", &["--no-auth", "--writable"]);
    let request = client()
        .put(format!("{}/files/alice/new.bin", server.url))
        .body(vec![b'x'; 100_000]);
    assert_eq!(Reply::of(request).await.status, 201);
    let received = "dtaas_library_files_received_bytes_total";
    assert_eq!(counted(&server, received).await, Some(100_000));
    let line = server.logged("new.bin");
    assert!(line.contains(" - PUT \"alice/new.bin\" 201 "), "{line}");
}

#[tokio::test]
async fn told_to_stop_it_sends_what_it_has_begun() {
    let library = with_large_file();
    let mut server = library.serve_users();
    let mut answer = begin(&server, "alice/large.bin").await;
    server.signal(Signal::TERM);
    server.logged(" stopping");
    assert_eq!(rest(&mut answer).await, LARGE);
    assert!(server.wait().success());
    let said = server.rest();
    assert!(
        !said.iter().any(|line| line.contains("stopped before")),
        "{said:?}"
    );
}

#[tokio::test]
async fn told_twice_to_stop_it_says_which_files_it_cuts() {
    let library = with_large_file();
    let mut server = library.serve_users();
    let answer = begin(&server, "alice/large.bin").await;
    server.signal(Signal::TERM);
    server.logged(" stopping");
    server.signal(Signal::INT);
    let line = server.logged("stopped before");
    let told = "Z stopped before every request had ended: alice GET /lib/files/alice/large.bin (";
    assert!(line.contains(told), "{line}");
    assert!(line.contains(" bytes sent in "), "{line}");
    assert!(server.wait().success());
    drop(answer);
}
