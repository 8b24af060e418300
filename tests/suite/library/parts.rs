//! Files that come in parts: `PUT` with `Content-Range`.

use std::time::{Duration, SystemTime};

use rustix::process::Signal;

use super::files_client::{Files, aside, digest, half, pattern, read, until, writable};
use super::fixture::Library;

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
    let headers = [("Content-Range", range.as_str())];
    let body = contents.clone();
    let answer = parts.files.send("PUT", &parts.path, &headers, body).await;
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
async fn a_directory_that_cannot_be_removed_keeps_its_uploads() {
    let library = Library::new();
    library.make_directory("alice/d");
    library.write("alice/d/README.md", "# d\n");
    let server = writable(&library);
    let parts = Parts {
        files: Files::of(&server),
        path: "alice/d/x?upload=one".into(),
    };
    let begun = said("308", "bytes=0-3");
    assert_eq!(parts.send("bytes 0-3/10", b"0123").await, begun);

    let files = Files::of(&server);
    let removed = files.send("DELETE", "alice/d", &[], "").await;
    assert_eq!(removed.said(), "409 NOT_EMPTY");
    assert_eq!(parts.there(10).await, begun);

    // With nothing else in it, it goes, and they go with it.
    std::fs::remove_file(library.path("alice/d/README.md")).unwrap();
    let removed = files.send("DELETE", "alice/d", &[], "").await;
    assert_eq!(removed.said(), "204");
    assert!(!library.path("alice/d").exists());
}
