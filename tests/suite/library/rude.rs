//! Clients that are slow, stop half-way, or send what is no request: the others do not notice.

use std::fs::DirEntry;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, prlimit, setrlimit};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::fixture::{LIST, Library, PATIENCE, READ, SECRET, Server, lib_serve, question, text};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// What comes back on a connection of its own until the server closes it. The connection stays open for writing.
async fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut connection = TcpStream::connect(server.address()).await.unwrap();
    // The server may have seen enough before all is sent.
    let _ = connection.write_all(bytes).await;
    let mut answer = Vec::new();
    let reading = connection.read_to_end(&mut answer);
    let _ = tokio::time::timeout(PATIENCE, reading)
        .await
        .unwrap_or_else(|_| panic!("it waits after {:?}", String::from_utf8_lossy(bytes)));
    String::from_utf8(answer).unwrap()
}

/// The statuses of the answers in what came back.
fn statuses(answer: &str) -> Vec<&str> {
    let answers = answer.split("HTTP/1.1 ").skip(1);
    answers.filter_map(|one| one.split("\r\n").next()).collect()
}

/// The bytes of a question in alice's name.
fn as_alice(body: &str) -> String {
    format!(
        "POST /lib HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         X-Dtaas-Gateway: {SECRET}\r\nX-Forwarded-User: alice\r\n\r\n{body}",
        body.len()
    )
}

async fn still_well(server: &Server) {
    let reply = server
        .ask_as("alice", READ, json!({"path": "alice/README.md"}))
        .await;
    assert_eq!(text(&reply), "# alice");
}

#[tokio::test]
async fn what_is_no_request_is_answered_and_dropped() {
    let library = Library::new();
    let server = library.serve_users();
    let long = "x".repeat(40_000);
    let many = "a: b\r\n".repeat(200);
    let bad = "400 Bad Request";
    for (sent, expected) in [
        ("hello\r\n\r\n".to_owned(), bad),
        ("\r\n\r\n\r\nhello\r\n\r\n".into(), bad),
        (
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}".into(),
            bad,
        ),
        ("GET / HTTP/9.9\r\n\r\n".into(), bad),
        ("GET /\r\n\r\n".into(), bad),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n".into(), bad),
        ("GET / HTTP/1.1\r\na: b\r\n folded\r\n\r\n".into(), bad),
        ("GET / HTTP/1.1\r\na: \0\r\n\r\n".into(), bad),
        ("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".into(), bad),
        (
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".into(),
            bad,
        ),
        (
            "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n".into(),
            bad,
        ),
        (
            "GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n".into(),
            bad,
        ),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0".into(),
            "",
        ),
        (
            format!("GET / HTTP/1.1\r\na: {long}\r\n\r\n"),
            "431 Request Header Fields Too Large",
        ),
        (
            format!("GET / HTTP/1.1\r\n{many}\r\n"),
            "431 Request Header Fields Too Large",
        ),
        (
            format!("GET /{long} HTTP/1.1\r\n\r\n"),
            "431 Request Header Fields Too Large",
        ),
        (
            format!("GET /{}", long.repeat(3)),
            "431 Request Header Fields Too Large",
        ),
    ] {
        let answer = exchange(&server, sent.as_bytes()).await;
        let start: String = sent.chars().take(60).collect();
        assert_eq!(statuses(&answer).join(", "), expected, "{start:?}");
    }
    still_well(&server).await;
}

#[tokio::test]
async fn odd_requests_are_answered() {
    let library = Library::new();
    let server = library.serve_users();
    let chunked =
        "POST /lib HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
    let gate = format!("X-Dtaas-Gateway: {SECRET}\r\nX-Forwarded-User: alice\r\n\r\n");
    for (sent, expected) in [
        ("GET /healthz HTTP/1.0\r\n\r\n".to_owned(), vec![]),
        (HEALTH.replace("/healthz", "http://elsewhere/healthz"), vec!["200 OK"]),
        (HEALTH.replace("GET /healthz", "CONNECT elsewhere:443"), vec!["401 Unauthorized"]),
        (HEALTH.replace("/healthz", "*"), vec!["401 Unauthorized"]),
        (HEALTH.replace("GET", "BREW"), vec!["200 OK"]),
        // Asked for one after the other without waiting: answered in turn.
        (
            format!("GET /healthz HTTP/1.1\r\n\r\nGET /none HTTP/1.1\r\n\r\n{HEALTH}"),
            vec!["200 OK", "401 Unauthorized", "200 OK"],
        ),
        // What is no chunk ends the body, and the connection.
        (format!("{chunked}{gate}5\r\nhello\r\nzz\r\n"), vec!["400 Bad Request"]),
        (format!("{chunked}{gate}ffffffffffffffffff\r\n"), vec!["400 Bad Request"]),
        // Two ways to say how long it is: who is in between could have read the other one.
        (
            format!("{chunked}Content-Length: 3\r\n{gate}0\r\n\r\n{HEALTH}"),
            vec!["400 Bad Request"],
        ),
        (
            "GET /healthz HTTP/1.1\r\nUpgrade: h2c, websocket\r\nConnection: upgrade, close\r\n\r\n".into(),
            vec!["200 OK"],
        ),
    ] {
        let answer = exchange(&server, sent.as_bytes()).await;
        assert_eq!(statuses(&answer), expected, "{sent:?}: {answer}");
    }
    let old = exchange(&server, b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 OK\r\n"), "{old}");
    still_well(&server).await;
}

#[tokio::test]
async fn clients_that_stop_half_way_leave_nothing() {
    let library = Library::new();
    let server = library.serve_users();
    let whole = as_alice(&question(LIST, json!({"path": "alice"})));
    still_well(&server).await;
    let before = sockets(&server);
    for end in (0..whole.len()).step_by(3) {
        let mut connection = TcpStream::connect(server.address()).await.unwrap();
        connection
            .write_all(&whole.as_bytes()[..end])
            .await
            .unwrap();
        // One in two goes without a word: a reset instead of an end.
        if end % 2 == 0 {
            connection.set_zero_linger().unwrap();
        }
    }
    for _ in 0..50 {
        let mut connection = TcpStream::connect(server.address()).await.unwrap();
        connection.write_all(whole.as_bytes()).await.unwrap();
        connection.set_zero_linger().unwrap();
    }
    still_well(&server).await;
    // Of all these none is left.
    let gone = async {
        while sockets(&server) > before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .unwrap_or_else(|_| panic!("{} are left of {before}", sockets(&server)));
}

/// How many sockets the server has.
fn sockets(server: &Server) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let link = |entry: std::io::Result<DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
    let is_socket = |link: &PathBuf| link.to_string_lossy().starts_with("socket:");
    open.filter_map(link).filter(is_socket).count()
}

/// How much of a request each slow client has sent: most of them a part of the head or of the body; one in five all of
/// it, and takes nothing of a large answer.
fn begun(number: usize, whole: &str) -> usize {
    [30, whole.len() - 1, 30, whole.len() - 1, whole.len()][number % 5]
}

#[tokio::test]
async fn slow_clients_do_not_stop_a_fast_one() {
    // This process has their other ends.
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let library = Library::new();
    library.write("alice/large.txt", "large ".repeat(50_000));
    let server = library.serve_users();
    let whole = as_alice(&question(READ, json!({"path": "alice/large.txt"})));
    let mut held = Vec::new();
    for number in 0..500 {
        let mut connection = TcpStream::connect(server.address()).await.unwrap();
        let begun = &whole.as_bytes()[..begun(number, &whole)];
        connection.write_all(begun).await.unwrap();
        held.push(connection);
    }
    for _ in 0..20 {
        still_well(&server).await;
    }
    // Given that, the slow ones still get their answers once they send the rest.
    for (number, connection) in held.iter_mut().enumerate().take(10) {
        let rest = &whole.as_bytes()[begun(number, &whole)..];
        connection.write_all(rest).await.unwrap();
        let mut status = [0; 15];
        connection.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200 OK");
    }
}

#[tokio::test]
async fn answers_that_nobody_takes_have_their_bounds() {
    let library = Library::new();
    library.write("alice/large.txt", "large ".repeat(250_000));
    let server = library.serve_users_with(&["--max-answer", "4m"]);
    let whole = as_alice(&question(READ, json!({"path": "alice/large.txt"})));
    // Given ten clients that ask for three megabytes each and take nothing but the begin,
    let mut held = Vec::new();
    let mut turned_away = 0;
    for _ in 0..10 {
        // The kernel takes little in their place.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let address = server.address().parse().unwrap();
        let mut connection = socket.connect(address).await.unwrap();
        connection.write_all(whole.as_bytes()).await.unwrap();
        let mut begin = [0; 300];
        connection.read_exact(&mut begin).await.unwrap();
        let said = String::from_utf8_lossy(&begin);
        turned_away += usize::from(said.contains("your answers take as much memory"));
        held.push(connection);
    }
    // two have taken all that one user may have of the room for four of the largest answers.
    assert_eq!(turned_away, 8);
    still_well(&server).await;
    // Another user finds room.
    let question = json!({"path": "common/large.txt"});
    library.write("common/large.txt", "large ".repeat(250_000));
    let reply = server.ask_as("bob", READ, question).await;
    assert_eq!(reply.code(), "200 ok");
    // When they are gone there is room again.
    drop(held);
    let again = async {
        loop {
            let reply = server.ask_as("alice", READ, json!({"path": "alice/large.txt"}));
            if reply.await.code() == "200 ok" {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
}

/// The server, allowed so many descriptors.
fn with_descriptors(library: &Library, soft: u32, hard: u32) -> Server {
    let inner = library.behind_the_gateway(lib_serve(), &[]);
    let mut command = Command::new("/bin/sh");
    let limits = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$@\"");
    command
        .args(["-c", &limits, "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    command.env_clear();
    Server::start(command)
}

#[tokio::test]
async fn it_takes_as_many_descriptors_as_it_may_have() {
    let library = Library::new();
    let server = with_descriptors(&library, 64, 512);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<_> = line.unwrap().split_whitespace().collect();
    assert_eq!(words[3..5], ["512", "512"]);
}

#[tokio::test]
async fn where_descriptors_are_few_slow_clients_go_first() {
    let library = Library::new();
    let server = with_descriptors(&library, 96, 96);
    let mut held = Vec::new();
    for _ in 0..300 {
        let mut connection = TcpStream::connect(server.address()).await.unwrap();
        let _ = connection.write_all(b"GET / HTTP/1.1\r\nX-").await;
        held.push(connection);
    }
    for path in ["alice", "common", ""] {
        let reply = server.ask_as("alice", LIST, json!({ "path": path })).await;
        assert_eq!(reply.code(), "200 ok");
    }
}

#[tokio::test]
async fn without_descriptors_it_waits_for_some() {
    let library = Library::new();
    let server = library.serve_users();
    still_well(&server).await;
    let pid = rustix::process::Pid::from_raw(server.pid().try_into().unwrap());
    let allow = |current| {
        let limit = Rlimit {
            current,
            maximum: Some(1024),
        };
        prlimit(pid, Resource::Nofile, limit).unwrap()
    };
    // Given that not one connection more can be taken,
    let before = allow(Some(0));
    let mut waiting = TcpStream::connect(server.address()).await.unwrap();
    let question = as_alice(&question(READ, json!({"path": "alice/README.md"})));
    waiting.write_all(question.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    let answered = tokio::time::timeout(Duration::from_millis(300), waiting.read(&mut first));
    assert!(answered.await.is_err());
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
        let words: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        words[11].parse::<u64>().unwrap() + words[12].parse::<u64>().unwrap()
    };
    let used = ticks();
    tokio::time::sleep(Duration::from_millis(700)).await;
    // (it does not keep the processor busy with trying: 70 of these would be all of it)
    assert!(ticks() - used < 35, "{} of 70", ticks() - used);
    // when there are descriptors again, it is answered.
    allow(before.current.map(|soft| soft.min(1024)));
    waiting.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    still_well(&server).await;
}
