//! Libraries that are large, deep, odd, or change under the server's hands.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, Mode, OFlags};
use serde_json::json;

use super::fixture::{LIST, Library, READ, Server, lib_serve, names, text};

/// Runs `work` over and over beside a test.
pub struct Meanwhile {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Meanwhile {
    pub fn run(mut work: impl FnMut() + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut times = 0;
            while !stopped.load(Ordering::Relaxed) {
                work();
                times += 1;
            }
            times
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// Has two entries of a directory change places, over and over.
    pub fn swapping(directory: &Path, one: &'static str, other: &'static str) -> Self {
        let directory = std::fs::File::open(directory).unwrap();
        let exchange = rustix::fs::RenameFlags::EXCHANGE;
        Self::run(move || {
            rustix::fs::renameat_with(&directory, one, &directory, other, exchange).unwrap();
        })
    }

    /// Ends it; how often it ran.
    pub fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Meanwhile {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_directory_of_a_hundred_thousand_is_listed() {
    let library = Library::new();
    let many = library.path("alice/data");
    let many = rustix::fs::openat(CWD, &many, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for number in 0..100_000_u32 {
        // Links are quicker to make than files, and are listed alike.
        rustix::fs::symlinkat("x", &many, format!("entry-{number:06}")).unwrap();
    }
    let server = library.serve_users();
    let reply = server
        .ask_as("alice", LIST, json!({"path": "alice/data"}))
        .await;
    let listed = names(&reply);
    assert!(
        listed.starts_with(" | entry-000000, entry-000001, "),
        "{:.100}",
        reply.text
    );
    assert!(listed.ends_with(", entry-099999"));
    assert_eq!(listed.split(", ").count(), 100_000);
}

#[tokio::test]
async fn a_tree_a_thousand_deep_is_walked() {
    let library = Library::new();
    let mut here =
        rustix::fs::openat(CWD, library.path("alice"), OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..1000 {
        rustix::fs::mkdirat(&here, "d", Mode::from_raw_mode(0o755)).unwrap();
        here = rustix::fs::openat(&here, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let deepest = rustix::fs::openat(
        &here,
        "deep.txt",
        OFlags::CREATE | OFlags::WRONLY,
        Mode::from_raw_mode(0o644),
    );
    std::fs::File::from(deepest.unwrap())
        .write_all(b"down here")
        .unwrap();
    let server = library.serve_users();
    let way = format!("alice/{}", "d/".repeat(1000));
    let reply = server.ask_as("alice", LIST, json!({ "path": way })).await;
    assert_eq!(names(&reply), " | deep.txt");
    let reply = server
        .ask_as("alice", READ, json!({ "path": format!("{way}deep.txt") }))
        .await;
    assert_eq!(text(&reply), "down here");
    let reply = server
        .ask_as(
            "alice",
            LIST,
            json!({ "path": format!("{way}{}", "d/".repeat(5000)) }),
        )
        .await;
    assert_eq!(reply.code(), "200 NOT_FOUND");
}

#[tokio::test]
async fn a_file_that_grows_and_shrinks_is_read_or_refused() {
    let library = Library::new();
    let path = library.path("alice/data/log.txt");
    std::fs::write(&path, "").unwrap();
    let server = library.serve_with("", &["--no-auth", "--max-file", "64k"]);
    let file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    let mut lines = 0;
    let changing = Meanwhile::run(move || {
        (&file).write_all(&[b'x'; 25]).unwrap();
        lines += 1;
        if lines % 4000 == 0 {
            file.set_len(0).unwrap();
        }
    });
    let (mut read, mut refused) = (0, 0);
    while (read < 20 || refused < 20) && read + refused < 2000 {
        let reply = server
            .ask(READ, json!({"path": "alice/data/log.txt"}))
            .await;
        match text(&reply).as_str() {
            "200 TOO_LARGE" => refused += 1,
            text => {
                assert!(text.len() <= 64 << 10);
                assert!(text.bytes().all(|byte| byte == b'x'), "{text:?}");
                read += 1;
            }
        }
    }
    assert!(changing.stop() > 0);
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
}

#[tokio::test]
async fn a_library_may_vanish_and_be_replaced() {
    let library = Library::new();
    let server = library.serve_users();
    let list = async || {
        let reply = server
            .ask_as("alice", LIST, json!({"path": "alice/models"}))
            .await;
        names(&reply)
    };
    let (here, gone) = (library.root(), library.root().with_extension("gone"));
    assert_eq!(list().await, " | spring.txt");
    std::fs::rename(&here, &gone).unwrap();
    assert_eq!(list().await, "200 NOT_FOUND");
    std::fs::write(&here, "a file").unwrap();
    assert_eq!(list().await, "200 NOT_A_DIRECTORY");
    std::fs::remove_file(&here).unwrap();
    library.make_directory("alice/models/new");
    assert_eq!(list().await, "new | ");
    std::fs::remove_dir_all(&here).unwrap();
    std::fs::rename(&gone, &here).unwrap();
    assert_eq!(list().await, " | spring.txt");
}

/// The server as somebody who is not root; as the one who runs the test, where that is not root either.
fn serve_as_nobody(library: &Library) -> Server {
    let inner = library.behind_the_gateway(lib_serve(), &[]);
    let mut command = Command::new(inner.get_program());
    if rustix::process::geteuid().is_root() {
        // Both may lie where nobody else gets.
        let place = library.root().parent().unwrap().to_owned();
        std::fs::set_permissions(&place, Permissions::from_mode(0o755)).unwrap();
        let program = place.join("dtaas");
        std::fs::copy(inner.get_program(), &program).unwrap();
        command = Command::new(program);
        command.uid(65_534).gid(65_534);
    }
    command.args(inner.get_args()).env_clear();
    Server::start(command)
}

#[tokio::test]
async fn what_may_not_be_read_is_said_to_be_so() {
    let library = Library::new();
    library.make_directory("alice/data/closed/in");
    library.make_directory("alice/data/passage");
    library.write("alice/data/passage/file.txt", "through");
    library.write("alice/closed.txt", "closed");
    let mode = |path: &str, mode| {
        std::fs::set_permissions(library.path(path), Permissions::from_mode(mode)).unwrap();
    };
    mode("alice/data/closed", 0o000);
    mode("alice/data/passage", 0o711);
    mode("alice/closed.txt", 0o000);
    let server = serve_as_nobody(&library);
    for (query, path, expected) in [
        (READ, "alice/closed.txt", "200 UNREADABLE"),
        (LIST, "alice/data/closed", "200 UNREADABLE"),
        (LIST, "alice/data/closed/in", "200 UNREADABLE"),
        (READ, "alice/data/closed/x.txt", "200 UNREADABLE"),
        (READ, "alice/data/passage/file.txt", "200 ok"),
    ] {
        let reply = server.ask_as("alice", query, json!({ "path": path })).await;
        assert_eq!(reply.code(), expected, "{path}");
    }
    let reply = server
        .ask_as("alice", LIST, json!({"path": "alice/data"}))
        .await;
    assert_eq!(names(&reply), "closed, passage | ");
    mode("alice/data/closed", 0o755);
}
