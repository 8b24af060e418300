//! `dtaas lib cat` and `dtaas lib get`.

use super::super::fixture::{HIDDEN, Library};
use super::door::{Cut, Door, password};
use super::ran::{Ran, all_in, bytes, read, run, run_for_bytes};

fn said(talk: &str) -> Ran {
    Ran {
        code: 0,
        out: String::new(),
        talk: talk.to_owned(),
    }
}

#[tokio::test]
async fn cat_gives_the_very_bytes() {
    let library = Library::new();
    let contents = bytes(300_000);
    library.write("alice/models/plant 100%.fmu", &contents);
    library.write("alice/models/padded.txt", "\u{feff}  text \n\n");
    let server = library.serve_users();
    let door = Door::open(&server).await;
    let here = tempfile::tempdir().unwrap();
    let cat = async |path: &str| {
        let arguments = [["cat", path].as_slice(), &door.flags("alice")].concat();
        run_for_bytes(here.path(), &arguments, &password("alice"), "").await
    };
    for (path, expected) in [
        ("alice/models/plant 100%.fmu", contents.as_slice()),
        ("alice/models/padded.txt", "\u{feff}  text \n\n".as_bytes()),
        ("alice/common/README.md", b"# common\n"),
    ] {
        let output = cat(path).await;
        let talk = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), talk.as_str()),
            (Some(0), ""),
            "{path}"
        );
        assert!(output.stdout == expected, "{path}");
    }
    for (path, message) in [
        (
            "alice/models",
            "error: \"alice/models\" is a directory, or a link to one\n",
        ),
        (
            "bob/secret.txt",
            "error: \"bob/secret.txt\" is not in the library\nhint: see what is there with `dtaas lib ls`\n",
        ),
    ] {
        let output = cat(path).await;
        assert_eq!(String::from_utf8(output.stderr).unwrap(), message);
        assert_eq!((output.status.code(), output.stdout), (Some(1), vec![]));
    }
}

#[tokio::test]
async fn a_file_comes_to_its_place_and_over_nothing() {
    let library = Library::new();
    let server = library.serve();
    let here = tempfile::tempdir().unwrap();
    std::fs::create_dir(here.path().join("models")).unwrap();
    let get = async |more: &[&str]| {
        let arguments = [
            ["get", "alice/models/spring.txt"].as_slice(),
            more,
            &["--url", &server.url],
        ];
        run(here.path(), &arguments.concat(), &[], "").await
    };
    assert_eq!(
        get(&[]).await,
        said("alice/models/spring.txt is now spring.txt\n")
    );
    assert_eq!(
        get(&["models"]).await,
        said("alice/models/spring.txt is now models/spring.txt\n")
    );
    assert_eq!(
        get(&["other.txt"]).await,
        said("alice/models/spring.txt is now other.txt\n")
    );
    assert_eq!(
        get(&[]).await,
        said("alice/models/spring.txt is spring.txt already\n")
    );
    let modified = |path: &std::path::Path| {
        let time = std::fs::metadata(path).unwrap().modified().unwrap();
        time.duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    assert_eq!(
        modified(&here.path().join("spring.txt")),
        modified(&library.path("alice/models/spring.txt"))
    );

    std::fs::write(here.path().join("spring.txt"), "mine\n").unwrap();
    let refused = Ran {
        code: 1,
        out: String::new(),
        talk: "error: spring.txt is there already\nhint: --force writes over it\n".to_owned(),
    };
    assert_eq!(get(&[]).await, refused);
    assert_eq!(read(here.path(), "spring.txt"), b"mine\n");
    assert_eq!(
        get(&["--force"]).await,
        said("alice/models/spring.txt is now spring.txt\n")
    );
    assert_eq!(read(here.path(), "spring.txt"), b"k = 1\n");
    assert_eq!(all_in(here.path()), ["models", "other.txt", "spring.txt"]);
}

#[tokio::test]
async fn what_breaks_off_is_taken_up_where_it_was() {
    let library = Library::new();
    let contents = bytes(3_000_000);
    library.write("alice/data/run.csv", &contents);
    let server = library.serve_users();
    let door = Door::open(&server).await;
    let here = tempfile::tempdir().unwrap();
    door.cut(Cut::Answer(1_000_000));
    door.cut(Cut::Answer(500_000));
    let arguments = [
        ["get", "alice/data/run.csv"].as_slice(),
        &door.flags("alice"),
    ]
    .concat();
    let ran = run(here.path(), &arguments, &password("alice"), "").await;
    assert_eq!(ran, said("alice/data/run.csv is now run.csv\n"));
    assert!(read(here.path(), "run.csv") == contents);
    assert_eq!(all_in(here.path()), ["run.csv"]);
    assert!(door.has_cut_all());
    // Nothing that had come was asked for again; what is on its way in a connection that breaks may be lost with it.
    let begins: Vec<u64> = door
        .passed()
        .iter()
        .filter_map(|line| {
            line.split_once(" bytes=")?
                .1
                .strip_suffix('-')?
                .parse()
                .ok()
        })
        .collect();
    assert_eq!(begins.len(), 2, "{begins:?}");
    assert!(
        begins[0] <= 1_000_000 && begins[0] <= begins[1],
        "{begins:?}"
    );
}

#[tokio::test]
async fn another_run_goes_on_with_what_the_first_one_left() {
    let library = Library::new();
    let contents = bytes(2_000_000);
    library.write("alice/data/run.csv", &contents);
    let server = library.serve_users();
    let door = Door::open(&server).await;
    let here = tempfile::tempdir().unwrap();
    // So often that the first run cannot end.
    for _ in 0..100 {
        door.cut(Cut::Answer(10_000));
    }
    let arguments = [
        ["get", "alice/data/run.csv"].as_slice(),
        &door.flags("alice"),
    ]
    .concat();
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_dtaas"))
        .arg("lib")
        .args(&arguments)
        .current_dir(here.path())
        .env_clear()
        .envs(password("alice"))
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let part = || {
        let names = all_in(here.path());
        names.into_iter().find(|name| name.ends_with(".part"))
    };
    let length = |name: &str| std::fs::metadata(here.path().join(name)).unwrap().len();
    while part().is_none_or(|name| length(&name) == 0) {
        assert_eq!(child.try_wait().unwrap(), None);
        tokio::task::yield_now().await;
    }
    child.kill().await.unwrap();
    door.forget_cuts();
    let left = part().unwrap();
    let length = length(&left);
    door.passed();
    let ran = run(here.path(), &arguments, &password("alice"), "").await;
    assert_eq!(ran, said("alice/data/run.csv is now run.csv\n"));
    assert!(read(here.path(), "run.csv") == contents);
    assert_eq!(all_in(here.path()), ["run.csv"]);
    assert_eq!(
        door.passed()[1..],
        [
            "GET /lib/files/alice/data/run.csv".to_owned(),
            format!("GET /lib/files/alice/data/run.csv bytes={length}-")
        ]
    );
}

#[tokio::test]
async fn a_directory_comes_with_all_that_can_be_read_and_nothing_from_outside() {
    let library = Library::new();
    library.plant_traps();
    library.write("alice/common/README.md", "# a mount point\n");
    let server = library.serve_users();
    let door = Door::open(&server).await;
    let here = tempfile::tempdir().unwrap();
    let arguments = [["get", "alice", "copy"].as_slice(), &door.flags("alice")].concat();
    let ran = run(here.path(), &arguments, &password("alice"), "").await;
    assert_eq!(ran.code, 1);
    let mut lines: Vec<&str> = ran.talk.lines().collect();
    let end = lines.split_off(lines.len() - 2);
    assert_eq!(
        end,
        [
            "error: of alice 13 did not come over; 2 files came over",
            "hint: each is named above; run this again for the rest, with --force to write over what differs"
        ]
    );
    assert!(
        lines
            .contains(&"alice/common: left out: it is common by another name: get that by its own"),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"alice/fifo: \"alice/fifo\" is not a file that can be read"),
        "{lines:?}"
    );
    assert_eq!(
        all_in(&here.path().join("copy")),
        [
            "README.md",
            "data",
            "digital twins",
            "functions",
            "models",
            "tools"
        ]
    );
    assert_eq!(read(here.path(), "copy/models/spring.txt"), b"k = 1\n");
    assert!(!ran.talk.contains(HIDDEN));

    // Again: what is there is not brought twice.
    door.passed();
    let ran = run(here.path(), &arguments, &password("alice"), "").await;
    assert!(
        ran.talk.contains(
            "error: of alice 13 did not come over; 0 files came over, 2 files already there\n"
        ),
        "{ran:?}"
    );
    assert_eq!(all_in(&here.path().join("copy")).len(), 6);
}
