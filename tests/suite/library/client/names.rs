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
