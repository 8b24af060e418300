//! Removing, moving, and making directories.

use super::files_client::{Files, writable};
use super::fixture::{HIDDEN, Library, make_fifo};

#[tokio::test]
async fn files_and_empty_directories_are_removed_and_whole_ones_when_that_is_meant() {
    let library = Library::new();
    library.make_directory("alice/data/deep/er");
    library.write("alice/data/deep/er/x", "x");
    make_fifo(&library.path("alice/data/deep/fifo"));
    library.link("alice/data/deep/out", "../../../bob");
    library.link("alice/data/deep/loop", "..");
    let server = writable(&library);
    let files = Files::of(&server);
    assert_eq!(files.delete("alice/README.md").await.status, 204);
    assert!(!library.path("alice/README.md").exists());
    assert_eq!(files.delete("alice/tools").await.status, 204);
    assert!(!library.path("alice/tools").exists());
    assert_eq!(files.delete("alice/data").await.said(), "409 NOT_EMPTY");
    assert!(library.path("alice/data/deep/er/x").exists());
    assert_eq!(files.delete("alice/data?recursive").await.status, 204);
    assert!(!library.path("alice/data").exists());
    // Links were removed and not followed.
    assert_eq!(
        std::fs::read(library.path("bob/secret.txt")).unwrap(),
        HIDDEN.as_bytes()
    );
    let left: Vec<_> = std::fs::read_dir(library.path("alice")).unwrap().collect();
    assert_eq!(left.len(), 4, "{left:?}");
    for (path, expected) in [
        ("alice/none", "404 NOT_FOUND"),
        ("alice/none/x", "404 NOT_FOUND"),
        ("alice", "403 FORBIDDEN"),
        ("alice?recursive", "403 FORBIDDEN"),
        ("", "403 FORBIDDEN"),
        ("alice/models/spring.txt/x", "409 NOT_A_DIRECTORY"),
    ] {
        assert_eq!(files.delete(path).await.said(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_directory_that_looks_empty_is_removed() {
    let library = Library::new();
    let server = writable(&library);
    let files = Files::of(&server);
    let headers = [("Content-Range", "bytes 0-2/9")];
    files
        .send("PUT", "alice/tools/x?upload=one", &headers, "abc")
        .await;
    assert!(
        std::fs::read_dir(library.path("alice/tools"))
            .unwrap()
            .count()
            == 1
    );
    assert_eq!(files.delete("alice/tools").await.status, 204);
    assert!(!library.path("alice/tools").exists());
}

#[tokio::test]
async fn what_is_removed_must_be_what_is_meant() {
    let library = Library::new();
    let server = writable(&library);
    let files = Files::of(&server);
    let tag = files.get("alice/README.md").await.header("etag").to_owned();
    let other = files
        .send(
            "DELETE",
            "alice/README.md",
            &[("If-Match", "\"other\"")],
            "",
        )
        .await;
    assert_eq!(other.said(), "412 PRECONDITION_FAILED");
    let meant = files
        .send("DELETE", "alice/README.md", &[("If-Match", &tag)], "")
        .await;
    assert_eq!(meant.status, 204);
}

#[tokio::test]
async fn a_link_is_removed_and_moved_itself() {
    let library = Library::new();
    library.plant_traps();
    let server = library.serve_users_with(&["--writable"]);
    let files = Files::user(&server, "alice");
    for name in ["passwd", "bobs", "bobs-file", "slash", "round", "fifo"] {
        let path = format!("alice/{name}");
        let moved = files.rename(&path, &format!("alice/tools/{name}")).await;
        assert_eq!(moved.status, 201, "{name}");
        assert!(!library.path(&path).is_symlink(), "{name}");
        let path = format!("alice/tools/{name}");
        assert_eq!(
            files.delete(&format!("{path}?recursive")).await.status,
            204,
            "{name}"
        );
    }
    for path in ["alice/up/bob/secret.txt", "alice/through-models/x"] {
        assert_eq!(files.delete(path).await.said(), "403 FORBIDDEN", "{path}");
    }
    assert_eq!(
        std::fs::read(library.path("bob/secret.txt")).unwrap(),
        HIDDEN.as_bytes()
    );
    assert_eq!(
        std::fs::read_dir(library.path("alice/tools"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn things_are_moved_within_a_folder() {
    let library = Library::new();
    library.write("alice/a", "a");
    library.write("alice/b", "b");
    let server = writable(&library);
    let files = Files::of(&server);
    assert_eq!(
        files
            .rename("alice/a", "alice/models/Kran%20%C3%A4")
            .await
            .status,
        201
    );
    assert_eq!(
        std::fs::read(library.path("alice/models/Kran ä")).unwrap(),
        b"a"
    );
    // With the server's name as well, as WebDAV clients send it.
    let whole = format!("http://{}/lib/files/alice/c", server.address());
    let moved = files
        .send("MOVE", "alice/b", &[("Destination", &whole)], "")
        .await;
    assert_eq!(moved.status, 201);
    library.write("alice/d", "d");
    let keep = [("Destination", "/lib/files/alice/d"), ("Overwrite", "F")];
    let kept = files.send("MOVE", "alice/c", &keep, "").await;
    assert_eq!(kept.said(), "412 EXISTS");
    assert_eq!(files.rename("alice/c", "alice/d").await.status, 204);
    assert_eq!(std::fs::read(library.path("alice/d")).unwrap(), b"b");
    assert_eq!(
        files.rename("alice/models", "alice/tools").await.status,
        204
    );
    assert!(library.path("alice/tools/spring.txt").exists());
    for (from, to, expected) in [
        ("alice/none", "alice/x", "404 NOT_FOUND"),
        ("alice/d", "alice/none/x", "409 NOT_FOUND"),
        ("alice/d", "alice/tools", "409 EXISTS"),
        ("alice/data", "alice/d", "409 EXISTS"),
        ("alice/data", "alice/tools", "409 NOT_EMPTY"),
        ("alice/tools", "alice/tools/below", "409 IMPOSSIBLE"),
        ("alice/d", "alice/d", "409 IMPOSSIBLE"),
        ("alice", "alice2", "403 FORBIDDEN"),
        ("alice/d", "alice", "403 FORBIDDEN"),
        ("alice/d", "alice/.dtaas-aside-in-00", "404 NOT_FOUND"),
    ] {
        let answer = files.rename(from, to).await;
        assert_eq!(answer.said(), expected, "{from} to {to}");
    }
    for destination in [
        "http://other.example/lib/files/alice/x",
        "/elsewhere/x",
        "/lib",
    ] {
        let answer = files
            .send("MOVE", "alice/d", &[("Destination", destination)], "")
            .await;
        assert_eq!(answer.status, 502, "{destination}");
    }
    assert_eq!(
        files.send("MOVE", "alice/d", &[], "").await.said(),
        "400 BAD_REQUEST"
    );
    assert!(library.path("alice/d").exists());
}

#[tokio::test]
async fn between_folders_both_ends_must_be_ones_that_may_be_written() {
    let library = Library::new();
    let server = library.serve_users_with(&["--writable"]);
    let (alice, publisher) = (
        Files::user(&server, "alice"),
        Files::publisher(&server, "alice"),
    );
    for (files, from, to, expected) in [
        (&alice, "alice/README.md", "common/x", "403 READ_ONLY"),
        (&alice, "common/README.md", "alice/x", "403 READ_ONLY"),
        (&alice, "alice/README.md", "bob/x", "404 NOT_FOUND"),
        (&alice, "bob/secret.txt", "alice/x", "404 NOT_FOUND"),
        (&publisher, "bob/secret.txt", "common/x", "404 NOT_FOUND"),
        (&publisher, "alice/models", "alice/common/tools/mine", "201"),
        (&publisher, "common/README.md", "alice/x", "201"),
    ] {
        let answer = files.rename(from, to).await;
        assert_eq!(answer.said(), expected, "{from} to {to}");
    }
    assert!(library.path("common/tools/mine/spring.txt").exists());
    assert_eq!(
        std::fs::read(library.path("alice/x")).unwrap(),
        b"# common\n"
    );
}

#[tokio::test]
async fn directories_are_made_one_at_a_time() {
    let library = Library::new();
    library.plant_traps();
    let server = library.serve_users_with(&["--writable"]);
    let files = Files::user(&server, "alice");
    let make = async |path: &str| files.send("MKCOL", path, &[], "").await;
    assert_eq!(make("alice/new/").await.status, 201);
    assert!(library.path("alice/new").is_dir());
    let again = make("alice/new").await;
    assert_eq!(again.said(), "405 EXISTS");
    for (path, expected) in [
        ("alice/README.md", "405 EXISTS"),
        ("alice/none/x", "409 NOT_FOUND"),
        ("alice/bobs/x", "403 FORBIDDEN"),
        ("alice/slash/tmp/x", "403 FORBIDDEN"),
        ("common/x", "403 READ_ONLY"),
        ("bob/x", "404 NOT_FOUND"),
    ] {
        assert_eq!(make(path).await.said(), expected, "{path}");
    }
    let body = files.send("MKCOL", "alice/other", &[], "a body").await;
    assert_eq!(body.status, 415);
    assert!(!library.path("alice/other").exists());
}

#[tokio::test]
async fn what_the_system_does_not_let_go_stays_in_its_place() {
    let root = rustix::process::geteuid().is_root();
    if !crate::rig::there_is(
        "root",
        root,
        "what_the_system_does_not_let_go_stays_in_its_place",
    ) {
        return;
    }
    let library = Library::new();
    library.make_directory("alice/data/held");
    library.write("alice/data/x", "x");
    // Where something is mounted, not even root removes it.
    let mount = |arguments: &[&str]| {
        let mut command = std::process::Command::new(arguments[0]);
        let path = library.path("alice/data/held");
        assert!(
            command
                .args(&arguments[1..])
                .arg(path)
                .status()
                .unwrap()
                .success()
        );
    };
    mount(&["mount", "-t", "tmpfs", "tmpfs"]);
    let server = writable(&library);
    let files = Files::of(&server);
    let answer = files.delete("alice/data?recursive").await;
    mount(&["umount"]);
    assert_eq!(answer.said(), "409 IMPOSSIBLE");
    assert!(library.path("alice/data/held").is_dir());
    assert_eq!(files.delete("alice/data?recursive").await.status, 204);
    assert!(!library.path("alice/data").exists());
}
