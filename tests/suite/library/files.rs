//! The files themselves, and what a directory holds: `GET` and `HEAD` below `<endpoint>/files/`.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::files_client::{Files, pattern, peak_memory};
use super::fixture::{HIDDEN, Library, make_fifo};
use super::large::Meanwhile;
use crate::rig::there_is;

/// No more than this, in kilobytes, however large the file.
const MEMORY: u64 = 64 * 1024;

#[tokio::test]
async fn a_file_comes_as_it_is_and_says_what_it_is() {
    let library = Library::new();
    let contents: Vec<u8> = (0..=255).collect();
    library.write("alice/models/Kran ä.fmu", &contents);
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let file = std::fs::File::open(library.path("alice/models/Kran ä.fmu")).unwrap();
    file.set_modified(at).unwrap();
    let server = library.serve();

    let answer = Files::of(&server)
        .get("alice/models/Kran%20%C3%A4.fmu")
        .await;

    assert_eq!((answer.status, answer.bytes), (200, contents));
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "date" && *name != "etag")
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    assert_eq!(
        headers,
        [
            "accept-ranges: bytes",
            "cache-control: private, no-cache",
            "content-disposition: attachment; filename=\"Kran _.fmu\"; filename*=UTF-8''Kran%20%C3%A4.fmu",
            "content-length: 256",
            "content-security-policy: sandbox; default-src 'none'; img-src 'self'; media-src 'self'; \
             style-src 'unsafe-inline'; frame-ancestors 'self'",
            "content-type: application/x-fmu+zip",
            "cross-origin-resource-policy: same-origin",
            "last-modified: Tue, 14 Nov 2023 22:13:20 GMT",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
        ]
    );
    let tag = answer.headers["etag"].to_str().unwrap();
    assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
}

#[tokio::test]
async fn the_head_alone_says_the_same() {
    let library = Library::new();
    library.write("alice/x.csv", "a,b\n");
    let server = library.serve();
    let files = Files::of(&server);
    let (get, head) = (
        files.get("alice/x.csv").await,
        files.send("HEAD", "alice/x.csv", &[], "").await,
    );
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    let told = |answer: &super::files_client::Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("date");
        headers
    };
    assert_eq!(told(&head), told(&get));
    assert_eq!(files.send("HEAD", "alice/none", &[], "").await.status, 404);
}

#[tokio::test]
async fn no_asset_acts_as_a_page_of_ours() {
    let library = Library::new();
    for (name, kind, how) in [
        ("page.html", "text/html; charset=utf-8", "attachment"),
        ("page.htm", "text/html; charset=utf-8", "attachment"),
        ("page.xhtml", "application/xhtml+xml", "attachment"),
        ("picture.svg", "image/svg+xml", "attachment"),
        ("feed.xml", "application/xml", "attachment"),
        ("paper.pdf", "application/pdf", "attachment"),
        ("style.css", "text/css; charset=utf-8", "attachment"),
        // Text, so that no page can load it as its script.
        ("script.js", "text/plain; charset=utf-8", "inline"),
        ("script.mjs", "text/plain; charset=utf-8", "inline"),
        ("page.HTML", "text/html; charset=utf-8", "attachment"),
        ("noending", "application/octet-stream", "attachment"),
        ("picture.png", "image/png", "inline"),
        ("README.md", "text/markdown; charset=utf-8", "inline"),
    ] {
        library.write(&format!("alice/{name}"), "<script>alert(1)</script>");
        let server = library.serve();
        let answer = Files::of(&server).get(&format!("alice/{name}")).await;
        assert_eq!(answer.header("content-type"), kind, "{name}");
        let disposition = answer.header("content-disposition");
        assert_eq!(disposition.split(';').next(), Some(how), "{name}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("sandbox; default-src 'none';"),
            "{policy}"
        );
        assert!(!policy.contains("allow-"), "{policy}");
    }
}

#[tokio::test]
async fn what_a_client_has_already_is_not_sent_again() {
    let library = Library::new();
    library.write("alice/x.txt", "one");
    let server = library.serve();
    let files = Files::of(&server);
    let first = files.get("alice/x.txt").await;
    let (tag, date) = (
        first.header("etag").to_owned(),
        first.header("last-modified").to_owned(),
    );
    for (name, value, expected) in [
        ("If-None-Match", tag.as_str(), 304),
        ("If-None-Match", "\"other\"", 200),
        ("If-Modified-Since", &date, 304),
        ("If-Match", &tag, 200),
        ("If-Match", "\"other\"", 412),
        ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 412),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = files
                .send(method, "alice/x.txt", &[(name, value)], "")
                .await;
            assert_eq!(answer.status, expected, "{method} {name}: {value}");
            if expected == 304 {
                assert_eq!(answer.header("etag"), tag);
                assert_eq!(answer.bytes, b"");
            }
        }
    }
    // Of the same size, and with the same time.
    let before = std::fs::metadata(library.path("alice/x.txt")).unwrap();
    library.write("alice/x.txt", "two");
    let file = std::fs::File::options()
        .write(true)
        .open(library.path("alice/x.txt"));
    file.unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    let answer = files
        .get_with("alice/x.txt", &[("If-None-Match", &tag)])
        .await;
    assert_eq!((answer.status, answer.text()), (200, "two"));
}

#[tokio::test]
async fn a_file_that_changes_all_the_time_has_no_strong_tag() {
    let library = Library::new();
    library.write("alice/log.csv", "");
    let server = library.serve();
    let stop = Arc::new(AtomicBool::new(false));
    let writing = std::thread::spawn({
        let (stop, path) = (stop.clone(), library.path("alice/log.csv"));
        move || {
            let mut file = std::fs::File::options().append(true).open(path).unwrap();
            while !stop.load(Ordering::Relaxed) {
                file.write_all(b"1,2,3\n").unwrap();
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    });
    let files = Files::of(&server);
    let mut weak = false;
    for _ in 0..50 {
        let answer = files.get("alice/log.csv").await;
        assert_eq!(answer.status, 200);
        assert!(answer.whole);
        weak = answer.header("etag").starts_with("W/");
        if weak {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    writing.join().unwrap();
    assert!(weak);
    let settled = files.get("alice/log.csv").await;
    assert!(settled.header("etag").starts_with('"'));
}

#[tokio::test]
async fn paths_are_decoded_once_and_lead_nowhere_else() {
    let library = Library::new();
    library.plant_traps();
    library.write("alice/100%25.txt", "percent");
    for server in [library.serve(), library.serve_users()] {
        let files = Files::user(&server, "alice");
        for (path, expected) in [
            ("alice/100%2525.txt", "200"),
            ("alice//models/./spring.txt", "200"),
            ("alice/none/../README.md", "200"),
            ("alice/%2e%2e/alice/README.md", "200"),
            ("alice%2fREADME.md", "200"),
            ("alice/100%25.txt", "404"),
            ("%252e%252e/outside.txt", "404"),
            ("..", "403"),
            ("../outside.txt", "403"),
            ("%2e%2e/outside.txt", "403"),
            ("..%2foutside.txt", "403"),
            ("alice/../../outside.txt", "403"),
            ("alice/..%5c..%5coutside.txt", "404"),
            ("/etc/passwd", "404"),
            ("alice/x%00.txt", "400"),
            ("alice/%ff", "400"),
            ("alice/%c0%ae%c0%ae/x", "400"),
            ("alice/passwd", "403"),
            ("alice/outside", "403"),
            ("alice/bobs-file", "403"),
            ("alice/bobs-absolute", "403"),
            ("alice/bobs/", "403"),
            ("alice/up/bob/secret.txt", "403"),
            ("alice/slash/etc/passwd", "403"),
            ("alice/proc/etc/passwd", "403"),
            ("alice/round", "403"),
            ("alice/fifo", "409"),
            ("alice/README.md/x", "409"),
        ] {
            let answer = files.raw("GET", path);
            let status = answer.split(' ').nth(1).unwrap_or_default();
            assert_eq!(status, expected, "{path}: {answer}");
            for trace in [HIDDEN, "root:"] {
                assert!(!answer.contains(trace), "{path}: {answer}");
            }
        }
    }
    let server = library.serve_users();
    let files = Files::user(&server, "alice");
    for path in ["bob", "bob/secret.txt", "alice/%2e%2e/bob/secret.txt"] {
        assert!(
            files.raw("GET", path).starts_with("HTTP/1.1 404 "),
            "{path}"
        );
    }
    // The gateway counts here as well.
    let nobody = Files::of(&server).get("alice/README.md").await;
    assert_eq!(nobody.said(), "401 UNAUTHENTICATED");
}

#[tokio::test]
async fn a_device_is_not_opened() {
    let library = Library::new();
    let path = library.path("alice/zero");
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    let kind = rustix::fs::FileType::CharacterDevice;
    let device = rustix::fs::makedev(1, 5);
    let made = rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, device);
    if !there_is(
        "the right to make devices",
        made.is_ok(),
        "a_device_is_not_opened",
    ) {
        return;
    }
    let server = library.serve();
    let answer = Files::of(&server).get("alice/zero").await;
    assert_eq!(answer.said(), "409 NOT_A_FILE");
}

#[tokio::test]
async fn a_directory_is_a_list() {
    let library = Library::new();
    library.make_directory("alice/data/sub");
    library.write("alice/data/b.csv", "1,2\n");
    library.write("alice/data/a \"quoted\".txt", "");
    library.write("alice/data/.dtaas-aside-in-00", "half");
    library.link("alice/data/link", "b.csv");
    make_fifo(&library.path("alice/data/fifo"));
    std::fs::write(
        library
            .path("alice/data")
            .join(OsStr::from_bytes(b"caf\xe9")),
        "x",
    )
    .unwrap();
    for name in ["b.csv", "a \"quoted\".txt"] {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        let file = std::fs::File::open(library.path("alice/data").join(name)).unwrap();
        file.set_modified(at).unwrap();
    }
    let server = library.serve_users();
    let files = Files::user(&server, "alice");

    let answer = files.get("alice/data/").await;

    assert_eq!(answer.header("content-type"), "application/json");
    let list = answer.json();
    let told: Vec<String> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| format!("{} {} {}", entry["name"], entry["type"], entry["size"]))
        .collect();
    assert_eq!(
        told,
        [
            "\"a \\\"quoted\\\".txt\" \"file\" 0",
            "\"b.csv\" \"file\" 4",
            "\"caf\u{fffd} (not UTF-8: 636166e9)\" \"file\" 1",
            "\"fifo\" \"other\" null",
            "\"link\" \"link\" null",
            "\"sub\" \"directory\" null",
        ]
    );
    assert_eq!(list[1]["modified"], json!("2023-11-14T22:13:20.25Z"));
    let names = |answer: super::files_client::Answer| -> Vec<String> {
        let list = answer.json();
        let entries = list.as_array().unwrap().iter();
        entries
            .map(|entry| entry["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(files.get("").await), ["alice", "common"]);
    assert_eq!(
        names(files.get("alice/common").await),
        [
            "README.md",
            "data",
            "digital twins",
            "functions",
            "models",
            "tools"
        ]
    );
    assert_eq!(names(files.get("alice/data/sub").await), [""; 0]);
    // What is aside is not there for anyone.
    let aside = files.get("alice/data/.dtaas-aside-in-00").await;
    assert_eq!(aside.said(), "404 NOT_FOUND");
    let listed = server
        .ask_as("alice", super::fixture::LIST, json!({"path": "alice/data"}))
        .await;
    assert!(!listed.text.contains("aside"), "{}", listed.text);
}

#[tokio::test]
async fn a_directory_of_a_hundred_thousand_is_listed_in_little_memory() {
    let library = Library::new();
    for number in 0..100_000 {
        library.write(&format!("alice/data/measurement-{number:06}.csv"), "");
    }
    let server = library.serve();
    let answer = Files::of(&server).get("alice/data").await;
    let list = answer.json();
    assert_eq!(list.as_array().unwrap().len(), 100_000);
    assert_eq!(list[99_999]["name"], json!("measurement-099999.csv"));
    let peak = peak_memory(server.pid());
    assert!(peak < MEMORY, "{peak} kB");
}

#[tokio::test]
async fn a_link_that_changes_while_it_is_served_leads_nowhere_else() {
    let library = Library::new();
    library.make_directory("alice/flip");
    library.write("alice/flip/secret.txt", "mine");
    library.link("alice/flop", "../bob");
    let server = library.serve_users();
    let flipping = Meanwhile::swapping(&library.path("alice"), "flip", "flop");
    let files = Files::user(&server, "alice");
    let (mut mine, mut refused) = (0, 0);
    while (mine < 20 || refused < 20) && mine + refused < 5000 {
        let answer = files.get("alice/flip/secret.txt").await;
        match (answer.status, answer.text()) {
            (200, "mine") => mine += 1,
            (200, other) => panic!("{other}"),
            (_, text) => {
                assert!(!text.contains(HIDDEN));
                refused += 1;
            }
        }
    }
    flipping.stop();
    assert!(mine > 0 && refused > 0, "{mine} mine, {refused} refused");
}

#[tokio::test]
async fn hundreds_of_megabytes_stream_in_little_memory() {
    const SIZE: usize = 400 << 20;
    let library = Library::new();
    let block = pattern(1 << 20);
    let file = std::fs::File::create(library.path("alice/large.mat")).unwrap();
    for number in 0..SIZE >> 20 {
        file.write_all_at(&block, (number << 20) as u64).unwrap();
    }
    let server = library.serve();
    let address = Files::of(&server).address("alice/large.mat");
    let mut response = super::fixture::client().get(address).send().await.unwrap();
    let mut read = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            let at = read % block.len();
            let same = rest.len().min(block.len() - at);
            assert!(rest[..same] == block[at..at + same], "at {read}");
            read += same;
            rest = &rest[same..];
        }
    }
    assert_eq!(read, SIZE);
    let peak = peak_memory(server.pid());
    assert!(peak < MEMORY, "{peak} kB");
}

/// A connection that has asked for a file and read the begin of it.
fn reading(files: &Files<'_>, path: &str) -> (std::net::TcpStream, Vec<u8>, usize) {
    let request = format!("{}\r\n", files.head("GET", path));
    let mut stream = files.begin(request.as_bytes());
    let mut begin = vec![0; 64 << 10];
    let mut read = 0;
    let head = loop {
        read += stream.read(&mut begin[read..]).unwrap();
        if let Some(at) = begin[..read]
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
        {
            break at + 4;
        }
    };
    let text = String::from_utf8_lossy(&begin[..head]).to_ascii_lowercase();
    let length = text.split("content-length: ").nth(1).unwrap();
    let length = length.split('\r').next().unwrap().parse().unwrap();
    (stream, begin[head..read].to_vec(), length)
}

#[tokio::test]
async fn a_file_that_becomes_shorter_ends_short() {
    const SIZE: usize = 64 << 20;
    let library = Library::new();
    let contents = pattern(SIZE);
    library.write("alice/x.bin", &contents);
    let server = library.serve();
    let (mut stream, mut bytes, length) = reading(&Files::of(&server), "alice/x.bin");
    assert_eq!(length, SIZE);
    let file = std::fs::File::options()
        .write(true)
        .open(library.path("alice/x.bin"));
    file.unwrap().set_len(40 << 20).unwrap();
    // However the connection ends.
    let _ = stream.read_to_end(&mut bytes);
    assert!(bytes.len() <= 40 << 20, "{}", bytes.len());
    assert!(bytes[..] == contents[..bytes.len()]);
    let line = server.logged("ended short");
    assert!(
        line.starts_with("library: - GET \"alice/x.bin\" ended short: "),
        "{line}"
    );
}

#[tokio::test]
async fn a_file_that_is_written_anew_meanwhile_ends_short() {
    const SIZE: usize = 64 << 20;
    let library = Library::new();
    library.write("alice/x.bin", vec![b'a'; SIZE]);
    let server = library.serve();
    let (mut stream, mut bytes, _) = reading(&Files::of(&server), "alice/x.bin");
    let file = std::fs::File::options()
        .write(true)
        .open(library.path("alice/x.bin"));
    file.unwrap().write_all_at(&vec![b'b'; SIZE], 0).unwrap();
    let _ = stream.read_to_end(&mut bytes);
    assert!(bytes.len() < SIZE, "{}", bytes.len());
    assert!(bytes.iter().all(|byte| *byte == b'a'));
}

#[tokio::test]
async fn a_log_that_grows_meanwhile_comes_as_it_was() {
    const SIZE: usize = 32 << 20;
    let library = Library::new();
    let contents = pattern(SIZE);
    library.write("alice/log.csv", &contents);
    let server = library.serve();
    let (stream, mut bytes, length) = reading(&Files::of(&server), "alice/log.csv");
    let mut file = std::fs::File::options()
        .append(true)
        .open(library.path("alice/log.csv"))
        .unwrap();
    file.write_all(b"another line\n").unwrap();
    stream
        .take((length - bytes.len()) as u64)
        .read_to_end(&mut bytes)
        .unwrap();
    assert!(bytes == contents);
}

#[tokio::test]
async fn a_file_that_is_replaced_meanwhile_comes_as_it_was() {
    const SIZE: usize = 32 << 20;
    let library = Library::new();
    let contents = pattern(SIZE);
    library.write("alice/x.bin", &contents);
    let server = library.serve_with("", &["--no-auth", "--writable"]);
    let files = Files::of(&server);
    let (stream, mut bytes, length) = reading(&files, "alice/x.bin");
    assert_eq!(files.put("alice/x.bin", "another").await.status, 204);
    stream
        .take((length - bytes.len()) as u64)
        .read_to_end(&mut bytes)
        .unwrap();
    assert!(bytes == contents);
    assert_eq!(files.get("alice/x.bin").await.text(), "another");
}

#[tokio::test]
async fn clients_that_stop_half_way_leave_nothing_open() {
    let library = Library::new();
    library.write("alice/x.bin", vec![0; 64 << 20]);
    let server = library.serve();
    let files = Files::of(&server);
    let connections: Vec<_> = (0..20).map(|_| reading(&files, "alice/x.bin")).collect();
    let open = || {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
        let links = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        links.filter(|link| link.ends_with("alice/x.bin")).count()
    };
    assert!(open() > 0);
    drop(connections);
    super::files_client::until("the files are closed", async || open() == 0).await;
}

#[tokio::test]
async fn the_log_tells_each_request_and_nothing_breaks_its_lines() {
    let library = Library::new();
    let server = library.serve_users();
    let files = Files::user(&server, "alice");
    files.get("alice/README.md").await;
    let line = server.logged("README");
    assert!(
        line.contains("Z alice GET \"alice/README.md\" 200 8 bytes "),
        "{line}"
    );
    files.get("alice/no%0Asuch").await;
    let line = server.logged("such");
    assert!(
        line.contains("Z alice GET \"alice/no\\nsuch\" 404 NOT_FOUND "),
        "{line}"
    );
}

#[tokio::test]
async fn methods_that_files_do_not_know_are_told_the_others() {
    let library = Library::new();
    let server = library.serve();
    let writable = library.serve_with("", &["--no-auth", "--writable"]);
    let reading = "GET, HEAD, OPTIONS";
    let writing = "GET, HEAD, OPTIONS, PUT, DELETE, MOVE, MKCOL";
    for (server, allowed) in [(&server, reading), (&writable, writing)] {
        let files = Files::of(server);
        let post = files.send("POST", "alice/x", &[], "x").await;
        assert_eq!((post.status, post.header("allow")), (405, allowed));
        let options = files
            .send(
                "OPTIONS",
                "alice/x",
                &[("Origin", "https://evil.example")],
                "",
            )
            .await;
        assert_eq!((options.status, options.header("allow")), (204, allowed));
        assert_eq!(options.header("access-control-allow-origin"), "-");
    }
}
