//! Clients that keep a server waiting. The clock is moved by hand.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

const NEVER: u32 = u32::MAX / 2;
/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

fn patient() -> Limits {
    Limits {
        connections: 100,
        tick: Duration::from_millis(5),
        head: NEVER,
        idle: NEVER,
        stall: NEVER,
    }
}

/// A server for as long as the test runs.
struct Server {
    address: SocketAddr,
    connections: Arc<Connections>,
    taking: JoinHandle<()>,
}

impl Server {
    async fn new(limits: Limits, app: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Connections::new(limits);
        let taking = connections.clone();
        let taking = tokio::spawn(async move { taking.take(listener, app).await });
        Self {
            address,
            connections,
            taking,
        }
    }

    async fn connect(&self, text: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(text.as_bytes()).await.unwrap();
        connection
    }

    /// A whole request on a connection of its own.
    async fn ask(&self) -> String {
        let request = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
        until_closed(&mut self.connect(request).await).await
    }

    /// Waits until so many connections are so far.
    async fn until(&self, count: usize, far: impl Fn(&Record) -> bool) {
        let seen = |all: &mut HashMap<u64, Watched>| {
            let far = |watched: &&Watched| far(&watched.record);
            all.values().filter(far).count()
        };
        let waiting = async {
            while self.connections.with(seen) != count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    /// Lets the time pass; says how many connections are told to end by then.
    fn pass(&self, ticks: u32) -> usize {
        for _ in 0..ticks {
            self.connections.tick();
        }
        let ending = |all: &mut HashMap<u64, Watched>| {
            let told = |watched: &&Watched| watched.record.order() == Order::End;
            all.values().filter(told).count()
        };
        self.connections.with(ending)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.taking.abort();
    }
}

fn hello() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/", post(async |body: Bytes| body))
}

/// What comes until the other side closes; a connection that is reset has come to its end as well.
async fn until_closed(connection: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let reading = connection.read_to_end(&mut text);
    let _ = tokio::time::timeout(PATIENCE, reading).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let limits = Limits {
        head: 3,
        ..patient()
    };
    let server = Server::new(limits, hello()).await;
    let mut silent = server.connect("").await;
    let mut slow = server.connect("GET / HTTP/1.1\r\nX-").await;
    server.until(1, |one| one.phase() == Phase::Head).await;
    assert_eq!(server.pass(3), 0);
    // Byte after byte helps nothing: what counts is when the head began.
    let before = |one: &Record| one.moved() == 19;
    slow.write_all(b"a").await.unwrap();
    server.until(1, before).await;
    assert_eq!(server.pass(1), 1);
    assert_eq!(until_closed(&mut slow).await, "");
    // Who has sent nothing yet is not slow.
    let request = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
    silent.write_all(request).await.unwrap();
    assert!(until_closed(&mut silent).await.ends_with("hello"));
}

#[tokio::test]
async fn a_connection_without_requests_ends() {
    let limits = Limits {
        idle: 3,
        ..patient()
    };
    let server = Server::new(limits, hello()).await;
    let mut fresh = server.connect("").await;
    let mut used = server.connect("GET / HTTP/1.1\r\n\r\n").await;
    let answered = |one: &Record| one.phase() == Phase::Idle && one.moved() > 18;
    server.until(1, answered).await;
    server.until(2, |_| true).await;
    assert_eq!(server.pass(3), 0);
    assert_eq!(server.pass(1), 2);
    assert_eq!(until_closed(&mut fresh).await, "");
    assert!(until_closed(&mut used).await.ends_with("hello"));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let limits = Limits {
        stall: 3,
        ..patient()
    };
    let server = Server::new(limits, hello()).await;
    for body in [
        "Content-Length: 100\r\n\r\nbegun",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n",
    ] {
        let mut slow = server.connect(&format!("POST / HTTP/1.1\r\n{body}")).await;
        server.until(1, Record::awaits_client).await;
        assert_eq!(server.pass(3), 0);
        assert_eq!(server.pass(1), 1);
        assert_eq!(until_closed(&mut slow).await, "");
        server.until(0, |_| true).await;
    }
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_waited_for() {
    let limits = Limits {
        stall: 3,
        ..patient()
    };
    let server = Server::new(limits, hello()).await;
    let head = "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 10240\r\n\r\n";
    let mut slow = server.connect(head).await;
    let mut moved = u32::try_from(head.len()).unwrap();
    for _ in 0..10 {
        server
            .until(1, |one| one.moved() == moved && one.awaits_client())
            .await;
        assert_eq!(server.pass(3), 0);
        slow.write_all(&[b'x'; 1024]).await.unwrap();
        moved += 1024;
    }
    assert!(until_closed(&mut slow).await.ends_with(&"x".repeat(10240)));
}

/// A body without an end, and how many of its kind there are.
fn endless(count: &Arc<AtomicUsize>) -> Body {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    count.fetch_add(1, Ordering::Relaxed);
    let counted = Counted(count.clone());
    Body::from_stream(futures_util::stream::repeat_with(move || {
        let _held = &counted;
        Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 64 * 1024]))
    }))
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up() {
    let limits = Limits {
        stall: 3,
        ..patient()
    };
    let count = Arc::new(AtomicUsize::new(0));
    let answers = count.clone();
    let app = Router::new().route("/", get(async move || endless(&answers)));
    let server = Server::new(limits, app).await;
    let mut reader = server.connect("GET / HTTP/1.1\r\n\r\n").await;
    let mut first = [0; 15];
    reader.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    server.until(1, Record::awaits_client).await;
    // The first look sees that much has been sent.
    assert_eq!(server.pass(4), 0);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert_eq!(server.pass(1), 1);
    server.until(0, |_| true).await;
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_answer_that_keeps_something_from_others_is_given_up_sooner() {
    let count = Arc::new(AtomicUsize::new(0));
    let (scarce, plain) = (count.clone(), count.clone());
    let app = Router::new()
        .route(
            "/scarce",
            get(async move || (axum::Extension(Scarce { bytes: 0 }), endless(&scarce))),
        )
        .route("/plain", get(async move || endless(&plain)));
    let server = Server::new(patient(), app).await;
    let mut readers = Vec::new();
    for path in ["/scarce", "/plain"] {
        let mut reader = server
            .connect(&format!("GET {path} HTTP/1.1\r\n\r\n"))
            .await;
        let mut first = [0; 15];
        reader.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        readers.push(reader);
    }
    server.until(2, Record::awaits_client).await;
    // Given two clients that take nothing more, 94 seconds are too long for the one; for the other no time is, here.
    let second = u32::try_from(1000 / patient().tick.as_millis()).unwrap();
    assert_eq!(server.pass(90 * second), 0);
    assert_eq!(server.pass(10 * second), 1);
    server.until(1, |_| true).await;
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn where_there_are_too_many_those_that_wait_longest_go() {
    let limits = Limits {
        connections: 8,
        ..patient()
    };
    let server = Server::new(limits, hello()).await;
    let mut slow = Vec::new();
    for count in 1..=50_usize {
        slow.push(server.connect("GET / HTTP/1.1\r\nX-").await);
        // Each is a tick older than the next.
        let now = server.connections.clock.now();
        let here = |one: &Record| one.phase() == Phase::Head && one.since() == now;
        server.until(1, here).await;
        server.pass(1);
        if count > 8 {
            assert_eq!(until_closed(&mut slow[count - 9]).await, "");
        }
    }
    assert!(server.ask().await.ends_with("hello"));
    // The last can still end what it began.
    let last = slow.last_mut().unwrap();
    let rest = b"a: b\r\nConnection: close\r\n\r\n";
    last.write_all(rest).await.unwrap();
    assert!(until_closed(last).await.ends_with("hello"));
}

#[tokio::test]
async fn those_at_work_do_not_go() {
    let limits = Limits {
        connections: 2,
        ..patient()
    };
    let go_on = Arc::new(Notify::new());
    let wait = go_on.clone();
    let work = get(async move || {
        wait.notified().await;
        "done"
    });
    let server = Server::new(limits, hello().route("/work", work)).await;
    let request = "GET /work HTTP/1.1\r\nConnection: close\r\n\r\n";
    let mut both = [server.connect(request).await, server.connect(request).await];
    server.until(2, |one| one.phase() == Phase::Busy).await;
    // Given both at work, a third waits for its turn: the time passes and nobody is told to go,
    let third = server.connect("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    let mut third = third.await;
    let waiting = tokio::time::timeout(Duration::from_millis(50), third.readable());
    assert!(waiting.await.is_err());
    assert_eq!(server.pass(100), 0);
    // and it comes when one is done.
    go_on.notify_one();
    assert!(until_closed(&mut third).await.ends_with("hello"));
    go_on.notify_one();
    for one in &mut both {
        assert!(until_closed(one).await.ends_with("done"));
    }
}

#[tokio::test]
async fn told_to_finish_it_ends_what_has_begun() {
    let server = Server::new(patient(), hello()).await;
    let mut idle = server.connect("GET / HTTP/1.1\r\n\r\n").await;
    let mut fresh = server.connect("").await;
    let head = "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nha";
    let mut begun = server.connect(head).await;
    server.until(1, Record::awaits_client).await;
    server.until(2, |one| one.phase() == Phase::Idle).await;
    server.taking.abort();
    let connections = server.connections.clone();
    let finishing = tokio::spawn(async move { connections.finish().await });
    assert!(until_closed(&mut idle).await.ends_with("hello"));
    assert_eq!(until_closed(&mut fresh).await, "");
    assert!(!finishing.is_finished());
    begun.write_all(b"lf").await.unwrap();
    assert!(until_closed(&mut begun).await.ends_with("half"));
    tokio::time::timeout(PATIENCE, finishing)
        .await
        .unwrap()
        .unwrap();
}

#[test]
fn the_bound_follows_the_descriptors() {
    for (descriptors, connections) in [
        (None, 16_384),
        (Some(1 << 20), 16_384),
        (Some(20_000), 14_988),
        (Some(1024), 756),
        (Some(4), 4),
    ] {
        assert_eq!(Limits::usual(descriptors).connections, connections);
    }
}
