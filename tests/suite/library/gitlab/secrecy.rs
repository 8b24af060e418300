//! The token is for GitLab alone.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use reqwest::header::AUTHORIZATION;
use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::super::fixture::{LIST, READ, Server, names, text};
use super::super::gitlab_server::{Authority, Behaviour, Gitlab, TOKEN};
use super::{GROUP, Setup};

#[tokio::test]
async fn the_token_stands_in_one_header_and_nowhere_else() {
    let setup = Setup::new();
    let mut server = setup.serve_with("LOG_LEVEL='debug'", &["--no-auth"]);
    let mut said = Vec::new();
    for path in ["", "alice", "alice/README.md", "none", "alice/none"] {
        for query in [LIST, READ] {
            said.push(server.ask(query, json!({ "path": path })).await.text);
        }
    }
    // Where GitLab repeats the token, it is not passed on.
    for status in [200, 403, 401] {
        let echo = Behaviour::refuse(status, &format!("no scope for {TOKEN}"));
        setup.gitlab.behave(echo);
        let reply = server.ask(LIST, json!({"path": "alice"})).await;
        assert!(reply.text.contains("no scope for …"), "{}", reply.text);
        said.push(reply.text);
    }
    let seen = setup.gitlab.seen_with_readiness();
    assert!(seen.len() > 10, "{}", seen.len());
    for seen in seen {
        assert_eq!(seen.method, "POST");
        assert_eq!(seen.uri, "/api/graphql");
        assert_eq!(seen.headers[AUTHORIZATION], format!("Bearer {TOKEN}"));
        let others = seen
            .headers
            .iter()
            .filter(|(name, _)| *name != AUTHORIZATION);
        let others: Vec<_> = others
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        said.push(format!("{others:?} {} {}", seen.query, seen.variables));
    }
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    said.extend(server.rest());
    for line in said {
        assert!(!line.contains(TOKEN), "{line}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let setup = Setup::new();
    let elsewhere = Gitlab::start(GROUP);
    let server = setup.serve();
    let to = format!("{}?private=1", elsewhere.url());
    setup.gitlab.behave(Behaviour::redirect(to));
    let reply = server.ask(LIST, json!({"path": "alice"})).await;
    assert_eq!(
        reply.json()["errors"][0]["message"],
        format!(
            "\"alice\": GitLab's address leads elsewhere (302), to {}; GITLAB_URL must be the address that answers",
            elsewhere.url()
        )
    );
    assert_eq!(elsewhere.seen_with_readiness().len(), 0);
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
    let authority = Authority::new("one");
    let setup = Setup::over(Gitlab::start_tls(GROUP, &authority));
    let list = async |server: &Server| {
        let reply = server.ask(LIST, json!({"path": "alice"})).await;
        match reply.json()["errors"][0]["message"].as_str() {
            Some(message) => message.to_owned(),
            None => names(&reply),
        }
    };
    let file = setup.directory.path().join("ca.pem");
    let settings = format!("GITLAB_CA_FILE='{}'", file.display());

    std::fs::write(&file, &authority.pem).unwrap();
    let trusting = setup.serve_with(&settings, &["--no-auth"]);
    assert_eq!(list(&trusting).await, " | README.md");

    let unknown = "\"alice\": GitLab cannot be reached: invalid peer certificate: UnknownIssuer";
    let asked = setup.gitlab.seen_with_readiness().len();
    assert!(asked > 0);
    let without = setup.serve();
    assert_eq!(list(&without).await, unknown);
    std::fs::write(&file, Authority::new("other").pem).unwrap();
    let with_another = setup.serve_with(&settings, &["--no-auth"]);
    assert_eq!(list(&with_another).await, unknown);
    assert_eq!(setup.gitlab.seen_with_readiness().len(), 0);
}

/// A proxy that takes every connection to `target`, and notes what it was told.
async fn proxy(target: std::net::SocketAddr) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = heard.clone();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let notes = notes.clone();
            tokio::spawn(async move {
                let mut connection = BufReader::new(connection);
                loop {
                    let mut line = String::new();
                    connection.read_line(&mut line).await.unwrap();
                    let line = line.trim_end().to_owned();
                    if line.is_empty() {
                        break;
                    }
                    notes.lock().unwrap().push(line);
                }
                let mut onward = TcpStream::connect(target).await.unwrap();
                let fine = b"HTTP/1.1 200 Connection established\r\n\r\n";
                connection.write_all(fine).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut connection, &mut onward).await;
            });
        }
    });
    (port, heard)
}

#[tokio::test]
async fn a_proxy_carries_tls_and_sees_no_token() {
    let authority = Authority::new("one");
    let setup = Setup::over(Gitlab::start_tls(GROUP, &authority));
    let file = setup.directory.path().join("ca.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    let (port, heard) = proxy(setup.gitlab.address).await;
    let proxy = format!("http://127.0.0.1:{port}");
    let settings = format!(
        "GITLAB_URL='https://gitlab.test/api/graphql'\nGITLAB_CA_FILE='{}'",
        file.display()
    );
    let mut command = setup.command(&settings, &["--no-auth"]);
    command.env("HTTPS_PROXY", &proxy);
    let server = Server::start(command);
    let read = server.ask(READ, json!({"path": "alice/README.md"})).await;
    assert_eq!(text(&read), "# alice");
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    assert_eq!(heard[0], "CONNECT gitlab.test:443 HTTP/1.1");
    assert!(heard.iter().all(|line| !line.contains(TOKEN)), "{heard:?}");
}

#[tokio::test]
async fn to_this_machine_there_is_no_proxy() {
    let setup = Setup::new();
    let (port, heard) = proxy(setup.gitlab.address).await;
    let proxy = format!("http://127.0.0.1:{port}");
    let mut command = setup.command("", &["--no-auth"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &proxy);
    }
    let server = Server::start(command);
    let read = server.ask(READ, json!({"path": "alice/README.md"})).await;
    assert_eq!(text(&read), "# alice");
    assert_eq!(*heard.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_with_the_token_that_everyone_can_read_is_told() {
    let setup = Setup::new();
    let file = setup.directory.path().join("lib.env");
    let warning = format!(
        "every account of this machine can read the token in {0}; chmod 600 {0}",
        file.display()
    );
    for (mode, told) in [(0o644, true), (0o640, false), (0o600, false)] {
        let command = setup.command("", &["--no-auth"]);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut server = Server::start(command);
        server.signal(Signal::TERM);
        server.wait();
        let said = [server.said.clone(), server.rest()].concat().join("\n");
        assert_eq!(said.contains(&warning), told, "{mode:o}: {said}");
    }
}
