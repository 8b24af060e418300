//! WebSockets to a workspace.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::fixture::Platform;
use super::sessions::cookie;
use crate::loopback::Server;

/// What stands in for a workspace: its WebSockets say back what they are told. Keeps what it was asked.
pub struct Echo {
    pub address: SocketAddr,
    pub heads: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    #[expect(clippy::result_large_err, reason = "the library's own type")]
                    let note = |request: &Request, response: Response| {
                        let head = format!("{} {:?}", request.uri(), request.headers());
                        kept.lock().unwrap().push(head);
                        Ok(response)
                    };
                    let Ok(mut socket) =
                        tokio_tungstenite::accept_hdr_async(connection, note).await
                    else {
                        return;
                    };
                    while let Some(Ok(message)) = socket.next().await {
                        if message.is_text() {
                            socket.send(message).await.unwrap();
                        }
                    }
                });
            }
        });
        Self { address, heads }
    }
}

pub type Socket = WebSocketStream<TcpStream>;

/// Opens a WebSocket at a path, with these headers; the status where there is none.
pub async fn open(server: &Server, path: &str, headers: &[(&str, &str)]) -> Result<Socket, u16> {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};

    let address = server.address();
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .unwrap();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().insert(name, value);
    }
    let connection = TcpStream::connect(address).await.unwrap();
    match tokio_tungstenite::client_async(request, connection).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

pub async fn says_back(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(10), socket.next())
        .await
        .unwrap();
    assert_eq!(answer.unwrap().unwrap().to_text().unwrap(), text);
}

/// Waits until a connection ends from the other side, and fails where that takes longer than a few seconds.
pub async fn ends(socket: &mut Socket) {
    let waiting = async { while let Some(Ok(_)) = socket.next().await {} };
    let ended = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    ended.expect("the connection is still open");
}

const TLS: [(&str, &str); 3] = [
    ("X-Forwarded-Proto", "wss"),
    ("X-Forwarded-For", "192.0.2.7"),
    ("Host", "foo.com"),
];

async fn platform() -> (Platform, Echo) {
    let echo = Echo::start().await;
    let account = format!(r#"{{"groups":[],"workspace":"{}"}}"#, echo.address);
    let platform = Platform::new().with("alice", "hunter2", &account).with(
        "bob",
        "hunter3",
        r#"{"groups":[]}"#,
    );
    (platform, echo)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspaces_websocket_opens_for_its_user_alone() {
    let (platform, echo) = platform().await;
    let server = platform.serve();
    let alice = format!("_xsrf=1; {}", cookie(&server, "alice", "hunter2"));
    let bob = cookie(&server, "bob", "hunter3");
    let path = "/alice/api/kernels/1/channels?session_id=2";
    let own = ("Origin", "https://foo.com");
    let mut socket = open(
        &server,
        path,
        &[&TLS[..], &[("Cookie", &alice), own]].concat(),
    )
    .await
    .unwrap();
    says_back(&mut socket, "1 + 1").await;
    let head = echo.heads.lock().unwrap().pop().unwrap();
    assert!(head.starts_with(path), "{head}");
    assert!(head.contains(r#""cookie": "_xsrf=1""#), "{head}");
    assert!(head.contains(r#""x-forwarded-user": "alice""#), "{head}");
    assert!(head.contains(r#""host": "foo.com""#), "{head}");
    assert!(!head.contains("dtaas-session"), "{head}");

    let evil = ("Origin", "https://evil.example");
    for (headers, status) in [
        (vec![("Cookie", bob.as_str()), own], 403),
        (vec![own], 401),
        (vec![("Cookie", alice.as_str()), evil], 401),
        (vec![("Cookie", alice.as_str()), ("Origin", "null")], 401),
        (vec![("X-Forwarded-User", "alice")], 401),
    ] {
        let refused = open(&server, path, &[&TLS[..], &headers].concat()).await;
        assert_eq!(refused.err(), Some(status), "{headers:?}");
    }
    let headers = [&TLS[..], &[("Cookie", bob.as_str()), own]].concat();
    assert_eq!(open(&server, "/bob/x", &headers).await.err(), Some(404));
    assert_eq!(open(&server, "/common/x", &headers).await.err(), Some(404));
    assert!(
        echo.heads.lock().unwrap().is_empty(),
        "somebody came through"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_one_ends_with_the_session() {
    let (platform, _echo) = platform().await;
    let server = platform.serve();
    let connect = async |cookie: &str| {
        let headers = [&TLS[..], &[("Cookie", cookie)]].concat();
        let mut socket = open(&server, "/alice/x", &headers).await.unwrap();
        says_back(&mut socket, "here").await;
        socket
    };
    // Signing out ends it,
    let alice = cookie(&server, "alice", "hunter2");
    let mut socket = connect(&alice).await;
    let headers = [&TLS[..], &[("Cookie", alice.as_str())]].concat();
    assert_eq!(
        server.ask("POST", "/account/signout", &headers[..2]).status,
        401
    );
    assert_eq!(
        server
            .ask(
                "POST",
                "/account/signout",
                &[headers[0], headers[1], headers[3]]
            )
            .status,
        204
    );
    ends(&mut socket).await;
    // so does another password,
    let mut socket = connect(&cookie(&server, "alice", "hunter2")).await;
    platform.set_password("alice", "correct horse");
    ends(&mut socket).await;
    // and an account that is closed, but not what is another's.
    let mut socket = connect(&cookie(&server, "alice", "correct%20horse")).await;
    platform.set_password("bob", "hunter4");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    says_back(&mut socket, "still here").await;
    fs::remove_file(platform.path("users/alice.json")).unwrap();
    ends(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_one_does_not_keep_the_server_from_stopping() {
    let (platform, _echo) = platform().await;
    let server = platform.serve();
    let alice = cookie(&server, "alice", "hunter2");
    let headers = [&TLS[..], &[("Cookie", alice.as_str())]].concat();
    let mut socket = open(&server, "/alice/x", &headers).await.unwrap();
    says_back(&mut socket, "here").await;
    let start = std::time::Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    ends(&mut socket).await;
}
