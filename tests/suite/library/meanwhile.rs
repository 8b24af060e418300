//! What others do to a directory while a file is on its way into it.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::files_client::{Files, aside, half, until};
use super::fixture::{Library, Server};

/// A PUT of four bytes into a directory of what is common, of which two have been taken.
async fn begun(library: &Library, files: &Files<'_>, path: &str, headers: &str) -> TcpStream {
    library.make_directory("common/data/d");
    let headers = format!("{headers}Content-Length: 4\r\nConnection: close\r\n");
    let stream = half(files, path, &headers, b"ab");
    until("it is being taken", async || {
        !aside(library, "common/data/d").is_empty()
    })
    .await;
    stream
}

/// The rest of it, and what comes of it.
fn ended(mut stream: TcpStream) -> String {
    stream.write_all(b"cd").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let code = json["errors"][0]["extensions"]["code"].as_str();
    format!("{} {}", &answer[9..12], code.unwrap_or("-"))
}

/// The names of all files in a folder.
fn files_in(library: &Library, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut ahead = vec![library.path(path)];
    while let Some(directory) = ahead.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => ahead.push(entry.path()),
                false => found.push(entry.file_name().into_string().unwrap()),
            }
        }
    }
    found.sort();
    found
}

fn publishers(server: &Server) -> (Files<'_>, Files<'_>) {
    (
        Files::publisher(server, "alice"),
        Files::publisher(server, "bob"),
    )
}

#[tokio::test]
async fn a_file_does_not_follow_its_directory_to_another_folder() {
    let library = Library::new();
    let server = library.serve_users_with(&["--writable"]);
    let (alice, bob) = publishers(&server);
    let stream = begun(&library, &alice, "common/data/d/x", "").await;
    assert_eq!(bob.rename("common/data/d", "bob/data/d").await.status, 201);
    assert_eq!(ended(stream), "409 MOVED");
    assert_eq!(files_in(&library, "bob"), ["secret.txt"]);
    assert_eq!(files_in(&library, "common"), ["README.md"]);

    // Nor does it come to lie in another directory that has the name by then.
    let stream = begun(&library, &alice, "common/data/d/x", "").await;
    assert_eq!(
        bob.rename("common/data/d", "common/data/e").await.status,
        201
    );
    library.make_directory("common/data/d");
    assert_eq!(ended(stream), "409 MOVED");
    assert_eq!(files_in(&library, "common"), ["README.md"]);

    // Sent again, it is where it shall be.
    assert_eq!(alice.put("common/data/d/x", "abcd").await.status, 201);
}

#[tokio::test]
async fn an_upload_in_parts_is_kept_where_its_directory_is() {
    let library = Library::new();
    let server = library.serve_users_with(&["--writable"]);
    let (alice, _) = publishers(&server);
    let range = "Content-Range: bytes 0-3/4\r\n";
    let stream = begun(&library, &alice, "common/data/d/x?upload=one", range).await;
    let moved = alice.rename("common/data/d", "alice/data/d").await;
    assert_eq!(moved.status, 201);
    assert_eq!(ended(stream), "409 MOVED");
    // All of it has arrived: it only takes its name.
    let there = [("Content-Range", "bytes */4")];
    let path = "alice/data/d/x?upload=one";
    let asked = alice.send("PUT", path, &there, "").await;
    assert_eq!((asked.status, asked.header("range")), (308, "bytes=0-3"));
}

#[tokio::test]
async fn a_directory_that_is_removed_does_not_come_back() {
    let library = Library::new();
    let server = library.serve_users_with(&["--writable"]);
    let (alice, bob) = publishers(&server);
    for again in [false, true] {
        let stream = begun(&library, &alice, "common/data/d/x", "").await;
        let removed = bob.send("DELETE", "common/data/d?recursive", &[], "").await;
        assert_eq!(removed.said(), "204");
        if again {
            let made = bob.send("MKCOL", "common/data/d", &[], "").await;
            assert_eq!(made.status, 201);
        }
        assert_eq!(ended(stream), "409 MOVED");
        assert_eq!(library.path("common/data/d").exists(), again);
        assert_eq!(files_in(&library, "common"), ["README.md"]);
    }
}

/// A directory so deep below another one, as a path.
fn levels(count: usize) -> String {
    vec!["d"; count].join("/")
}

#[tokio::test]
async fn nothing_comes_to_lie_where_no_walk_comes() {
    let library = Library::new();
    let server = library.serve_users_with(&["--writable"]);
    let files = Files::user(&server, "alice");
    let deep = format!("alice/{}", levels(62));
    library.make_directory(&deep);
    library.make_directory("alice/tree/a");
    library.write("alice/tree/a/x", "x");
    library.write("alice/file", "x");
    library.make_directory("alice/empty");
    library.link("alice/way", levels(62));

    // Given a directory that is 62 deep, it takes one level more: a file, or an empty directory,
    let name = |name: &str| format!("{deep}/{name}");
    assert_eq!(files.rename("alice/file", &name("file")).await.status, 201);
    assert_eq!(
        files.rename("alice/empty", &name("empty")).await.status,
        201
    );
    assert_eq!(files.put("alice/way/new", "x").await.status, 201);
    // and no more, by its path or by a link.
    let refused = files.rename("alice/tree", &name("tree")).await;
    assert_eq!(refused.said(), "400 TOO_DEEP");
    let message = format!(
        "{:?} would lie deeper than 64 directories, which is as deep as the library goes",
        name("tree")
    );
    assert_eq!(refused.json()["errors"][0]["message"], message);
    for path in ["alice/way/tree", &name("empty/tree")] {
        assert_eq!(
            files.rename("alice/tree", path).await.said(),
            "400 TOO_DEEP"
        );
    }
    for path in ["alice/way/empty/x", &name("empty/x"), "alice/way/a/b/c"] {
        assert_eq!(files.put(path, "x").await.said(), "400 TOO_DEEP", "{path}");
        let made = files.send("MKCOL", path, &[], "").await;
        let expected = match path.ends_with("a/b/c") {
            true => "409 NOT_FOUND",
            false => "400 TOO_DEEP",
        };
        assert_eq!(made.said(), expected, "{path}");
    }
    assert!(!library.path("alice/way/a").exists());
    // What lies deep already may be moved where it is no deeper.
    let too_deep = format!("{deep}/empty/{}", levels(10));
    library.make_directory(&too_deep);
    let moved = files.rename(&name("empty"), &name("moved")).await;
    assert_eq!(moved.said(), "201");
    assert_eq!(files.rename("alice/d/d", "alice/up").await.status, 201);
}
