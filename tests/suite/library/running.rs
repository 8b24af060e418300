//! Starting, stopping, and what is said meanwhile.

use std::process::Output;

use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fixture::{LIST, Library, PATIENCE, READ, Reply, SECRET, client, lib_serve, question};

fn refused(output: &Output) -> (Option<i32>, String) {
    assert_eq!(output.stdout, b"");
    (
        output.status.code(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    )
}

#[test]
fn it_does_not_start_before_someone_says_who_may_see_the_library() {
    let output = lib_serve().output().unwrap();
    let (code, said) = refused(&output);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("nothing says who may see the library"),
        "{said}"
    );
    assert!(said.contains("--gateway-secret-file"), "{said}");
    assert!(said.contains("--no-auth"), "{said}");
}

#[test]
fn it_names_every_wrong_setting_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lib.env");
    std::fs::write(&file, "PORT='x'\nLOCAL_PATH='/none'\nLOG_LEVLE='info'\n").unwrap();
    let mut command = lib_serve();
    command.args(["--no-auth", "--env-file"]).arg(&file);
    let (code, said) = refused(&command.output().unwrap());
    let name = file.display();
    assert_eq!(code, Some(2), "{said}");
    for line in [
        format!("{name}:3: LOG_LEVLE: no such setting; did you mean LOG_LEVEL?"),
        format!("{name}:1: PORT='x': not a port; write a number from 1 to 65535"),
        format!("{name}:2: LOCAL_PATH='/none': cannot be listed (No such file or directory"),
    ] {
        assert!(said.contains(&line), "{line}\nis not in\n{said}");
    }
}

#[test]
fn it_does_not_start_with_a_secret_that_is_missing_or_empty() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    for (contents, expected) in [
        (None, "cannot read the gateway's secret from"),
        (Some(" \n"), "is empty"),
    ] {
        if let Some(contents) = contents {
            std::fs::write(&file, contents).unwrap();
        }
        let mut command = lib_serve();
        command.arg("--gateway-secret-file").arg(&file);
        let (code, said) = refused(&command.output().unwrap());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn it_says_what_it_serves_and_where() {
    let library = Library::new();
    let server = library.serve();
    let (root, address) = (library.root(), server.address());
    assert_eq!(
        server.ready,
        format!(
            "library: serving {} at http://{address}/lib",
            root.display()
        )
    );
}

#[tokio::test]
async fn health_and_readiness_need_no_gateway() {
    let library = Library::new();
    let server = library.serve_users();
    for path in ["/healthz", "/readyz"] {
        let reply = Reply::of(client().get(server.at(path))).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, "ok\n"), "{path}");
    }
    let (here, gone) = (library.root(), library.root().with_extension("gone"));
    std::fs::rename(&here, &gone).unwrap();
    let reply = Reply::of(client().get(server.at("/readyz"))).await;
    assert_eq!(
        (reply.status, reply.text.as_str()),
        (503, "the library cannot be read\n")
    );
    let reply = Reply::of(client().get(server.at("/healthz"))).await;
    assert_eq!(reply.status, 200);
    std::fs::rename(&gone, &here).unwrap();
    let reply = Reply::of(client().get(server.at("/readyz"))).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn told_twice_to_stop_it_says_what_it_cuts() {
    let library = Library::new();
    let mut server = library.serve();
    // Given two questions that do not come to their end,
    let mut begun = Vec::new();
    for _ in 0..2 {
        let mut connection = TcpStream::connect(server.address()).await.unwrap();
        let head = "POST /lib HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                    Content-Length: 100\r\nExpect: 100-continue\r\n\r\n";
        connection.write_all(head.as_bytes()).await.unwrap();
        // (in hand once their bodies are asked for)
        let mut asked = [0; 25];
        connection.read_exact(&mut asked).await.unwrap();
        assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
        begun.push(connection);
    }
    // when the server is told to stop, and told again,
    server.signal(Signal::TERM);
    server.logged(" stopping");
    server.signal(Signal::TERM);
    // then it stops and says what was not answered.
    let line = server.logged("stopped before");
    assert!(
        line.ends_with("Z stopped before every request had ended: 2 questions"),
        "{line}"
    );
    assert!(server.wait().success());
}

/// What a line of the log tells between the time, to the millisecond, and how long it took.
fn event(line: &str) -> &str {
    let rest = line.strip_prefix("library: ").unwrap();
    let (stamp, rest) = rest.split_once(' ').unwrap();
    let pattern: String = stamp
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(pattern, "0000-00-00T00:00:00.000Z", "{line}");
    let (event, took) = rest.strip_suffix(" ms").unwrap().rsplit_once(' ').unwrap();
    took.parse::<f64>().unwrap();
    event
}

#[tokio::test]
async fn each_request_is_a_line_of_the_log() {
    let library = Library::new();
    let server = library.serve_users();
    server.ask_as("alice", LIST, json!({"path": "alice"})).await;
    let line = server.logged("alice ");
    assert_eq!(event(&line), "alice listDirectory 200");
    server
        .ask_as("alice", READ, json!({"path": "bob/secret.txt"}))
        .await;
    let line = server.logged("readFile");
    assert_eq!(event(&line), "alice readFile 200 NOT_FOUND");
    server.ask(LIST, json!({"path": "\n forged"})).await;
    let line = server.logged("401");
    assert_eq!(event(&line), "- - 401 UNAUTHENTICATED");

    // What somebody sends steers no terminal, also where a message repeats it.
    let talkative = library.serve_with("LOG_LEVEL='debug'", &["--no-auth"]);
    let evil = "alice/\u{1b}]0;title\u{7}\u{9b}31m\n\u{202e}x";
    talkative.ask(READ, json!({"path": evil})).await;
    let line = talkative.logged("is not in the library");
    assert!(
        !line.contains(|c: char| c.is_control() || c == '\u{202e}'),
        "{line:?}"
    );

    let quiet = library.serve_with("LOG_LEVEL='error'", &["--no-auth"]);
    quiet.ask(LIST, json!({"path": "alice"})).await;
    quiet.signal(Signal::TERM);
    let mut quiet = quiet;
    assert!(quiet.wait().success());
    assert_eq!(quiet.rest(), Vec::<String>::new());
}

#[tokio::test]
async fn told_to_stop_it_ends_what_it_has_begun() {
    let library = Library::new();
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = library.serve_users();
        let idle = TcpStream::connect(server.address()).await.unwrap();

        // Given a request whose body is half here,
        let body = question(READ, json!({"path": "alice/README.md"}));
        let (first, second) = body.split_at(body.len() / 2);
        let mut begun = TcpStream::connect(server.address()).await.unwrap();
        let head = format!(
            "POST /lib HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             X-Dtaas-Gateway: {SECRET}\r\nX-Forwarded-User: alice\r\n\r\n",
            body.len()
        );
        begun.write_all(head.as_bytes()).await.unwrap();
        begun.write_all(first.as_bytes()).await.unwrap();
        // (the server has it for sure once it answers what came later)
        server.ask_as("alice", LIST, json!({"path": ""})).await;

        // when the server is told to stop and takes no more connections,
        server.signal(signal);
        let refused = async {
            while TcpStream::connect(server.address()).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, refused).await.unwrap();

        // then the rest is still taken and answered, and the server ends well.
        begun.write_all(second.as_bytes()).await.unwrap();
        let mut answer = String::new();
        begun.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(r##""rawBlob":"# alice""##), "{answer}");
        drop(idle);
        assert!(server.wait().success());
    }
}

#[test]
fn it_names_wrong_flags_settings_and_a_taken_port_together() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let file = directory.path().join("lib.env");
    std::fs::write(
        &file,
        format!("PORT='{port}'\nLOCAL_PATH='/none'\nAPOLLO_PATH='/metrics'\n"),
    )
    .unwrap();
    let secret = directory.path().join("secret");
    let mut command = lib_serve();
    command.arg("--env-file").arg(&file);
    command.arg("--gateway-secret-file").arg(&secret);
    let (code, said) = refused(&command.output().unwrap());
    let (name, secret) = (file.display(), secret.display());
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(
        said,
        format!(
            "error: 4 things keep the library server from starting:\n  \
             cannot read the gateway's secret from {secret}: No such file or directory (os error 2)\n  \
             the library server cannot listen on 127.0.0.1:{port}: Address already in use (os error 98); \
             choose another address with --listen, or see who has it: ss -ltnp 'sport = :{port}'\n  \
             {name}:2: LOCAL_PATH='/none': cannot be listed (No such file or directory (os error 2)); \
             write the absolute path of the directory to serve\n  \
             {name}:3: APOLLO_PATH='/metrics': the server's own health is reported there; write '/lib' or ''\n"
        )
    );
}

#[test]
fn an_address_that_is_taken_is_named() {
    let library = Library::new();
    let server = library.serve();
    let mut command = lib_serve();
    command.env("LOCAL_PATH", library.root());
    command.args(["--no-auth", "--listen", &server.address()]);
    command.current_dir(library.root());
    let (code, said) = refused(&command.output().unwrap());
    assert_eq!(code, Some(1), "{said}");
    let expected = format!("the library server cannot listen on {}", server.address());
    assert!(said.contains(&expected), "{said}");
}
