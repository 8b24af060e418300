use axum::Router;
use axum::body::to_bytes;
use axum::extract::State;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use super::*;

/// Answers each connection with what it read up to an empty line, then with these bytes, and keeps the connection if told to.
async fn program(answer: &'static [u8], keep: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if connection.read(&mut byte).await.unwrap() == 0 {
                        return;
                    }
                    head.push(byte[0]);
                }
                let echo = String::from_utf8(head).unwrap();
                let lines = echo.trim_end().replace("\r\n", "|");
                let answer = String::from_utf8_lossy(answer).replace("{head}", &lines);
                connection.write_all(answer.as_bytes()).await.unwrap();
                if keep {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    address
}

fn asked(address: SocketAddr) -> Upstream {
    Upstream {
        address,
        path_and_query: "/a%20b?c".parse().unwrap(),
    }
}

async fn text(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn what_is_about_a_connection_stays_with_it() {
    let answer =
        b"HTTP/1.1 200 OK\r\nConnection: close, X-Once\r\nX-Once: 1\r\nX-Kept: 2\r\n\r\n{head}";
    let address = program(answer, false).await;
    let request = Request::builder()
        .uri("/elsewhere")
        .header("host", "foo.com")
        .header("connection", "keep-alive, x-hop")
        .header("x-hop", "1")
        .header("te", "trailers")
        .header("x-kept", "2")
        .body(Body::empty())
        .unwrap();
    let response = Proxy::default()
        .pass(request, asked(address), std::future::pending())
        .await;
    assert!(response.headers().get("x-once").is_none());
    assert!(response.headers().get("connection").is_none());
    assert_eq!(response.headers()["x-kept"], "2");
    let (status, said) = text(response).await;
    assert_eq!(
        (status, said.as_str()),
        (200, "GET /a%20b?c HTTP/1.1|host: foo.com|x-kept: 2")
    );
}

#[tokio::test]
async fn nobody_rubbish_and_what_nobody_asked_for_are_told() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let rubbish = program(b"SSH-2.0-OpenSSH\r\n", false).await;
    let unasked = program(
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        true,
    )
    .await;
    for address in [gone, rubbish, unasked] {
        let request = Request::new(Body::empty());
        let response = Proxy::default()
            .pass(request, asked(address), std::future::pending())
            .await;
        assert_eq!(text(response).await.0, 502, "{address}");
    }
}

#[tokio::test]
async fn an_answer_that_is_still_coming_is_cut() {
    let address = program(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin", true).await;
    let (over, mut told) = watch::channel(());
    let end = async move { drop(told.changed().await) };
    let request = Request::new(Body::empty());
    let response = Proxy::default().pass(request, asked(address), end).await;
    let mut body = response.into_body().into_data_stream();
    assert_eq!(body.next().await.unwrap().unwrap(), "begin");
    over.send(()).unwrap();
    assert!(body.next().await.unwrap().is_err());

    // So is one that has not begun.
    let silent = program(b"", true).await;
    let end = tokio::time::sleep(Duration::from_millis(50));
    let request = Request::new(Body::empty());
    let response = Proxy::default().pass(request, asked(silent), end).await;
    assert_eq!(
        text(response).await,
        (403, "This is open no more.\n".to_owned())
    );
}

#[tokio::test]
async fn an_answer_without_end_that_is_read_slowly_is_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let _ = connection.read(&mut [0; 1024]).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        connection.write_all(head).await.unwrap();
        while connection.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
    });
    let (over, mut told) = watch::channel(());
    let end = async move { drop(told.changed().await) };
    let request = Request::new(Body::empty());
    let response = Proxy::default().pass(request, asked(address), end).await;
    let mut body = response.into_body().into_data_stream();
    // Whenever it is asked there is more.
    for _ in 0..100 {
        assert!(body.next().await.unwrap().is_ok());
    }
    over.send(()).unwrap();
    assert!(body.next().await.unwrap().is_err());
}

#[tokio::test]
async fn a_long_upload_is_no_long_thought() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut all = Vec::new();
            let mut some = [0; 1024];
            // In chunks, of which the last is empty.
            while !all.ends_with(b"\r\n0\r\n\r\n") {
                let length = connection.read(&mut some).await.unwrap();
                all.extend_from_slice(&some[..length]);
            }
            if !all.starts_with(b"PUT /silent") {
                let answer =
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\ntaken";
                connection.write_all(answer).await.unwrap();
            }
            tokio::spawn(async move { connection.read(&mut some).await });
        }
    });
    let proxy = Proxy {
        thinking: Duration::from_secs(1),
        ..Proxy::default()
    };
    let slow = futures_util::stream::unfold(0, async |number| {
        tokio::time::sleep(Duration::from_millis(250)).await;
        (number < 6).then_some((Ok::<_, std::io::Error>("part"), number + 1))
    });
    let put = |body| {
        let mut request = Request::new(body);
        *request.method_mut() = axum::http::Method::PUT;
        request
    };
    let request = put(Body::from_stream(slow));
    let answer = proxy.pass(request, asked(address), std::future::pending());
    assert_eq!(text(answer.await).await, (200, "taken".to_owned()));

    let silent = Upstream {
        address,
        path_and_query: "/silent".parse().unwrap(),
    };
    let body = Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("all")]));
    let answer = proxy.pass(put(body), silent, std::future::pending());
    assert_eq!(text(answer.await).await.0, 504);
}

/// A server whose WebSockets say everything twice, behind a proxy that ends when told to.
async fn doubling() -> (SocketAddr, watch::Sender<()>) {
    let program = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = program.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (connection, _) = program.accept().await.unwrap();
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(connection).await.unwrap();
                while let Some(Ok(Message::Text(text))) = socket.next().await {
                    let twice = format!("{text}{text}");
                    socket.send(Message::text(twice)).await.unwrap();
                }
            });
        }
    });
    let (over, told) = watch::channel(());
    let proxy = (Proxy::default(), address, told);
    let app = Router::new()
        .fallback(
            async |State((proxy, address, mut told)): State<(
                Proxy,
                SocketAddr,
                watch::Receiver<()>,
            )>,
                   request: Request| {
                let end = async move { drop(told.changed().await) };
                proxy.pass(request, asked(address), end).await
            },
        )
        .with_state(proxy);
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = front.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(front, app).await });
    (address, over)
}

#[tokio::test]
async fn a_websocket_is_carried_until_it_has_to_end() {
    let (address, over) = doubling().await;
    let connection = TcpStream::connect(address).await.unwrap();
    let url = format!("ws://{address}/x");
    let (mut socket, _) = tokio_tungstenite::client_async(url, connection)
        .await
        .unwrap();
    let long = "x".repeat(100_000);
    for text in ["a", "", &long] {
        socket.send(Message::text(text)).await.unwrap();
        let answer = socket.next().await.unwrap().unwrap();
        assert_eq!(answer.to_text().unwrap(), format!("{text}{text}"));
    }
    over.send(()).unwrap();
    let last = tokio::time::timeout(Duration::from_secs(5), socket.next())
        .await
        .unwrap();
    assert!(!matches!(last, Some(Ok(_))), "{last:?}");
}
