//! How a trial starts, and what keeps it from starting.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::auth::fixture::basic;
use crate::library::fixture::{LIST, Library, Reply, client, names, question};

use super::fixture::{Trial, names_in, trial};

/// Exit code and what was said on standard error; nothing was printed and nothing is left.
fn refused(mut command: Command, temporary: &Path) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    assert_eq!(names_in(temporary), [""; 0]);
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn with(temporary: &Path, arguments: &[&str]) -> Command {
    let mut command = trial(temporary);
    command.args(arguments);
    command
}

async fn top_of(trial: &Trial, key: &str) -> String {
    let request = client()
        .post(format!("{}lib", trial.url))
        .header("Content-Type", "application/json")
        .header("Authorization", key)
        .body(question(LIST, json!({"path": ""})));
    let reply = Reply::of(request).await;
    match reply.status {
        200 => names(&reply),
        status => format!("{status} {}", reply.text),
    }
}

#[tokio::test]
async fn a_library_of_ones_own_is_shown_as_it_is() {
    let temporary = tempfile::tempdir().unwrap();
    let library = Library::new();
    let root = library.root();
    library.make_directory(".removed");
    library.make_directory("Not a user");
    let before = tree(&root);

    let mut command = with(temporary.path(), &["--port", "0"]);
    command.arg(&root);
    let trial = Trial::start(command, "");
    let users: Vec<&str> = trial
        .passwords
        .iter()
        .map(|(user, _)| user.as_str())
        .collect();
    assert_eq!(users, ["alice", "bob"]);
    assert_eq!(top_of(&trial, &trial.key_of("bob")).await, "bob, common | ");
    drop(trial);
    assert_eq!(tree(&root), before);
}

/// Every path below a directory, with the time of its last change.
fn tree(root: &Path) -> Vec<(std::path::PathBuf, std::time::SystemTime)> {
    let mut all = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            all.push((entry.path(), metadata.modified().unwrap()));
            if metadata.is_dir() {
                left.push(entry.path());
            }
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn passwords_can_be_brought() {
    let temporary = tempfile::tempdir().unwrap();
    let command = with(
        temporary.path(),
        &["--port", "0", "--users", "carol,dave", "--password-stdin"],
    );
    let trial = Trial::start(command, "carols-password\ndaves-password\n");
    assert_eq!(trial.passwords, []);
    let carol = top_of(&trial, &basic("carol", "carols-password")).await;
    assert_eq!(carol, "carol, common | ");
    let crossed = top_of(&trial, &basic("dave", "carols-password")).await;
    assert_eq!(crossed, "401 Sign in.\n");
}

#[tokio::test]
async fn entries_of_htpasswd_can_be_brought() {
    let temporary = tempfile::tempdir().unwrap();
    let place = tempfile::tempdir().unwrap();
    let entries = place.path().join("htpasswd");
    fs::write(
        &entries,
        "alice:$apr1$i2lATwbN$dKvDiEbk.m5JGsjQHpq.e0\nbob:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=\n",
    )
    .unwrap();
    let mut command = with(temporary.path(), &["--port", "0", "--htpasswd"]);
    command.arg(&entries);
    let trial = Trial::start(command, "");
    for user in ["alice", "bob"] {
        let top = top_of(&trial, &basic(user, "hunter2")).await;
        assert_eq!(top, format!("{user}, common | "));
    }
}

#[test]
fn two_trials_run_side_by_side() {
    let temporary = tempfile::tempdir().unwrap();
    let [one, other] = [(); 2].map(|()| Trial::start(trial(temporary.path()), ""));
    assert_ne!(one.url, other.url);
    let port = |trial: &Trial| reqwest::Url::parse(&trial.url).unwrap().port().unwrap();
    let taken = format!("Port 8000 is taken; this trial has {}.", port(&other));
    assert!(other.said.contains(&taken), "{:?}", other.said);
    assert_eq!(names_in(temporary.path()).len(), 2);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let temporary = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let command = with(temporary.path(), &["--port", &port]);
    let (code, said) = refused(command, temporary.path());
    assert_eq!(code, Some(1));
    assert_eq!(
        said,
        format!(
            "error: the trial cannot listen on 127.0.0.1:{port}: Address already in use (os error 98)\n\
             hint: choose another with --port (0 takes any that is free), or see who has it: ss -ltnp 'sport = :{port}'\n"
        )
    );
}

#[test]
fn what_cannot_be_shown_is_refused_before_anything_is_made() {
    let temporary = tempfile::tempdir().unwrap();
    let library = Library::new();
    let files = library.root();
    let (beside, files) = (files.parent().unwrap().display(), files.display());
    let beside = beside.to_string();
    let files = files.to_string();
    let entries = format!("{beside}/htpasswd");
    fs::write(&entries, "alice:hunter2\nnobody\n").unwrap();
    for (arguments, expected) in [
        (
            vec!["/none"],
            "error: /none cannot be listed: No such file or directory (os error 2)\n\
             hint: name a directory with a folder for each user, or none: then a sample is shown\n"
                .to_owned(),
        ),
        (
            vec![beside.as_str()],
            format!("error: {beside} holds no user's folder\nhint: did you mean {files}?\n"),
        ),
        (
            vec![files.as_str(), "--users", "alice,carol,dave"],
            format!(
                "error: {files} has no folder for carol, dave\nhint: it has one for alice, bob\n"
            ),
        ),
        (
            vec!["--users", "alice,alice"],
            "error: --users names somebody twice\n".to_owned(),
        ),
        (
            vec!["--htpasswd", entries.as_str()],
            format!(
                "error: {entries}:1: the hash is neither bcrypt, apr1 nor SHA, which alone are accepted\n  \
                 {entries}:2: this is not of the form user:hash\n\
                 hint: make entries with: htpasswd -B FILE NAME\n"
            ),
        ),
    ] {
        let command = with(temporary.path(), &arguments);
        let (code, said) = refused(command, temporary.path());
        assert_eq!((code, said), (Some(2), expected), "{arguments:?}");
    }
}

/// It listens on loopback and can be told nothing else.
#[test]
fn it_cannot_be_shown_to_other_machines() {
    let temporary = tempfile::tempdir().unwrap();
    for arguments in [
        ["--listen", "0.0.0.0:8000"],
        ["--port", "0.0.0.0:8000"],
        ["--users", "common"],
    ] {
        let (code, said) = refused(with(temporary.path(), &arguments), temporary.path());
        assert_eq!(code, Some(2), "{said}");
    }
    let trial = Trial::of_the_sample(temporary.path());
    assert!(trial.url.starts_with("http://127.0.0.1:"), "{}", trial.url);
}
