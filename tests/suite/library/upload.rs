//! Files that come in whole: `PUT`.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::files_client::{Files, aside, digest, pattern, peak_memory, read, writable};
use super::fixture::{HIDDEN, Library, make_fifo};
use crate::rig::there_is;

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
        (&deep, "400 TOO_DEEP"),
        ("nobody/x", "404 NOT_FOUND"),
        ("alice/new/x?upload=a", "400 BAD_REQUEST"),
        ("alice/new/x?executable=maybe", "400 BAD_REQUEST"),
    ] {
        assert_eq!(files.put(path, "x").await.said(), expected, "{path}");
    }
    let large = files.put("alice/new/x", vec![0; 1001]).await;
    assert_eq!(large.said(), "413 TOO_LARGE");
    // Without a length it is found out on the way.
    let large = files.put_pieces("alice/new/x", (0..20).map(|_| vec![0; 100]));
    assert_eq!(large, "413 TOO_LARGE");
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
    let blocks = (0..BLOCKS).map(|_| block.clone());
    assert_eq!(Files::of(&server).put_pieces("alice/large", blocks), "201");
    let found = read(&library, "alice/large");
    assert_eq!(found.len(), BLOCKS << 20);
    assert!(found.chunks(1 << 20).all(|part| part == block));
    let peak = peak_memory(server.pid());
    assert!(peak < 64 * 1024, "{peak} kB");
}
