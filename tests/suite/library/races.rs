//! What changes between looking and opening leads nowhere else: while names change hands as fast as they can, nothing
//! that is hidden is shown, and nothing outside is written.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use rustix::fs::RenameFlags;
use serde_json::json;

use super::fixture::{HIDDEN, LIST, Library, READ, Reply, Server, make_fifo};
use super::large::Meanwhile;

/// How often each request is made.
const ROUNDS: usize = 150;

/// Alice's folder, with names that are about to change hands.
fn set_up(library: &Library) {
    library.make_directory("alice/flip");
    library.write("alice/flip/secret.txt", "mine");
    library.link("alice/flop", "../bob");
    library.write("alice/file.txt", "mine");
    library.link("alice/file-link", "../bob/secret.txt");
    library.write("alice/calm.txt", "mine");
    make_fifo(&library.path("alice/fifo"));
    // By way of a directory that is carried out of the library and back, while somebody is in it.
    library.make_directory("alice/nest/inner");
    library.write("alice/outside.txt", "mine");
    library.link("alice/climb", "nest/inner/../../outside.txt");
    std::fs::create_dir(library.root().with_file_name("away")).unwrap();
}

/// Lets the names change hands until dropped.
fn shuffle(library: &Library) -> Meanwhile {
    let alice = File::open(library.path("alice")).unwrap();
    let inside = library.path("alice/nest/inner");
    let away = library.root().with_file_name("away").join("inner");
    Meanwhile::run(move || {
        for (one, other) in [
            ("flip", "flop"),
            ("file.txt", "file-link"),
            ("calm.txt", "fifo"),
        ] {
            // What is asked for meanwhile may take one of them away.
            let _ = rustix::fs::renameat_with(&alice, one, &alice, other, RenameFlags::EXCHANGE);
        }
        let _ = std::fs::rename(&inside, &away);
        let _ = std::fs::rename(&away, &inside);
    })
}

/// Everything that is not alice's and not common, with its contents.
fn elsewhere(library: &Library) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let place = library.root().parent().unwrap().to_owned();
    let mut todo = vec![place.clone()];
    while let Some(directory) = todo.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let of_alices = |part: &str| path.starts_with(library.path(part));
            if of_alices("alice") || of_alices("common") || path.starts_with(place.join("away")) {
                continue;
            }
            let contents = path.is_file().then(|| std::fs::read(&path).unwrap());
            if path.is_dir() && !path.is_symlink() {
                todo.push(path.clone());
            }
            found.insert(path, contents);
        }
    }
    found
}

/// A question, asked over and over; how often it was answered, and how often not.
async fn ask(server: &Server, query: &str, path: &str) -> (usize, usize) {
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..ROUNDS {
        let reply = server.ask_as("alice", query, json!({ "path": path })).await;
        judge(&reply, path);
        match reply.code().as_str() {
            "200 ok" => answered += 1,
            _ => refused += 1,
        }
    }
    (answered, refused)
}

fn judge(reply: &Reply, what: &str) {
    assert!(!reply.text.contains(HIDDEN), "{what}: {}", reply.text);
    let bobs = reply.text.contains("bobs-own");
    assert!(!bobs, "{what}: {}", reply.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_change_hands_show_nothing_hidden() {
    let library = Library::new();
    set_up(&library);
    library.write("bob/bobs-own.txt", HIDDEN);
    let server = library.serve_users();
    let before = elsewhere(&library);
    let shuffling = shuffle(&library);
    let outcomes = tokio::join!(
        ask(&server, READ, "alice/flip/secret.txt"),
        ask(&server, LIST, "alice/flip"),
        ask(&server, READ, "alice/file.txt"),
        ask(&server, READ, "alice/file-link"),
        ask(&server, READ, "alice/calm.txt"),
        ask(&server, READ, "alice/climb"),
        ask(&server, LIST, "alice/nest/inner"),
    );
    assert!(shuffling.stop() > 100);
    let (flip, _, file, ..) = outcomes;
    // Both sides of the coin were seen, so there was something to find.
    for (answered, refused) in [flip, file] {
        assert!(answered > 0 && refused > 0, "{outcomes:?}");
    }
    assert_eq!(elsewhere(&library), before);
}
