//! `user` where no docker engine is: only files change.

use super::run::{Place, done, failed};

#[test]
fn users_are_listed() {
    let place = Place::with_deployment();
    place.write(
        "d/users/bob.yaml",
        "slot: 1\nenabled: false\ngroups: [publishers, admins]\n",
    );
    place.write("d/users/carl.yaml", "slot: 2\n");
    assert_eq!(
        place.in_d("user list"),
        done(
            "USER   DOOR         GROUPS             NETWORK\n\
             alice  open                            10.213.0.0/29\n\
             bob    disabled     publishers,admins  10.213.0.8/29\n\
             carl   no password                     10.213.0.16/29\n",
            ""
        )
    );
    let json: serde_json::Value =
        serde_json::from_str(&place.in_d("user list --json").out).unwrap();
    assert_eq!(
        json[1],
        serde_json::json!({
            "name": "bob", "enabled": false, "groups": ["publishers", "admins"], "password": true, "network": "10.213.0.8/29",
            "image": "mltooling/ml-workspace:0.13.2",
            "limits": {"cpus": "2", "memory": "4g", "pids": 4096, "shm": "512m"}
        })
    );
}

#[test]
fn a_user_comes() {
    let place = Place::with_deployment();
    let before = place.tree("d");

    let ran = place.with_input(
        &[
            "-C",
            "d",
            "user",
            "add",
            "j.doe_2-x",
            "--groups",
            "publishers",
            "--password-stdin",
        ],
        "a password\n",
    );

    assert_eq!(
        ran,
        done(
            "",
            "j.doe_2-x is added; `dtaas up` starts the workspace with the platform.\n"
        )
    );
    let after = place.tree("d");
    let changed: Vec<&str> = after
        .iter()
        .filter(|(path, state)| before.get(*path) != Some(state))
        .map(|(path, _)| path.as_str())
        .filter(|path| !path.starts_with("files/j.doe_2-x/"))
        .collect();
    assert_eq!(
        changed,
        [
            "auth/j.doe_2-x",
            "config/auth/j.doe_2-x.json",
            "config/gateway/auth",
            "config/gateway/dynamic/user-j.doe_2-x.yml",
            "users/j.doe_2-x.yaml",
        ]
    );
    assert_eq!(
        place.read("d/config/auth/j.doe_2-x.json"),
        "{\"groups\":[\"publishers\"],\"workspace\":\"10.213.0.18:8080\"}\n"
    );
    assert!(place.read("d/users/j.doe_2-x.yaml").contains("\nslot: 2\n"));
    assert_eq!(place.in_d("render --check"), done("Nothing to do.\n", ""));
}

#[test]
fn a_made_password_is_shown_once() {
    let place = Place::with_deployment();
    for line in ["user add carl", "user passwd carl"] {
        let ran = place.in_d(line);
        let password = ran
            .out
            .strip_prefix("USER  PASSWORD\ncarl  ")
            .unwrap()
            .trim_end();
        let entry = place.read("d/auth/carl");
        assert!(bcrypt::verify(password, entry.trim_end().strip_prefix("carl:").unwrap()).unwrap());
        let ends = match line {
            "user add carl" => {
                "carl is added; `dtaas up` starts the workspace with the platform.\n"
            }
            _ => "carl's password is set.\n",
        };
        assert_eq!(
            ran.talk,
            format!("This password is shown this once.\n{}", ends)
        );
    }
}

#[test]
fn a_new_password_reaches_the_gateway() {
    let place = Place::with_deployment();
    let others = place.read("d/auth/bob");

    let ran = place.with_input(
        &["-C", "d", "user", "passwd", "alice", "--password-stdin"],
        "another password\n",
    );

    assert_eq!(ran, done("", "alice's password is set.\n"));
    let aggregate = place.read("d/config/gateway/auth");
    assert_eq!(aggregate, place.read("d/auth/alice") + &others);
}

#[test]
fn a_damaged_entry_is_named_and_mended_by_a_new_password() {
    let place = Place::with_deployment();
    place.write("d/auth/alice", "nonsense\n");
    assert_eq!(
        place.in_d("render"),
        done(
            "+ remove config/gateway/dynamic/user-alice.yml\n\
             + change config/gateway/auth (secret content differs)\n\
             2 steps.\n",
            "Note: DIR/d/auth/alice: it does not hold a line of the form user:hash; it counts as no password.\n\
             Note: no password yet: alice; `dtaas user passwd alice` sets one.\n",
        )
    );
    assert_eq!(place.in_d("user passwd alice").code, 0);
    assert_eq!(place.in_d("render --check"), done("Nothing to do.\n", ""));
}

#[test]
fn a_user_goes_and_the_name_can_be_given_anew() {
    let place = Place::with_deployment();
    place.write("d/files/bob/data/work.csv", "1,2\n");

    let ran = place.in_d("user remove bob --yes");

    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    let aside = ran
        .talk
        .strip_prefix("bob is removed; the files are in DIR/")
        .unwrap();
    let aside = aside.strip_suffix(".\n").unwrap();
    assert!(aside.starts_with("d/files/.removed/bob-2"), "{aside}");
    assert_eq!(place.read(&format!("{aside}/data/work.csv")), "1,2\n");
    let left: Vec<String> = place
        .tree("d")
        .into_keys()
        .filter(|path| path.contains("bob") && !path.starts_with("files/.removed/"))
        .collect();
    assert_eq!(left, Vec::<String>::new());

    assert_eq!(place.in_d("user add bob").code, 0);
    assert!(!place.path("d/files/bob/data/work.csv").exists());
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_written() {
    let place = Place::with_deployment();
    place.write("exists", "");
    let before = place.tree("");
    for (line, error, hint) in [
        (
            "user add alice",
            "there is a user alice already",
            "a new password: `dtaas user passwd alice`",
        ),
        (
            "user passwd alcie",
            "there is no user alcie",
            "did you mean alice?",
        ),
        (
            "user remove zebra --yes",
            "there is no user zebra",
            "known are alice, bob",
        ),
        (
            "user add carl --credentials-file exists",
            "--credentials-file: exists exists already",
            "name a file that does not exist; nothing was changed",
        ),
        (
            "user add carl --credentials-file nowhere/c",
            "--credentials-file: cannot make nowhere/c: No such file or directory (os error 2)",
            "name a file in a directory that is there; nothing was changed",
        ),
        (
            "user add carl --password-stdin",
            "standard input has no line for carl's password",
            "give one line for each user, in their order; nothing was changed",
        ),
        (
            "user remove bob",
            "nobody can answer, because standard input is no terminal: Remove bob and the workspace with what was installed in it? (The files are set aside.)",
            "give --yes to answer it beforehand; nothing was changed",
        ),
    ] {
        assert_eq!(place.in_d(line), failed(2, error, hint), "{line}");
        let mut after = place.tree("");
        after.insert("d/.lock".into(), before["d/.lock"].clone());
        assert_eq!(after, before, "{line}");
    }
    let ran = place.in_d("user add carl --groups editors");
    assert_eq!(ran.code, 2);
    assert!(ran.talk.starts_with("error: invalid value 'editors' for '--groups <GROUPS>': there is no group \"editors\": write publishers or admins\n"), "{}", ran.talk);
}

#[test]
fn a_full_pool_says_what_to_do() {
    let place = Place::new();
    assert_eq!(
        place
            .in_d("init --domain foo.com --users alice,bob --pool 10.9.0.0/28")
            .code,
        0
    );
    assert_eq!(
        place.in_d("user add carl"),
        failed(
            1,
            "network.pool 10.9.0.0/28 is full: it has room for 2",
            "remove users, or make network.pool in dtaas.yaml larger"
        )
    );
    assert!(!place.path("d/auth/carl").exists());
}

#[test]
fn a_removal_that_was_cut_off_is_repeated() {
    // Given the first thing that a removal does, and nothing after it,
    let place = Place::with_deployment();
    place.write("d/files/alice/data/diary.txt", "mine");
    std::fs::remove_file(place.path("d/auth/alice")).unwrap();
    // when it is repeated,
    let ran = place.in_d("user remove alice --yes");
    // then nothing is left but the folder, set aside.
    assert_eq!(ran.code, 0, "{ran:?}");
    let tree = place.tree("d");
    let left: Vec<&String> = tree.keys().filter(|path| path.contains("alice")).collect();
    assert!(
        left.iter()
            .all(|path| path.starts_with("files/.removed/alice-")),
        "{left:?}"
    );
    assert!(
        left.iter().any(|path| path.ends_with("/data/diary.txt")),
        "{left:?}"
    );
}

#[test]
fn files_of_someone_earlier_are_set_aside_unless_they_are_to_be_kept() {
    let place = Place::with_deployment();
    for (name, arguments, kept) in [("carl", "", false), ("dora", " --keep-files", true)] {
        let file = format!("d/files/{name}/data/diary.txt");
        place.write(&file, "mine");
        let ran = place.in_d(&format!("user add {name}{arguments}"));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(place.path(&file).exists(), kept);
        assert_eq!(
            ran.talk.contains("were set aside in DIR/d/files/.removed/"),
            !kept,
            "{ran:?}"
        );
    }
}
