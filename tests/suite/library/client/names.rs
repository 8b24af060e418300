//! `dtaas lib ls`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::{Value, json};

use super::super::fixture::Library;
use super::door::{Door, password};
use super::ran::run;

#[tokio::test]
async fn directories_come_first_and_each_has_a_slash() {
    let library = Library::new();
    let server = library.serve();
    let here = tempfile::tempdir().unwrap();
    for (path, expected) in [
        ("", "alice/\nbob/\ncommon/\n"),
        ("/", "alice/\nbob/\ncommon/\n"),
        (
            "alice",
            "common/\ndata/\ndigital twins/\nfunctions/\nmodels/\ntools/\nREADME.md\n",
        ),
        ("alice/models/", "spring.txt\n"),
        ("alice/models/../tools", ""),
        ("alice/models/spring.txt", "spring.txt\n"),
    ] {
        let ran = run(here.path(), &["ls", path, "--url", &server.url], &[], "").await;
        assert_eq!(
            (ran.code, ran.out.as_str(), ran.talk.as_str()),
            (0, expected, ""),
            "{path:?}"
        );
    }
}

#[tokio::test]
async fn for_programs_there_is_json() {
    let library = Library::new();
    library.write("alice/tools/two\nlines", "");
    let odd = library
        .path("alice/tools")
        .join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::write(odd, "x").unwrap();
    let server = library.serve();
    let here = tempfile::tempdir().unwrap();
    let ran = run(
        here.path(),
        &["ls", "alice/tools", "--json"],
        &[("DTAAS_LIB_URL", &server.url)],
        "",
    )
    .await;
    assert_eq!(
        serde_json::from_str::<Value>(&ran.out).unwrap(),
        json!([
            {"name": "caf\u{fffd} (not UTF-8: 636166e9)", "type": "blob", "utf8": false},
            {"name": "two\nlines", "type": "blob", "utf8": true},
        ])
    );
}

#[tokio::test]
async fn a_user_sees_their_folder_and_common() {
    let library = Library::new();
    let server = library.serve_users();
    let door = Door::open(&server).await;
    let here = tempfile::tempdir().unwrap();
    for (user, path, code, out, talk) in [
        ("alice", "", 0, "alice/\ncommon/\n", ""),
        (
            "bob",
            "bob",
            0,
            "data/\ndigital twins/\nfunctions/\nmodels/\ntools/\nsecret.txt\n",
            "",
        ),
        (
            "alice",
            "bob",
            1,
            "",
            "error: \"bob\" is not in the library\nhint: see what is there with `dtaas lib ls`\n",
        ),
    ] {
        let arguments = [["ls", path].as_slice(), &door.flags(user)].concat();
        let ran = run(here.path(), &arguments, &password(user), "").await;
        assert_eq!(
            (ran.code, ran.out.as_str(), ran.talk.as_str()),
            (code, out, talk),
            "{user}: {path:?}"
        );
    }
}

#[tokio::test]
async fn sizes_and_times_are_shown_when_asked_for() {
    let library = Library::new();
    library.write("alice/tools/solver", "x".repeat(12_345));
    library.make_directory("alice/tools/bin");
    library.link("alice/tools/link", "solver");
    let when = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    for name in ["solver", "bin"] {
        let file = std::fs::File::open(library.path("alice/tools").join(name)).unwrap();
        file.set_times(std::fs::FileTimes::new().set_modified(when))
            .unwrap();
    }
    let server = library.serve();
    let here = tempfile::tempdir().unwrap();
    let ls = async |path: &str, more: &[&str]| {
        let arguments = [["ls", "-l", path, "--url", &server.url].as_slice(), more].concat();
        let ran = run(here.path(), &arguments, &[], "").await;
        assert_eq!((ran.code, ran.talk.as_str()), (0, ""));
        ran.out
    };
    let shown = ls("alice/tools", &[]).await;
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 3, "{shown}");
    assert_eq!(lines[0], "    -  2023-11-14T22:13:20Z  bin/");
    // A link's own time is that of its making.
    assert!(
        lines[1].starts_with("    -  2") && lines[1].ends_with("Z  link"),
        "{shown}"
    );
    assert_eq!(lines[2], "12345  2023-11-14T22:13:20Z  solver");
    assert_eq!(
        ls("alice/tools/solver", &[]).await,
        "12345  2023-11-14T22:13:20Z  solver\n"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&ls("alice/tools/solver", &["--json"]).await).unwrap(),
        json!([{"name": "solver", "type": "blob", "utf8": true, "size": 12345, "modified": "2023-11-14T22:13:20Z"}])
    );
}
