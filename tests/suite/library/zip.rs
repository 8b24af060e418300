//! A directory as a zip.

use std::ffi::OsStr;
use std::io::{Cursor, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use zip::ZipArchive;

use super::files_client::{Answer, Files, pattern, peak_memory, until};
use super::fixture::{HIDDEN, Library};

/// `name mode size`, sorted as they are in the zip.
fn entries(answer: &Answer) -> Vec<String> {
    assert!(answer.whole, "{}", answer.status);
    let mut zip = ZipArchive::new(Cursor::new(&answer.bytes[..])).unwrap();
    (0..zip.len())
        .map(|number| {
            let mut file = zip.by_index(number).unwrap();
            // Reading checks the sum.
            let mut contents = Vec::new();
            file.read_to_end(&mut contents).unwrap();
            let text = String::from_utf8_lossy(&contents);
            assert!(!text.contains(HIDDEN) && !text.contains("root:"));
            let mode = file.unix_mode().unwrap();
            format!("{} {mode:o} {}", file.name().unwrap(), contents.len())
        })
        .collect()
}

fn contents(answer: &Answer, name: &str) -> Vec<u8> {
    let mut zip = ZipArchive::new(Cursor::new(&answer.bytes[..])).unwrap();
    let mut contents = Vec::new();
    zip.by_name(name)
        .unwrap()
        .read_to_end(&mut contents)
        .unwrap();
    contents
}

#[tokio::test]
async fn a_directory_comes_with_all_that_is_in_it() {
    let library = Library::new();
    library.make_directory("alice/digital twins/Kran ä/lifecycle");
    library.write(
        "alice/digital twins/Kran ä/lifecycle/execute",
        "#!/bin/sh\n",
    );
    let program = library.path("alice/digital twins/Kran ä/lifecycle/execute");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_001);
    std::fs::File::open(&program)
        .unwrap()
        .set_modified(at)
        .unwrap();
    let data = pattern(1_000_000);
    library.write("alice/digital twins/Kran ä/data.csv", &data);
    library.write("alice/digital twins/Kran ä/model.fmu", &data);
    library.write("alice/digital twins/Kran ä/.dtaas-aside-in-00", "half");
    library.make_directory("alice/digital twins/Kran ä/empty");
    let server = library.serve();
    let files = Files::of(&server);
    let path = "alice/digital%20twins/Kran%20%C3%A4";

    let answer = files.get(&format!("{path}?zip")).await;

    assert_eq!(answer.header("content-type"), "application/zip");
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"Kran _.zip\"; filename*=UTF-8''Kran%20%C3%A4.zip"
    );
    assert_eq!(
        entries(&answer),
        [
            "Kran ä/ 40755 0",
            "Kran ä/data.csv 100644 1000000",
            "Kran ä/empty/ 40755 0",
            "Kran ä/lifecycle/ 40755 0",
            "Kran ä/lifecycle/execute 100755 10",
            "Kran ä/model.fmu 100644 1000000",
        ]
    );
    assert!(contents(&answer, "Kran ä/data.csv") == data);
    assert!(contents(&answer, "Kran ä/model.fmu") == data);
    let mut zip = ZipArchive::new(Cursor::new(&answer.bytes[..])).unwrap();
    let program = zip.by_name("Kran ä/lifecycle/execute").unwrap();
    let time = program.last_modified().unwrap();
    assert_eq!((time.year(), time.hour(), time.second()), (2023, 22, 20));
    let accepted = files
        .get_with(path, &[("Accept", "text/html, application/zip;q=0.9")])
        .await;
    assert_eq!(accepted.header("content-type"), "application/zip");
    let head = files.send("HEAD", &format!("{path}?zip"), &[], "").await;
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, "application/zip")
    );
}

#[tokio::test]
async fn what_is_not_in_it_is_said_in_it() {
    let library = Library::new();
    library.plant_traps();
    library.link("alice/near", "models/spring.txt");
    library.link("alice/folder", "models");
    library.link("alice/nowhere", "none");
    std::fs::write(
        library.path("alice").join(OsStr::from_bytes(b"caf\xe9")),
        "x",
    )
    .unwrap();
    library.write("alice/back\\slash", "x");
    library.write("alice/common/not-shown", "x");
    let server = library.serve_users();
    let answer = Files::user(&server, "alice").get("alice?zip").await;
    let found = entries(&answer);
    let left_out = found.last().unwrap().split(' ').next();
    assert_eq!(left_out, Some("left-out.txt"));
    assert_eq!(
        found[..found.len() - 1],
        [
            "alice/ 40755 0",
            "alice/README.md 100644 8",
            "alice/back_slash (bytes: 6261636b5c736c617368) 100644 1",
            "alice/caf\u{fffd} (not UTF-8: 636166e9) 100644 1",
            "alice/data/ 40755 0",
            "alice/digital twins/ 40755 0",
            "alice/functions/ 40755 0",
            "alice/models/ 40755 0",
            "alice/models/spring.txt 100644 6",
            "alice/near 100644 6",
            "alice/tools/ 40755 0",
        ]
    );
    let said = String::from_utf8(contents(&answer, "left-out.txt")).unwrap();
    let link = "a link to no file of this folder";
    let mut expected: Vec<String> = [
        "bobs",
        "bobs-absolute",
        "bobs-file",
        "folder",
        "nowhere",
        "outside",
        "own-absolute",
        "passwd",
        "proc",
        "round",
        "shadow",
        "slash",
        "through-models",
        "up",
    ]
    .map(|name| format!("alice/{name}: {link}"))
    .into();
    expected.push("alice/fifo: a FIFO, a device or a socket".into());
    expected.sort();
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn each_sees_their_own_zips() {
    let library = Library::new();
    let server = library.serve_users();
    let files = Files::user(&server, "alice");
    assert_eq!(files.get("bob?zip").await.said(), "404 NOT_FOUND");
    assert_eq!(files.get("?zip").await.said(), "400 BAD_REQUEST");
    let common = files.get("alice/common?zip").await;
    assert!(entries(&common).contains(&"common/README.md 100644 9".to_owned()));
    // Stand-alone, `alice/common` is a folder like any other.
    library.write("alice/common/x", "x");
    let server = library.serve();
    let whole = Files::of(&server).get("alice?zip").await;
    assert!(entries(&whole).contains(&"alice/common/x 100644 1".to_owned()));
}

#[tokio::test]
async fn a_large_one_takes_little_memory() {
    let library = Library::new();
    for number in 0..30_000 {
        library.write(&format!("alice/data/measurement-{number}.csv"), "1,2,3\n");
    }
    // Already compressed by its name, so that this is about memory and not about the processor.
    let file = std::fs::File::create(library.path("alice/large.zip")).unwrap();
    file.set_len(100 << 20).unwrap();
    let server = library.serve();
    let answer = Files::of(&server).get("alice?zip").await;
    assert!(answer.whole);
    let mut zip = ZipArchive::new(Cursor::new(&answer.bytes[..])).unwrap();
    assert_eq!(zip.len(), 30_000 + 10);
    assert_eq!(zip.by_name("alice/large.zip").unwrap().size(), 100 << 20);
    let peak = peak_memory(server.pid());
    assert!(peak < 64 * 1024, "{peak} kB");
}

#[tokio::test]
async fn more_than_it_can_hold_is_refused_before_it_begins() {
    let library = Library::new();
    let directory = std::fs::File::open(library.path("alice/data")).unwrap();
    std::fs::write(library.path("alice/data/x"), "").unwrap();
    // Links to one file are made faster than files.
    for number in 0..200_001 {
        let name = format!("{number}");
        // A file system allows only so many links to one file.
        if number % 30_000 == 0 {
            std::fs::write(library.path("alice/data").join(&name), "").unwrap();
        } else {
            let first = format!("{}", number / 30_000 * 30_000);
            let flags = rustix::fs::AtFlags::empty();
            rustix::fs::linkat(&directory, first, &directory, name, flags).unwrap();
        }
    }
    let server = library.serve();
    let answer = Files::of(&server).get("alice?zip").await;
    assert_eq!(answer.said(), "413 TOO_LARGE");
}

#[tokio::test]
async fn a_client_that_goes_away_stops_the_work() {
    let library = Library::new();
    for number in 0..200 {
        library.write(&format!("alice/data/{number}.csv"), pattern(1 << 20));
    }
    let server = library.serve();
    let files = Files::of(&server);
    let request = format!("{}\r\n", files.head("GET", "alice?zip"));
    let mut stream = files.begin(request.as_bytes());
    stream.read_exact(&mut [0; 1000]).unwrap();
    let root = library.root();
    let open = || {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
        let links = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        links.filter(|link| link.starts_with(&root)).count()
    };
    assert!(open() > 0);
    drop(stream);
    until("everything is closed", async || open() == 0).await;
}
