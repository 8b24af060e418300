//! Files that come in: `PUT`, whole and in parts.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine;
use rustix::process::Signal;
use sha2::{Digest, Sha256};

use super::files_client::{Files, pattern, peak_memory, pieces, until};
use super::fixture::{HIDDEN, Library, Server, make_fifo};
use crate::rig::there_is;

fn writable(library: &Library) -> Server {
    library.serve_with("", &["--no-auth", "--writable"])
}

/// The names that are aside in a directory.
fn aside(library: &Library, path: &str) -> Vec<String> {
    let entries = std::fs::read_dir(library.path(path)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.starts_with(".dtaas-aside-"))
        .collect()
}

fn read(library: &Library, path: &str) -> Vec<u8> {
    std::fs::read(library.path(path)).unwrap()
}

fn digest(bytes: &[u8]) -> String {
    let sum = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(bytes));
    format!("sha-256=:{sum}:")
}

#[tokio::test]
async fn nothing_is_taken_unless_that_is_switched_on() {
    let library = Library::new();
    for server in [library.serve(), library.serve_users()] {
        let files = Files::publisher(&server, "alice");
        assert_eq!(files.put("alice/x", "x").await.said(), "403 READ_ONLY");
        assert_eq!(
            files.delete("alice/README.md").await.said(),
            "403 READ_ONLY"
        );
        let moved = files.rename("alice/README.md", "alice/x").await;
        assert_eq!(moved.said(), "403 READ_ONLY");
        let made = files.send("MKCOL", "alice/x", &[], "").await;
        assert_eq!(made.said(), "403 READ_ONLY");
    }
    assert!(library.path("alice/README.md").exists());
    assert!(!library.path("alice/x").exists());
}

#[tokio::test]
async fn a_file_is_made_and_replaced_with_all_that_belongs_to_it() {
    let library = Library::new();
    let server = writable(&library);
    let files = Files::of(&server);
    let contents = pattern(3_000_001);

    let made = files
        .put("alice/models/new/deep/x.fmu", contents.clone())
        .await;

    assert_eq!((made.status, made.bytes.len()), (201, 0));
    assert!(read(&library, "alice/models/new/deep/x.fmu") == contents);
    let got = files.get("alice/models/new/deep/x.fmu").await;
    assert_eq!(got.header("etag"), made.header("etag"));
    let mode = |path: &str| library.path(path).metadata().unwrap().mode() & 0o7777;
    assert_eq!(mode("alice/models/new/deep/x.fmu"), 0o644);
    assert_eq!(mode("alice/models/new"), 0o755);

    let replaced = files.put("alice/models/new/deep/x.fmu", "short").await;

    assert_eq!(replaced.status, 204);
    assert_ne!(replaced.header("etag"), made.header("etag"));
    assert_eq!(read(&library, "alice/models/new/deep/x.fmu"), b"short");
    assert_eq!(files.put("alice/empty", "").await.status, 201);
    assert_eq!(read(&library, "alice/empty"), b"");
    assert_eq!(aside(&library, "alice/models/new/deep"), [""; 0]);
}

#[tokio::test]
async fn a_program_stays_a_program() {
    let library = Library::new();
    let server = writable(&library);
    let files = Files::of(&server);
    let mode = || library.path("alice/execute").metadata().unwrap().mode() & 0o777;
    assert_eq!(
        files
            .put("alice/execute?executable", "#!/bin/sh\n")
            .await
            .status,
        201
    );
    assert_eq!(mode(), 0o755);
    assert_eq!(
        files.put("alice/execute", "#!/bin/bash\n").await.status,
        204
    );
    assert_eq!(mode(), 0o755);
    assert_eq!(
        files
            .put("alice/execute?executable=false", "text")
            .await
            .status,
        204
    );
    assert_eq!(mode(), 0o644);
    // Rights of others than the three that count do not come back.
    let path = library.path("alice/execute");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o4750)).unwrap();
    assert_eq!(files.put("alice/execute", "text").await.status, 204);
    assert_eq!(
        library.path("alice/execute").metadata().unwrap().mode() & 0o7777,
        0o750
    );
}

#[tokio::test]
async fn new_files_belong_to_whom_the_folder_belongs() {
    let root = rustix::process::geteuid().is_root();
    if !there_is("root", root, "new_files_belong_to_whom_the_folder_belongs") {
        return;
    }
    let library = Library::new();
    std::os::unix::fs::chown(library.path("alice"), Some(1234), Some(1235)).unwrap();
    let server = writable(&library);
    let files = Files::of(&server);
    files.put("alice/new/x", "x").await;
    files.send("MKCOL", "alice/folder", &[], "").await;
    for path in ["alice/new", "alice/new/x", "alice/folder"] {
        let data = library.path(path).metadata().unwrap();
        assert_eq!((data.uid(), data.gid()), (1234, 1235), "{path}");
    }
}

#[tokio::test]
async fn what_cannot_be_a_file_is_refused_and_leaves_nothing() {
    let library = Library::new();
    make_fifo(&library.path("alice/fifo"));
    let server = library.serve_with("", &["--no-auth", "--writable", "--max-upload", "1000"]);
    let files = Files::of(&server);
    let long = format!("alice/{}", "x".repeat(300));
    let deep = format!("alice/{}x", "d/".repeat(100));
    for (path, expected) in [
        ("alice/models", "409 EXISTS"),
        ("alice/fifo", "409 EXISTS"),
        ("alice/README.md/x", "409 NOT_A_DIRECTORY"),
        ("alice", "403 FORBIDDEN"),
        ("", "403 FORBIDDEN"),
        ("alice/new/", "400 BAD_REQUEST"),
        ("alice/.dtaas-aside-in-00", "404 NOT_FOUND"),
        ("alice/x%00", "400 BAD_REQUEST"),
        (&long, "400 BAD_NAME"),
        (&deep, "400 BAD_NAME"),
        ("nobody/x", "404 NOT_FOUND"),
        ("alice/new/x?upload=a", "400 BAD_REQUEST"),
        ("alice/new/x?executable=maybe", "400 BAD_REQUEST"),
    ] {
        assert_eq!(files.put(path, "x").await.said(), expected, "{path}");
    }
    let large = files.put("alice/new/x", vec![0; 1001]).await;
    assert_eq!(large.said(), "413 TOO_LARGE");
    // Without a length it is found out on the way.
    let large = files
        .put("alice/new/x", pieces((0..20).map(|_| vec![0; 100])))
        .await;
    assert_eq!(large.said(), "413 TOO_LARGE");
    let coded = files
        .send("PUT", "alice/new/x", &[("Content-Encoding", "gzip")], "x")
        .await;
    assert_eq!(coded.status, 415);
    assert!(!library.path("alice/new").exists());
    assert!(!library.path("nobody").exists());
    assert_eq!(aside(&library, "alice"), [""; 0]);
    assert_eq!(files.put("alice/x", vec![0; 1000]).await.status, 201);
}

#[tokio::test]
async fn each_writes_their_own_and_publishers_what_is_common() {
    let library = Library::new();
    let server = library.serve_users_with(&["--writable"]);
    let (alice, publisher) = (
        Files::user(&server, "alice"),
        Files::publisher(&server, "alice"),
    );
    for (files, path, expected) in [
        (&alice, "alice/x", "201"),
        (&alice, "bob/x", "404 NOT_FOUND"),
        (&alice, "alice/../bob/x", "404 NOT_FOUND"),
        (&alice, "common/x", "403 READ_ONLY"),
        (&alice, "alice/common/x", "403 READ_ONLY"),
        (&publisher, "common/x", "201"),
        (&publisher, "alice/common/y", "201"),
        (&publisher, "bob/x", "404 NOT_FOUND"),
    ] {
        assert_eq!(files.put(path, "x").await.said(), expected, "{path}");
    }
    assert!(library.path("common/x").exists() && library.path("common/y").exists());
    assert!(!library.path("alice/common/y").exists() && !library.path("bob/x").exists());
    let nobody = Files::of(&server).put("alice/y", "x").await;
    assert_eq!(nobody.said(), "401 UNAUTHENTICATED");
}

#[tokio::test]
async fn no_page_of_another_site_writes() {
    let library = Library::new();
    let server = writable(&library);
    let files = Files::of(&server);
    for site in ["cross-site", "same-site"] {
        for method in ["PUT", "DELETE", "MOVE", "MKCOL"] {
            let headers = [
                ("Sec-Fetch-Site", site),
                ("Destination", "/lib/files/alice/y"),
            ];
            let answer = files.send(method, "alice/README.md", &headers, "").await;
            assert_eq!(answer.said(), "403 CROSS_SITE", "{method} {site}");
        }
    }
    assert_eq!(read(&library, "alice/README.md"), b"# alice\n");
    let own = files
        .send("PUT", "alice/x", &[("Sec-Fetch-Site", "same-origin")], "x")
        .await;
    assert_eq!(own.status, 201);
}

#[tokio::test]
async fn links_are_replaced_and_never_written_through() {
    let library = Library::new();
    library.plant_traps();
    library.link("alice/near", "README.md");
    library.link("alice/folder", "models");
    let server = library.serve_users_with(&["--writable"]);
    let files = Files::user(&server, "alice");
    for name in ["near", "outside", "bobs-file", "passwd", "round"] {
        let path = format!("alice/{name}");
        assert_eq!(files.put(&path, "mine").await.status, 204, "{name}");
        assert!(!library.path(&path).is_symlink(), "{name}");
        assert_eq!(read(&library, &path), b"mine", "{name}");
    }
    assert_eq!(read(&library, "alice/README.md"), b"# alice\n");
    assert_eq!(read(&library, "bob/secret.txt"), HIDDEN.as_bytes());
    assert_eq!(read(&library, "../outside.txt"), HIDDEN.as_bytes());
    for path in [
        "alice/bobs/x",
        "alice/up/bob/x",
        "alice/slash/tmp/x",
        "alice/bobs/new/x",
    ] {
        assert_eq!(files.put(path, "x").await.said(), "403 FORBIDDEN", "{path}");
    }
    assert!(!library.path("bob/x").exists() && !library.path("bob/new").exists());
    assert_eq!(files.put("alice/folder/x", "x").await.status, 201);
    assert_eq!(read(&library, "alice/models/x"), b"x");
}

#[tokio::test]
async fn a_folder_that_becomes_a_link_meanwhile_takes_nothing_elsewhere() {
    let library = Library::new();
    library.make_directory("alice/flip");
    library.link("alice/flop", "../bob");
    let server = library.serve_users_with(&["--writable"]);
    let stop = Arc::new(AtomicBool::new(false));
    let flipping = std::thread::spawn({
        let (stop, root) = (stop.clone(), library.path("alice"));
        move || {
            let root = std::fs::File::open(root).unwrap();
            let exchange = rustix::fs::RenameFlags::EXCHANGE;
            while !stop.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(&root, "flip", &root, "flop", exchange).unwrap();
            }
        }
    });
    let before: Vec<_> = std::fs::read_dir(library.path("bob")).unwrap().collect();
    let files = Files::user(&server, "alice");
    let (mut done, mut refused) = (0, 0);
    while (done < 20 || refused < 20) && done + refused < 2000 {
        let path = format!("alice/flip/new-{done}-{refused}/x");
        match files.put(&path, "x").await.status {
            201 => done += 1,
            _ => refused += 1,
        }
    }
    stop.store(true, Ordering::Relaxed);
    flipping.join().unwrap();
    assert!(done > 0 && refused > 0, "{done} done, {refused} refused");
    let after = std::fs::read_dir(library.path("bob")).unwrap().count();
    assert_eq!(after, before.len());
    assert_eq!(read(&library, "bob/secret.txt"), HIDDEN.as_bytes());
}

#[tokio::test]
async fn who_comes_second_hears_of_it() {
    let library = Library::new();
    let server = writable(&library);
    let files = Files::of(&server);
    let made = files.put("alice/x", "one").await;
    let tag = made.header("etag").to_owned();
    let none = [("If-None-Match", "*")];
    let taken = files.send("PUT", "alice/x", &none, "two").await;
    assert_eq!(taken.said(), "412 PRECONDITION_FAILED");
    let meant = [("If-Match", tag.as_str())];
    assert_eq!(
        files.send("PUT", "alice/x", &meant, "two").await.status,
        204
    );
    let late = files.send("PUT", "alice/x", &meant, "three").await;
    assert_eq!(late.said(), "412 PRECONDITION_FAILED");
    let gone = files
        .send("PUT", "alice/new/y", &[("If-Match", "*")], "y")
        .await;
    assert_eq!(gone.said(), "412 PRECONDITION_FAILED");
    assert_eq!(read(&library, "alice/x"), b"two");
    assert!(!library.path("alice/new").exists());

    // Of many at once, one.
    let statuses = |headers: [(&'static str, String); 1], path: &'static str| {
        let files = &files;
        async move {
            let all = (0..8).map(|number: usize| {
                let headers = headers.clone();
                async move {
                    let headers = [(headers[0].0, headers[0].1.as_str())];
                    files
                        .send("PUT", path, &headers, number.to_string())
                        .await
                        .status
                }
            });
            let mut all = futures_util::future::join_all(all).await;
            all.sort_unstable();
            all
        }
    };
    let first = statuses([("If-None-Match", "*".into())], "alice/once").await;
    assert_eq!(first, [201, 412, 412, 412, 412, 412, 412, 412]);
    let tag = files.get("alice/once").await.header("etag").to_owned();
    let next = statuses([("If-Match", tag)], "alice/once").await;
    assert_eq!(next, [204, 412, 412, 412, 412, 412, 412, 412]);
}

#[tokio::test]
async fn two_at_once_do_not_mix_and_nobody_sees_half() {
    const SIZE: usize = 2 << 20;
    let library = Library::new();
    library.write("alice/x", vec![b'0'; SIZE]);
    let server = writable(&library);
    let files = Files::of(&server);
    let writes = async |byte: u8| {
        for _ in 0..10 {
            assert_eq!(files.put("alice/x", vec![byte; SIZE]).await.status, 204);
        }
    };
    let reads = async || {
        for _ in 0..20 {
            let answer = files.get("alice/x").await;
            assert!(answer.whole && answer.bytes.len() == SIZE);
            assert!(answer.bytes.iter().all(|byte| *byte == answer.bytes[0]));
        }
    };
    tokio::join!(writes(b'a'), writes(b'b'), reads());
    assert_eq!(aside(&library, "alice"), [""; 0]);
}

#[tokio::test]
async fn what_arrives_must_be_what_was_sent() {
    let library = Library::new();
    let server = writable(&library);
    let files = Files::of(&server);
    let (right, wrong) = (digest(b"contents"), digest(b"others"));
    for header in ["Repr-Digest", "Content-Digest"] {
        let headers = [(header, wrong.as_str())];
        let answer = files.send("PUT", "alice/x", &headers, "contents").await;
        assert_eq!(answer.said(), "400 NOT_WHAT_WAS_SENT", "{header}");
        assert!(!library.path("alice/x").exists());
        let both = format!("sha-512=:AAAA:, {right}");
        let answer = files
            .send("PUT", "alice/x", &[(header, &both)], "contents")
            .await;
        assert_eq!(answer.status, 201);
        files.delete("alice/x").await;
    }
    for rubbish in ["sha-256=contents", "sha-256=:AAAA:", "sha-256=::"] {
        let answer = files
            .send("PUT", "alice/x", &[("Repr-Digest", rubbish)], "x")
            .await;
        assert_eq!(answer.said(), "400 BAD_REQUEST", "{rubbish}");
    }
    assert_eq!(aside(&library, "alice"), [""; 0]);
}

#[tokio::test]
async fn hundreds_of_megabytes_are_taken_in_little_memory() {
    const BLOCKS: usize = 300;
    let library = Library::new();
    let server = writable(&library);
    let block = pattern(1 << 20);
    let body = pieces((0..BLOCKS).map({
        let block = block.clone();
        move |_| block.clone()
    }));
    assert_eq!(
        Files::of(&server).put("alice/large", body).await.status,
        201
    );
    let found = read(&library, "alice/large");
    assert_eq!(found.len(), BLOCKS << 20);
    assert!(found.chunks(1 << 20).all(|part| part == block));
    let peak = peak_memory(server.pid());
    assert!(peak < 64 * 1024, "{peak} kB");
}

// In parts.

struct Parts<'a> {
    files: Files<'a>,
    path: String,
}

impl Parts<'_> {
    async fn send(&self, range: &str, body: &[u8]) -> (String, String) {
        self.send_with(range, body, &[]).await
    }

    /// The status and the code, and how much is there.
    async fn send_with(&self, range: &str, body: &[u8], more: &[(&str, &str)]) -> (String, String) {
        let headers = [&[("Content-Range", range)], more].concat();
        let answer = self
            .files
            .send("PUT", &self.path, &headers, body.to_vec())
            .await;
        (answer.said(), answer.header("range").to_owned())
    }

    async fn there(&self, total: usize) -> (String, String) {
        self.send(&format!("bytes */{total}"), b"").await
    }
}

fn said(status: &str, range: &str) -> (String, String) {
    (status.to_owned(), range.to_owned())
}

#[tokio::test]
async fn a_file_comes_in_parts() {
    let library = Library::new();
    let server = writable(&library);
    let parts = Parts {
        files: Files::of(&server),
        path: "alice/new/x?upload=one".into(),
    };
    assert_eq!(parts.there(10).await, said("308", "-"));
    assert_eq!(
        parts.send("bytes 0-3/10", b"0123").await,
        said("308", "bytes=0-3")
    );
    assert_eq!(parts.there(10).await, said("308", "bytes=0-3"));
    for (range, body) in [("bytes 6-9/10", &b"6789"[..]), ("bytes 2-5/10", b"2345")] {
        let answer = parts.send(range, body).await;
        assert_eq!(answer, said("409 ELSEWHERE", "bytes=0-3"), "{range}");
    }
    assert_eq!(
        parts.send("bytes 4-6/10", b"456").await,
        said("308", "bytes=0-6")
    );
    assert!(!library.path("alice/new/x").exists());
    assert_eq!(parts.send("bytes 7-9/10", b"789").await, said("201", "-"));
    assert_eq!(read(&library, "alice/new/x"), b"0123456789");
    assert_eq!(aside(&library, "alice/new"), [""; 0]);
    // It is no longer known; whoever knows the sum is told that it is there.
    assert_eq!(parts.there(10).await, said("308", "-"));
    let sum = digest(b"0123456789");
    let asked = parts
        .send_with("bytes */10", b"", &[("Repr-Digest", &sum)])
        .await;
    assert_eq!(asked, said("204", "-"));
    let other = digest(b"012345678x");
    let asked = parts
        .send_with("bytes */10", b"", &[("Repr-Digest", &other)])
        .await;
    assert_eq!(asked, said("308", "-"));
}

#[tokio::test]
async fn an_upload_starts_over_at_its_begin() {
    let library = Library::new();
    let server = writable(&library);
    let parts = Parts {
        files: Files::of(&server),
        path: "alice/x?upload=one".into(),
    };
    parts.send("bytes 0-5/8", b"mistak").await;
    assert_eq!(
        parts.send("bytes 0-1/8", b"01").await,
        said("308", "bytes=0-1")
    );
    assert_eq!(parts.send("bytes 2-7/8", b"234567").await, said("201", "-"));
    assert_eq!(read(&library, "alice/x"), b"01234567");
}

#[tokio::test]
async fn a_part_must_be_what_it_says() {
    let library = Library::new();
    let server = writable(&library);
    let parts = |path: &str| Parts {
        files: Files::of(&server),
        path: path.into(),
    };
    let named = parts("alice/x?upload=one");
    let bad = || said("400 BAD_REQUEST", "-");
    assert_eq!(parts("alice/x").send("bytes 0-3/10", b"0123").await, bad());
    assert_eq!(parts("alice/x").there(10).await, bad());
    for name in ["", "a%2Fb", "a%20b", &"x".repeat(65)] {
        let path = format!("alice/x?upload={name}");
        assert_eq!(
            parts(&path).send("bytes 0-3/10", b"0123").await,
            bad(),
            "{name}"
        );
    }
    for range in ["bytes 0-9/5", "bytes 3-1/10", "rubbish", "bytes 0-3/*"] {
        assert_eq!(named.send(range, b"0123").await, bad(), "{range}");
    }
    assert_eq!(named.send("bytes 0-3/10", b"012").await, bad());
    // Whole at once, it needs no name.
    assert_eq!(
        parts("alice/x").send("bytes 0-3/4", b"0123").await,
        said("201", "-")
    );

    named.send("bytes 0-3/10", b"0123").await;
    let (wrong, right) = (digest(b"wrong"), digest(b"456789"));
    let digest = [("Content-Digest", wrong.as_str())];
    let answer = named.send_with("bytes 4-9/10", b"456789", &digest).await;
    assert_eq!(answer, said("400 NOT_WHAT_WAS_SENT", "-"));
    assert_eq!(named.there(10).await, said("308", "bytes=0-3"));
    let digest = [("Content-Digest", right.as_str()), ("Repr-Digest", &wrong)];
    let answer = named.send_with("bytes 4-9/10", b"456789", &digest).await;
    assert_eq!(answer, said("400 NOT_WHAT_WAS_SENT", "-"));
    assert_eq!(named.there(10).await, said("308", "-"));
    assert_eq!(read(&library, "alice/x"), b"0123");
}

#[tokio::test]
async fn two_uploads_of_one_file_do_not_mix() {
    let library = Library::new();
    let server = library.serve_users_with(&["--writable"]);
    let parts = |files, upload: &str| Parts {
        files,
        path: format!("common/x?upload={upload}"),
    };
    let alice = parts(Files::publisher(&server, "alice"), "one");
    let again = parts(Files::publisher(&server, "alice"), "two");
    let bob = parts(Files::publisher(&server, "bob"), "one");
    for (parts, body) in [(&alice, b"aaa"), (&again, b"AAA"), (&bob, b"bbb")] {
        assert_eq!(
            parts.send("bytes 0-2/6", body).await,
            said("308", "bytes=0-2")
        );
    }
    assert_eq!(alice.send("bytes 3-5/6", b"aaa").await, said("201", "-"));
    assert_eq!(read(&library, "common/x"), b"aaaaaa");
    assert_eq!(bob.send("bytes 3-5/6", b"bbb").await, said("204", "-"));
    assert_eq!(read(&library, "common/x"), b"bbbbbb");
    // What is not wanted any more is given up.
    let gone = |status: &'static str| {
        let files = Files::publisher(&server, "alice");
        async move {
            let headers = [("Content-Range", "bytes */6")];
            let answer = files
                .send("DELETE", "common/x?upload=two", &headers, "")
                .await;
            assert_eq!(answer.said(), status);
        }
    };
    gone("204").await;
    gone("404 NOT_FOUND").await;
    assert_eq!(aside(&library, "common"), [""; 0]);
}

/// A connection that has sent the head of a PUT, and some of its body.
fn half(files: &Files<'_>, path: &str, headers: &str, body: &[u8]) -> std::net::TcpStream {
    let head = format!("{}{headers}\r\n", files.head("PUT", path));
    let mut stream = files.begin(head.as_bytes());
    stream.write_all(body).unwrap();
    stream
}

#[tokio::test]
async fn while_a_part_arrives_another_must_wait_and_what_arrived_counts() {
    const SIZE: usize = 4 << 20;
    let library = Library::new();
    let server = writable(&library);
    let contents = pattern(SIZE);
    let parts = Parts {
        files: Files::of(&server),
        path: "alice/x?upload=one".into(),
    };
    let range = format!("bytes 0-{}/{SIZE}", SIZE - 1);
    let headers = format!("Content-Range: {range}\r\nContent-Length: {SIZE}\r\n");
    let stream = half(&parts.files, &parts.path, &headers, &contents[..3 << 20]);
    until("the part is being written", async || {
        !aside(&library, "alice").is_empty()
    })
    .await;
    let answer = parts.files.send(
        "PUT",
        &parts.path,
        &[("Content-Range", &range)],
        contents.clone(),
    );
    let answer = answer.await;
    assert_eq!(
        (answer.said().as_str(), answer.header("retry-after")),
        ("409 BUSY", "1")
    );
    // It breaks off; everything that came is kept.
    drop(stream);
    let expected = said("308", &format!("bytes=0-{}", (3 << 20) - 1));
    until("all that came is there", async || {
        parts.there(SIZE).await == expected
    })
    .await;
    let rest = format!("bytes {}-{}/{SIZE}", 3 << 20, SIZE - 1);
    until("the part can go on", async || {
        match parts.send(&rest, &contents[3 << 20..]).await.0.as_str() {
            "201" => true,
            "409 BUSY" => false,
            other => panic!("{other}"),
        }
    })
    .await;
    assert!(read(&library, "alice/x") == contents);
}

#[tokio::test]
async fn a_server_that_is_killed_half_way_goes_on_where_it_was() {
    const SIZE: usize = 8 << 20;
    let library = Library::new();
    library.write("alice/x", "as it was");
    library.write("alice/y", "as it was");
    let contents = pattern(SIZE);
    let range = format!("Content-Range: bytes 0-{}/{SIZE}\r\n", SIZE - 1);
    let length = format!("Content-Length: {SIZE}\r\n");
    let mut server = writable(&library);
    {
        let files = Files::of(&server);
        let named = half(
            &files,
            "alice/x?upload=one",
            &(range + &length),
            &contents[..5 << 20],
        );
        let whole = half(&files, "alice/y", &length, &contents[..5 << 20]);
        until("both are being written", async || {
            let sizes = aside(&library, "alice")
                .into_iter()
                .map(|name| library.path("alice").join(name).metadata().unwrap().len());
            sizes.filter(|size| *size > 2 << 20).count() == 2
        })
        .await;
        server.signal(Signal::KILL);
        server.wait();
        drop((named, whole));
    }
    assert_eq!(read(&library, "alice/x"), b"as it was");

    let server = writable(&library);
    let parts = Parts {
        files: Files::of(&server),
        path: "alice/x?upload=one".into(),
    };
    let (status, there) = parts.there(SIZE).await;
    assert_eq!(status, "308");
    let last: usize = there.strip_prefix("bytes=0-").unwrap().parse().unwrap();
    assert!(last > 2 << 20, "{last}");
    let rest = format!("bytes {}-{}/{SIZE}", last + 1, SIZE - 1);
    assert_eq!(
        parts.send(&rest, &contents[last + 1..]).await,
        said("204", "-")
    );
    assert!(read(&library, "alice/x") == contents);
    // The other one cannot go on, and is cleared away.
    until("nothing is aside", async || {
        aside(&library, "alice").is_empty()
    })
    .await;
    assert_eq!(read(&library, "alice/y"), b"as it was");
}

#[tokio::test]
async fn what_was_given_up_is_cleared_away_and_nothing_else() {
    let library = Library::new();
    let server = writable(&library);
    for name in ["old", "young"] {
        let parts = Parts {
            files: Files::of(&server),
            path: format!("alice/{name}?upload=one"),
        };
        parts.send("bytes 0-2/6", b"abc").await;
        if name == "old" {
            let [part] = &aside(&library, "alice")[..] else {
                panic!("not one");
            };
            let day = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
            let part = std::fs::File::open(library.path("alice").join(part)).unwrap();
            part.set_modified(day).unwrap();
        }
    }
    library.make_directory("alice/data/.dtaas-aside-out-00/deep");
    library.write("alice/data/.dtaas-aside-out-00/deep/x", "x");
    library.write("alice/data/.dtaas-aside-in-00", "x");
    library.write("alice/data/.dtaas", "mine");
    // A link of such a name is none of ours, and what it leads to is nobody's business.
    library.link("alice/data/.dtaas-aside-in-01", "../README.md");
    library.link("alice/data/.dtaas-aside-out-01", "../models");
    drop(server);

    let server = writable(&library);

    until("the given up are gone", async || {
        aside(&library, "alice").len() == 1 && aside(&library, "alice/data").len() == 2
    })
    .await;
    let young = Parts {
        files: Files::of(&server),
        path: "alice/young?upload=one".into(),
    };
    assert_eq!(young.there(6).await, said("308", "bytes=0-2"));
    assert!(library.path("alice/data/.dtaas").exists());
    assert!(library.path("alice/README.md").exists());
    assert!(library.path("alice/models/spring.txt").exists());
}

#[tokio::test]
async fn a_client_that_stops_sending_is_not_waited_for_and_a_slow_one_is() {
    let library = Library::new();
    let server = library.serve_with("", &["--no-auth", "--writable", "--patience", "2"]);
    let files = Files::of(&server);
    let mut stalled = half(&files, "alice/stalled", "Content-Length: 100\r\n", b"some");
    let mut slow = half(
        &files,
        "alice/slow",
        "Content-Length: 30\r\nConnection: close\r\n",
        b"",
    );
    for _ in 0..30 {
        slow.write_all(b"x").unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let mut answer = [0; 12];
    stalled.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert!(!library.path("alice/stalled").exists());
    until("nothing is aside", async || {
        aside(&library, "alice").is_empty()
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_is_told_also_to_who_sends_all_of_it_first() {
    let library = Library::new();
    let server = library.serve_with("", &["--no-auth", "--writable", "--max-upload", "1k"]);
    let files = Files::of(&server);
    let mut stream = half(&files, "alice/x", "Content-Length: 8000000\r\n", b"");
    stream.write_all(&vec![0; 8_000_000]).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    // Who asks first is not told to send anything.
    let headers = "Content-Length: 8000000\r\nExpect: 100-continue\r\n";
    let mut stream = half(&files, "alice/x", headers, b"");
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}
