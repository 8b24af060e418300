//! `dtaas lib put`.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::super::fixture::{Library, Server};
use super::door::{Cut, Door, password};
use super::ran::{Ran, all_in, bytes, run};

fn said(talk: &str) -> Ran {
    Ran {
        code: 0,
        out: String::new(),
        talk: talk.to_owned(),
    }
}

fn failed(talk: &str) -> Ran {
    Ran {
        code: 1,
        ..said(talk)
    }
}

/// A library that users may write.
fn writable(library: &Library, more: &[&str]) -> Server {
    library.serve_users_with(&[&["--writable"], more].concat())
}

#[tokio::test]
async fn a_file_is_sent_and_written_over_nothing() {
    let library = Library::new();
    let server = writable(&library, &[]);
    let door = Door::open(&server).await;
    let here = tempfile::tempdir().unwrap();
    let contents = bytes(100_000);
    std::fs::write(here.path().join("plant 1.fmu"), &contents).unwrap();
    std::fs::write(here.path().join("empty"), "").unwrap();
    let put = async |user: &str, arguments: &[&str]| {
        let arguments = [&["put"], arguments, &door.flags(user)].concat();
        run(here.path(), &arguments, &password(user), "").await
    };
    assert_eq!(
        put("alice", &["plant 1.fmu", "alice/models"]).await,
        said("plant 1.fmu is now alice/models/plant 1.fmu\n")
    );
    assert!(std::fs::read(library.path("alice/models/plant 1.fmu")).unwrap() == contents);
    assert_eq!(
        put("alice", &["empty", "alice/data/new/place/nothing"]).await,
        said("empty is now alice/data/new/place/nothing\n")
    );
    assert_eq!(
        std::fs::read(library.path("alice/data/new/place/nothing")).unwrap(),
        b""
    );
    // Sent again, it is known by its sum, and not written.
    assert_eq!(
        put("alice", &["plant 1.fmu", "alice/models/"]).await,
        said("plant 1.fmu is alice/models/plant 1.fmu already\n")
    );

    std::fs::write(here.path().join("plant 1.fmu"), "another").unwrap();
    assert_eq!(
        put("alice", &["plant 1.fmu", "alice/models"]).await,
        failed("error: alice/models/plant 1.fmu is there already\nhint: --force writes over it\n")
    );
    assert!(std::fs::read(library.path("alice/models/plant 1.fmu")).unwrap() == contents);
    assert_eq!(
        put("alice", &["plant 1.fmu", "alice/models", "--force"]).await,
        said("plant 1.fmu is now alice/models/plant 1.fmu\n")
    );
    assert_eq!(
        std::fs::read(library.path("alice/models/plant 1.fmu")).unwrap(),
        b"another"
    );
    assert_eq!(
        all_in(&library.path("alice/models")),
        ["plant 1.fmu", "spring.txt"]
    );
}

#[tokio::test]
async fn what_may_not_be_written_is_said_in_words() {
    let library = Library::new();
    let server = writable(&library, &["--quota", "300k", "--max-upload", "200k"]);
    let door = Door::open(&server).await;
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("small"), "x").unwrap();
    std::fs::write(here.path().join("fits"), bytes(190_000)).unwrap();
    std::fs::write(here.path().join("large"), bytes(210_000)).unwrap();
    let put = async |user: &str, file: &str, path: &str| {
        let arguments = [["put", file, path].as_slice(), &door.flags(user)].concat();
        run(here.path(), &arguments, &password(user), "").await
    };
    assert_eq!(
        put("bob", "small", "common/small").await,
        failed(
            "error: \"common/small\" cannot be changed by you here\nhint: own folders are written where the library is served for \
             writing, common by members of the group publishers\n"
        )
    );
    assert_eq!(
        put("alice", "small", "common/small").await,
        said("small is now common/small\n")
    );
    assert_eq!(
        put("alice", "small", "alice/common/other").await,
        said("small is now alice/common/other\n")
    );
    let other = put("alice", "small", "bob/small").await;
    assert_eq!(
        other,
        failed(
            "error: \"bob/small\" is not in the library\nhint: see what is there with `dtaas lib ls`\n"
        )
    );
    let large = put("alice", "large", "alice/large").await;
    assert_eq!(large.code, 1);
    assert!(
        large
            .talk
            .starts_with("error: \"alice/large\" is too large"),
        "{large:?}"
    );
    assert_eq!(
        put("alice", "fits", "alice/fits").await,
        said("fits is now alice/fits\n")
    );
    assert_eq!(
        put("alice", "fits", "alice/more").await,
        failed(
            "error: there is no room for \"alice/more\"\nhint: take away what is not needed, or have the operator raise the quota \
             (library.quota in dtaas.yaml)\n"
        )
    );
    assert_eq!(all_in(&library.path("bob")).len(), 6);

    let reading = library.serve_users();
    let door = Door::open(&reading).await;
    let arguments = [
        ["put", "small", "alice/small"].as_slice(),
        &door.flags("alice"),
    ]
    .concat();
    let ran = run(here.path(), &arguments, &password("alice"), "").await;
    assert_eq!(ran.code, 1);
    assert!(
        ran.talk
            .contains("own folders are written where the library is served for writing"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn an_upload_that_breaks_off_goes_on_where_it_was() {
    let library = Library::new();
    let server = writable(&library, &[]);
    let door = Door::open(&server).await;
    let here = tempfile::tempdir().unwrap();
    let contents = bytes(5_000_000);
    std::fs::write(here.path().join("run.csv"), &contents).unwrap();
    door.cut(Cut::Request(2_000_000));
    door.cut(Cut::Request(1_000_000));
    let arguments = [
        ["put", "run.csv", "alice/data"].as_slice(),
        &door.flags("alice"),
    ]
    .concat();
    let ran = run(here.path(), &arguments, &password("alice"), "").await;
    assert_eq!(ran, said("run.csv is now alice/data/run.csv\n"));
    assert!(std::fs::read(library.path("alice/data/run.csv")).unwrap() == contents);
    assert_eq!(all_in(&library.path("alice/data")), ["run.csv"]);
    assert!(door.has_cut_all());
    let begins: Vec<u64> = door
        .passed()
        .iter()
        .filter_map(|line| {
            line.split_once(" bytes ")?
                .1
                .split_once('-')?
                .0
                .parse()
                .ok()
        })
        .collect();
    assert_eq!(begins.len(), 3, "{begins:?}");
    assert!(
        begins[0] == 0 && begins[1] > 0 && begins[2] > begins[1],
        "{begins:?}"
    );
}

#[tokio::test]
async fn a_directory_is_sent_whole_but_for_its_links() {
    let library = Library::new();
    let server = writable(&library, &[]);
    let door = Door::open(&server).await;
    let here = tempfile::tempdir().unwrap();
    let twin = here.path().join("twin");
    for directory in ["lifecycle", "empty/deep"] {
        std::fs::create_dir_all(twin.join(directory)).unwrap();
    }
    std::fs::write(twin.join("README.md"), "# twin\n").unwrap();
    std::fs::write(twin.join("lifecycle/create"), "#!/bin/sh\n").unwrap();
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(twin.join("lifecycle/create"), executable).unwrap();
    symlink("/etc/passwd", twin.join("passwd")).unwrap();
    let place = "alice/digital twins/twin";
    let arguments = [["put", "twin", place].as_slice(), &door.flags("alice")].concat();
    let ran = run(here.path(), &arguments, &password("alice"), "").await;
    let left_out = "alice/digital twins/twin/passwd: left out: links are not followed\n";
    assert_eq!(
        ran,
        said(&format!(
            "{left_out}twin is now {place}: 2 files came over\n"
        ))
    );
    assert_eq!(
        all_in(&library.path(place)),
        ["README.md", "empty", "lifecycle"]
    );
    assert!(library.path(place).join("empty/deep").is_dir());
    let mode = |path: &str| {
        let found = std::fs::metadata(library.path(place).join(path)).unwrap();
        found.permissions().mode() & 0o777
    };
    assert_eq!(
        (mode("lifecycle/create"), mode("README.md")),
        (0o755, 0o644)
    );

    // Again, with one file more.
    std::fs::write(twin.join("lifecycle/execute"), "#!/bin/sh\n").unwrap();
    let ran = run(here.path(), &arguments, &password("alice"), "").await;
    assert_eq!(
        ran,
        said(&format!(
            "{left_out}twin is now {place}: 1 file came over, 2 files already there\n"
        ))
    );
}
