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

pub type Socket = WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>;

/// Alice starts a terminal as a browser does and works in it; bob cannot.
pub fn check(deployment: &Deployment) {
    let (path, cookie) = begin(deployment, "alice");
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
    let (path, cookie) = begin(deployment, "alice");
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

/// The shell in the terminal works out seven times a number.
async fn answers(socket: &mut Socket, number: u32) {
    let command = json!(["stdin", format!("echo answer=$(({number}*7)).\r")]).to_string();
    socket.send(Message::text(command)).await.unwrap();
    let expected = format!("answer={}.", number * 7);
    let answer = tokio::time::timeout(Duration::from_secs(20), until(socket, &expected));
    answer.await.expect("the terminal does not answer");
}

/// Starts a terminal; its path and the browser's cookie.
fn begin(deployment: &Deployment, user: &str) -> (String, String) {
    let page = deployment.get(&format!("/{user}/lab")).by(user).send();
    let cookie = page
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let xsrf = cookie.strip_prefix("_xsrf=").expect(&cookie);

    let made = deployment
        .post(&format!("/{user}/api/terminals"), "{}")
        .by(user)
        .with("Cookie", &cookie)
        .with("X-XSRFToken", xsrf)
        .send();
    assert_eq!(made.status, 200, "{}", made.body);
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let path = format!(
        "/{user}/terminals/websocket/{}",
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

/// Two users work in terminals; what is done meanwhile ends the one's and leaves the other's open.
pub fn ends_for_one(deployment: &Deployment, one: &str, other: &str, act: impl FnOnce()) {
    let begun = [one, other].map(|user| (user, begin(deployment, user)));
    runtime().block_on(async {
        let mut sockets = Vec::new();
        for (user, (path, cookie)) in &begun {
            let mut socket = open(deployment, path, Some(user), cookie).await.unwrap();
            answers(&mut socket, 6).await;
            sockets.push(socket);
        }
        act();
        let ended = async {
            while let Some(Ok(message)) = sockets[0].next().await {
                if let Message::Close(_) = message {
                    break;
                }
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(20), ended);
        ended.await.expect("the terminal stays open");
        answers(&mut sockets[1], 6).await;
    });
}

pub async fn open(
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
