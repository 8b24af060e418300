//! A trial's workspaces: real JupyterLab, where this machine has one for the tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::library::fixture::{Reply, client};
use crate::rig::there_is;

use super::fixture::{PATIENCE, Trial, names_in, trial};

/// The program; where there is none, the test says so and is over.
fn jupyter(test: &str) -> Option<PathBuf> {
    let program = std::env::var_os("DTAAS_RIG_JUPYTER");
    there_is("a JupyterLab (scripts/rig up)", program.is_some(), test);
    program.map(PathBuf::from)
}

fn with(temporary: &Path, program: &Path, arguments: &[&str]) -> Trial {
    let mut command = trial(temporary);
    command.args(["--port", "0", "--jupyter"]).arg(program);
    command.args(arguments);
    Trial::start(command, "")
}

async fn get(trial: &Trial, user: &str, path: &str) -> Reply {
    let request = client().get(format!("{}{path}", trial.url));
    Reply::of(request.header("Authorization", trial.key_of(user))).await
}

/// The answer once it is none of a JupyterLab that is starting.
async fn once_started(trial: &Trial, user: &str, path: &str) -> Reply {
    let begun = Instant::now();
    loop {
        let reply = get(trial, user, path).await;
        if reply.status != 503 {
            return reply;
        }
        assert_eq!(reply.headers["refresh"], "1");
        assert!(begun.elapsed() < PATIENCE * 3, "{}", reply.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A kernel's answer to a line of Python, over its WebSocket.
async fn cell(trial: &Trial, user: &str, code: &str) -> String {
    let key = trial.key_of(user);
    let request = client().post(format!("{}{user}/api/kernels", trial.url));
    let kernel = Reply::of(request.header("Authorization", &key).body("{}")).await;
    assert_eq!(kernel.status, 201, "{}", kernel.text);
    let kernel: Value = serde_json::from_str(&kernel.text).unwrap();
    let id = kernel["id"].as_str().unwrap();
    let at = trial.url.replace("http:", "ws:");
    let mut request = format!("{at}{user}/api/kernels/{id}/channels")
        .into_client_request()
        .unwrap();
    let headers = request.headers_mut();
    headers.insert("Authorization", key.parse().unwrap());
    let address = trial
        .url
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let connection = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = client_async(request, connection).await.unwrap();
    let asked = json!({
        "header": {"msg_id": "1", "username": "", "session": "s", "msg_type": "execute_request", "version": "5.3"},
        "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
        "content": {"code": code, "silent": false, "store_history": false, "user_expressions": {}, "allow_stdin": false},
    });
    socket.send(Message::text(asked.to_string())).await.unwrap();
    let answer = async {
        loop {
            let message = socket.next().await.unwrap().unwrap();
            let Ok(text) = message.to_text() else {
                continue;
            };
            let Ok(told) = serde_json::from_str::<Value>(text) else {
                continue;
            };
            if told["msg_type"] == "stream" {
                return told["content"]["text"].as_str().unwrap().to_owned();
            }
        }
    };
    tokio::time::timeout(PATIENCE, answer).await.unwrap()
}

/// Processes that have a directory below this one in their environment.
fn processes_of(temporary: &Path) -> usize {
    let sign = format!("TMPDIR={}/", temporary.display());
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(Result::ok)
        .filter_map(|entry| fs::read(entry.path().join("environ")).ok())
        .filter(|environ| String::from_utf8_lossy(environ).contains(&sign))
        .count()
}

async fn all_end(temporary: &Path) {
    let begun = Instant::now();
    while processes_of(temporary) > 0 {
        assert!(begun.elapsed() < PATIENCE, "some are left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_workspace_is_its_users_alone_and_runs_cells() {
    let Some(program) = jupyter("a_workspace_is_its_users_alone_and_runs_cells") else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let temporary = place.path().join("with a space");
    fs::create_dir(&temporary).unwrap();
    for signal in [Signal::INT, Signal::KILL] {
        // Given a trial that nobody has asked for a workspace,
        let mut trial = with(&temporary, &program, &[]);
        assert_eq!(processes_of(&temporary), 0);
        // when alice opens hers, it is there for her and for nobody else,
        let page = once_started(&trial, "alice", "alice/lab").await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("JupyterLab"), "{}", page.text);
        let bobs = get(&trial, "bob", "alice/lab").await;
        assert_eq!(
            (bobs.status, bobs.text.as_str()),
            (403, "This is another user's.\n")
        );
        // and shows her folder and the shared one, and runs what she types.
        let said = cell(&trial, "alice", "import os; print(sorted(os.listdir('.')))").await;
        assert_eq!(said, "['alice', 'common']\n");
        assert!(processes_of(&temporary) >= 2);
        // However the trial ends, nothing runs on.
        trial.signal(signal);
        trial.wait();
        all_end(&temporary).await;
        let left = match signal {
            Signal::INT => 0,
            _ => 1,
        };
        assert_eq!(names_in(&temporary).len(), left, "{signal:?}");
    }
}

#[tokio::test]
async fn one_that_cannot_start_is_told_with_what_it_said() {
    let temporary = tempfile::tempdir().unwrap();
    let program = temporary.path().join("jupyter-lab");
    fs::write(&program, "#!/bin/sh\necho 'no <module> here'\nexit 1\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let trial = with(scratch.path(), &program, &[]);
    let page = once_started(&trial, "alice", "alice/lab").await;
    assert_eq!(page.status, 502);
    let said = "<pre>no &lt;module&gt; here</pre>";
    assert!(page.text.contains(said), "{}", page.text);
    assert!(page.text.contains("start the trial again"), "{}", page.text);
}

#[tokio::test]
async fn where_there_is_none_the_page_says_how_to_get_one() {
    let temporary = tempfile::tempdir().unwrap();
    let trial = Trial::of_the_sample(temporary.path());
    let page = get(&trial, "alice", "alice/lab").await;
    assert_eq!(page.status, 404);
    assert!(
        page.text.contains("<pre>pip install jupyterlab</pre>"),
        "{}",
        page.text
    );
    assert_eq!(get(&trial, "bob", "alice/lab").await.status, 403);
}
