//! What changes between looking and opening leads nowhere else: while names change hands as fast as they can, nothing
//! that is hidden is shown, and nothing of others is changed.

use std::fs::File;

use rustix::fs::RenameFlags;
use serde_json::json;

use super::files_client::Files;
use super::fixture::{LIST, Library, READ, Server, make_fifo};
use super::hidden::{self, judge, of_others};
use super::large::Meanwhile;

/// How often each request is made.
const ROUNDS: usize = 120;

/// Alice's folder, with names that are about to change hands.
fn set_up(library: &Library) {
    hidden::plant(library);
    library.make_directory("alice/flip/data");
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
    library.link("alice/climbed", "nest/inner/../..");
}

/// Lets the names change hands until stopped.
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

/// A question, asked over and over; how often it was answered, and how often not.
async fn ask(server: &Server, query: &str, path: &str) -> (usize, usize) {
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..ROUNDS {
        let reply = server.ask_as("alice", query, json!({ "path": path })).await;
        judge(reply.text.as_bytes(), &path);
        match reply.code().as_str() {
            "200 ok" => answered += 1,
            _ => refused += 1,
        }
    }
    (answered, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_change_hands_show_nothing_hidden() {
    let library = Library::new();
    set_up(&library);
    let server = library.serve_users();
    let before = of_others(&library);
    let shuffling = shuffle(&library);
    let files = Files::user(&server, "alice");
    let get = async |path: &str| {
        let (mut answered, mut refused) = (0, 0);
        for _ in 0..ROUNDS {
            let answer = files.get(path).await;
            judge(&answer.bytes, &path);
            match answer.status {
                200 => answered += 1,
                status => {
                    assert!((400..500).contains(&status), "{path}: {status}");
                    refused += 1;
                }
            }
        }
        (answered, refused)
    };
    let outcomes = tokio::join!(
        ask(&server, READ, "alice/flip/secret.txt"),
        ask(&server, READ, "alice/file.txt"),
        ask(&server, LIST, "alice/flip"),
        ask(&server, READ, "alice/file-link"),
        ask(&server, READ, "alice/calm.txt"),
        ask(&server, READ, "alice/climb"),
        ask(&server, LIST, "alice/climbed"),
        get("alice/flip/secret.txt"),
        get("alice/flip"),
        get("alice/flip?zip"),
        get("alice/file.txt"),
        get("alice/climb"),
    );
    let zips = async {
        for _ in 0..ROUNDS / 4 {
            let answer = files.get("alice?zip").await;
            judge(&answer.bytes, &"alice?zip");
        }
    };
    zips.await;
    assert!(shuffling.stop() > 100);
    // Both sides of the coin were seen, so there was something to find.
    let (flip, file, ..) = outcomes;
    for (answered, refused) in [flip, file] {
        assert!(answered > 0 && refused > 0, "{outcomes:?}");
    }
    assert_eq!(of_others(&library), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_change_hands_lead_no_write_out() {
    let library = Library::new();
    set_up(&library);
    let server = library.serve_users_with(&["--writable"]);
    let before = of_others(&library);
    let shuffling = shuffle(&library);
    let files = Files::user(&server, "alice");
    let put = async |path: &str| {
        let mut taken = 0;
        for round in 0..ROUNDS {
            let answer = files.put(path, format!("written {round}")).await;
            judge(&answer.bytes, &path);
            assert!(answer.status < 500, "{path}: {}", answer.said());
            taken += usize::from(answer.status < 300);
        }
        taken
    };
    let part = async |path: &str| {
        for _ in 0..ROUNDS {
            let range = [("Content-Range", "bytes 0-3/4")];
            let answer = files.send("PUT", path, &range, "part").await;
            judge(&answer.bytes, &path);
            assert!(answer.status < 500, "{path}: {}", answer.said());
        }
    };
    let shift = async |from: &str, to: &str| {
        for _ in 0..ROUNDS / 2 {
            for (from, to) in [(from, to), (to, from)] {
                let answer = files.rename(from, to).await;
                judge(&answer.bytes, &from);
                assert!(answer.status < 500, "{from}: {}", answer.said());
            }
        }
    };
    let remove = async |path: &str| {
        for _ in 0..ROUNDS {
            let answer = files.send("DELETE", path, &[], "").await;
            judge(&answer.bytes, &path);
            assert!(answer.status < 500, "{path}: {}", answer.said());
            let answer = files.send("MKCOL", path, &[], "").await;
            judge(&answer.bytes, &path);
        }
    };
    let (taken, ..) = tokio::join!(
        put("alice/flip/new.txt"),
        put("alice/flip/made/on/the/way.txt"),
        put("alice/nest/inner/new.txt"),
        put("alice/climbed/bob/secret.txt"),
        part("alice/flip/parts.txt?upload=u"),
        shift("alice/flip/secret.txt", "alice/flip/other.txt"),
        shift("alice/flip/data", "alice/flip/moved"),
        remove("alice/flip/tools"),
        remove("alice/climbed/outside.txt"),
        remove("alice/nest/inner/made"),
    );
    assert!(shuffling.stop() > 100);
    assert!(taken > 0, "nothing was taken");
    assert_eq!(of_others(&library), before);
}
