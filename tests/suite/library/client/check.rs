//! `dtaas lib check`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::super::fixture::{Library, make_fifo};
use super::ran::{Ran, run};

/// alice's folder with a bit of everything that users stumble on.
fn troubled() -> Library {
    let library = Library::new();
    let odd = library
        .path("alice/data")
        .join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::write(odd, "x").unwrap();
    library.link("alice/models/gone", "nowhere");
    library.link("alice/models/out", "/etc/passwd");
    library.link("alice/models/spring-again", "spring.txt");
    make_fifo(&library.path("alice/tools/pipe"));
    let twins = "alice/digital twins";
    library.make_directory(&format!("{twins}/good/lifecycle"));
    library.write(&format!("{twins}/good/README.md"), "# good\n");
    library.write(&format!("{twins}/good/lifecycle/execute"), "#!/bin/sh\n");
    let program = library.path(&format!("{twins}/good/lifecycle/execute"));
    std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
    library.make_directory(&format!("{twins}/mute/lifecycle"));
    library.write(&format!("{twins}/mute/lifecycle/create"), "#!/bin/sh\n");
    library.make_directory(&format!("{twins}/empty"));
    library
}

#[tokio::test]
async fn what_users_would_stumble_on_is_named() {
    let library = troubled();
    let server = library.serve();
    let here = tempfile::tempdir().unwrap();
    let ran = run(
        here.path(),
        &["check", "alice", "--url", &server.url],
        &[],
        "",
    )
    .await;
    let phases = "lifecycle/ with some of create, execute, analyze, save, evolve, clean, terminate";
    assert_eq!(
        ran,
        Ran {
            code: 1,
            out: format!(
                "alice/data/caf\u{fffd} (not UTF-8: 636166e9): the name is not UTF-8: it can be listed, and not opened; rename it\n\
                 alice/digital twins/empty: the digital twin has no README.md\n\
                 alice/digital twins/empty: the digital twin has no program for any phase: {phases}\n\
                 alice/digital twins/mute: the digital twin has no README.md\n\
                 alice/digital twins/mute/lifecycle/create: the program is not executable: chmod +x\n\
                 alice/models/gone: cannot be read: a link to nothing\n\
                 alice/models/out: cannot be read: no rights, or a link that leads out of its folder\n\
                 alice/tools/pipe: cannot be read: no regular file (a pipe, a device, a link in a circle)\n"
            ),
            talk: "11 directories, 9 files, 3 digital twins: 8 things to stumble on\n".to_owned(),
        }
    );
}

#[tokio::test]
async fn for_programs_there_is_json_and_nothing_is_fine() {
    let library = troubled();
    let server = library.serve();
    let here = tempfile::tempdir().unwrap();
    let check = async |path: &str| {
        let arguments = ["check", path, "--json", "--url", &server.url];
        let ran = run(here.path(), &arguments, &[], "").await;
        assert_eq!(ran.talk, "");
        (ran.code, serde_json::from_str::<Value>(&ran.out).unwrap())
    };
    assert_eq!(
        check("alice/tools").await,
        (
            1,
            json!({
                "directories": 1,
                "files": 1,
                "digital_twins": 0,
                "findings": [{
                    "path": "alice/tools/pipe",
                    "kind": "unreadable",
                    "message": "cannot be read: no regular file (a pipe, a device, a link in a circle)",
                }],
            })
        )
    );
    assert_eq!(
        check("alice/digital twins/good").await,
        (
            0,
            json!({"directories": 2, "files": 2, "digital_twins": 1, "findings": []})
        )
    );
    assert_eq!(check("common").await.0, 0);
    let missing = run(
        here.path(),
        &["check", "none", "--url", &server.url],
        &[],
        "",
    )
    .await;
    assert_eq!(missing.code, 1);
    assert!(
        missing
            .talk
            .starts_with("error: \"none\" is not in the library\n"),
        "{missing:?}"
    );
}
