//! A terminal in JupyterLab: a WebSocket through the gateway.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::deployment::Deployment;

type Socket = WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>;

/// Alice starts a terminal as a browser does and works in it; bob cannot.
pub fn check(deployment: &Deployment) {
    let (path, cookie) = start(deployment);
    runtime().block_on(async {
        for user in [Some("bob"), Some("nobody"), None] {
            let status = match open(deployment, &path, user, &cookie).await {
                Ok(_) => panic!("it opens for {user:?}"),
                Err(Error::Http(answer)) => answer.status().as_u16(),
                Err(error) => panic!("{error}"),
            };
            let expected = if user == Some("bob") { 403 } else { 401 };
            assert_eq!(status, expected, "{user:?}");
        }
        let mut socket = open(deployment, &path, Some("alice"), &cookie)
            .await
            .unwrap();
        answers(&mut socket, 6).await;
    });
    let gone = deployment.get(&path).by("bob").status();
    assert_eq!(gone, 403);
}

/// A terminal that alice has open answers before this and after it, on the same connection.
pub fn lives_through(deployment: &Deployment, does: impl FnOnce()) {
    let (path, cookie) = start(deployment);
    let runtime = runtime();
    let mut socket = runtime.block_on(async {
        let mut socket = open(deployment, &path, Some("alice"), &cookie)
            .await
            .unwrap();
        answers(&mut socket, 6).await;
        socket
    });
    does();
    runtime.block_on(answers(&mut socket, 9));
}

/// Starts a terminal of alice's; its address, and the cookie that it takes.
fn start(deployment: &Deployment) -> (String, String) {
    let page = deployment.get("/alice/lab").by("alice").send();
    let cookie = page
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let xsrf = cookie.strip_prefix("_xsrf=").expect(&cookie);

    let made = deployment
        .post("/alice/api/terminals", "{}")
        .by("alice")
        .with("Cookie", &cookie)
        .with("X-XSRFToken", xsrf)
        .send();
    assert_eq!(made.status, 200, "{}", made.body);
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let path = format!(
        "/alice/terminals/websocket/{}",
        made["name"].as_str().unwrap()
    );
    (path, cookie)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The shell in the terminal works out seven times a number.
async fn answers(socket: &mut Socket, number: u32) {
    let command = json!(["stdin", format!("echo answer=$(({number}*7)).\r")]).to_string();
    socket.send(Message::text(command)).await.unwrap();
    let expected = format!("answer={}.", number * 7);
    let answer = tokio::time::timeout(Duration::from_secs(20), until(socket, &expected));
    answer.await.expect("the terminal does not answer");
}

async fn open(
    deployment: &Deployment,
    path: &str,
    user: Option<&str>,
    cookie: &str,
) -> Result<Socket, Error> {
    let host = deployment.host();
    let mut request = format!("wss://{host}{}{path}", deployment.base).into_client_request()?;
    let headers = request.headers_mut();
    if let Some(user) = user {
        let credentials = deployment.credentials(user);
        headers.insert("Authorization", credentials.parse().unwrap());
    }
    headers.insert("Cookie", cookie.parse().unwrap());
    headers.insert("Origin", format!("https://{host}").parse().unwrap());
    let connection = TcpStream::connect(("127.0.0.1", deployment.port())).await?;
    let connection = TlsConnector::from(deployment.trust())
        .connect(deployment.server_name(), connection)
        .await?;
    Ok(client_async(request, connection).await?.0)
}

/// Reads what the terminal shows until this is in it.
async fn until(socket: &mut Socket, expected: &str) {
    let mut shown = String::new();
    while !shown.contains(expected) {
        let message = socket.next().await.expect("the terminal ended").unwrap();
        let Message::Text(text) = message else {
            continue;
        };
        let message: Value = serde_json::from_str(&text).unwrap();
        if message[0] == "stdout" {
            shown += message[1].as_str().unwrap();
        }
    }
}
