//! Several runs at once on one deployment.

use std::fs;
use std::process::Child;

use dtaas::machine::lock::Lock;

use super::run::{Place, Ran, failed};

/// The users that eight runs add at once.
const EIGHT: [&str; 8] = ["u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"];

#[test]
fn of_eight_that_add_a_user_at_once_each_has_done_it_or_is_told_who_holds_the_lock() {
    let place = Place::with_deployment();
    let running: Vec<(&str, Child)> = EIGHT
        .iter()
        .map(|user| {
            let mut command = place.command();
            command.args(["-C", "d", "user", "add", user]);
            command.stdin(std::process::Stdio::null());
            (*user, command.spawn().unwrap())
        })
        .collect();
    let mut added = 0;
    for (user, child) in running {
        let ended = child.wait_with_output().unwrap();
        let talk = String::from_utf8(ended.stderr).unwrap();
        let traces = [
            format!("d/users/{user}.yaml"),
            format!("d/auth/{user}"),
            format!("d/files/{user}"),
            format!("d/config/gateway/dynamic/user-{user}.yml"),
        ]
        .map(|path| place.path(&path).exists());
        match ended.status.code() {
            Some(0) => {
                added += 1;
                assert_eq!(traces, [true; 4], "{user}: {talk}");
            }
            Some(4) => {
                assert!(
                    talk.contains(" is held by dtaas user add (process "),
                    "{talk}"
                );
                assert_eq!(traces, [false; 4], "{user}: {talk}");
            }
            other => panic!("{user} ended with {other:?}: {talk}"),
        }
    }
    assert!(added > 0);
    let entries = fs::read_dir(place.path("d/users")).unwrap().count();
    assert_eq!(entries, 2 + added);
    assert_eq!(place.in_d("render --check").code, 0);
}

#[test]
fn whoever_finds_the_deployment_held_changes_nothing() {
    let place = Place::with_deployment();
    let held = Lock::take(&place.path("d"), "dtaas up").unwrap();
    let before = place.tree("d");

    let since = String::from_utf8(before[".lock"].1.clone()).unwrap();
    for line in ["user add carol", "user remove alice --yes", "render"] {
        assert_eq!(
            place.in_d(line),
            failed(
                4,
                &format!("DIR/d is held by {}", since.trim()),
                "wait until it is done, then run this again"
            ),
            "{line}"
        );
    }
    assert!(place.tree("d") == before);
    drop(held);
    assert_eq!(place.in_d("render").code, 0);
}

#[test]
fn a_holder_that_was_killed_holds_nothing() {
    let place = Place::with_deployment();
    let mut holder = std::process::Command::new("flock")
        .arg("--no-fork")
        .arg(place.path("d/.lock"))
        .args(["sh", "-c", "echo held; read line"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = String::new();
    let mut out = std::io::BufReader::new(holder.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut held).unwrap();
    assert_eq!(place.in_d("render").code, 4);
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(place.in_d("render").code, 0);
}

#[test]
fn where_the_spec_is_wrong_no_lock_is_left() {
    let place = Place::new();
    place.write("d/dtaas.yaml", "version: 1\ndomian: foo.com\n");
    let before = place.tree("d");
    for line in ["render", "up", "down --yes", "user add alice"] {
        assert_eq!(place.in_d(line).code, 2, "{line}");
        assert!(place.tree("d") == before, "{line}");
    }
}

#[test]
fn temporary_files_of_a_killed_run_are_cleared_away_and_users_files_are_not_looked_at() {
    let place = Place::with_deployment();
    let before = place.tree("d");
    let ours = [
        "d/.dtaas.yaml.dtaas-new",
        "d/users/.carol.yaml.dtaas-new",
        "d/auth/.carol.dtaas-new",
        "d/secrets/tls/.key.pem.dtaas-new",
        "d/config/gateway/dynamic/.user-carol.yml.dtaas-new",
    ];
    let theirs = "d/files/alice/.thesis.dtaas-new";
    for path in ours.iter().chain([&theirs]) {
        place.write(path, "half of it");
    }
    assert_eq!(place.in_d("render").code, 0);
    assert_eq!(place.read(theirs), "half of it");
    fs::remove_file(place.path(theirs)).unwrap();
    let names = |place: &Place| {
        let names = place.tree("d").into_keys();
        names.filter(|name| name != ".lock").collect::<Vec<_>>()
    };
    let expected: Vec<String> = before.into_keys().filter(|name| name != ".lock").collect();
    assert_eq!(names(&place), expected);
}

#[test]
fn as_json_an_error_is_an_event_as_well_and_the_last_line_says_what_came_of_it() {
    let place = Place::with_deployment();
    let ran = place.in_d("up --json --profile single-hots");
    assert_eq!(
        ran,
        Ran {
            code: 2,
            out: "{\"event\":\"error\",\"message\":\"there is no profile \\\"single-hots\\\"\",\"hint\":\"did you mean single-host?; \
                  a file of your own is written with its path, such as ./mine.yaml\"}\n\
                  {\"event\":\"outcome\",\"done\":0,\"failed\":0,\"skipped\":0,\"left\":[],\"interrupted\":false,\"exit\":2,\"address\":null}\n"
                .into(),
            talk: "error: there is no profile \"single-hots\"\nhint: did you mean single-host?; \
                   a file of your own is written with its path, such as ./mine.yaml\n"
                .into(),
        }
    );
}

#[test]
fn a_profile_that_cannot_be_is_refused_before_anything_is_written() {
    let place = Place::with_deployment();
    place.write("d/mine.yaml", "version: 1\nmachines: {}\nplacement: {}\n");
    let before = place.tree("d");
    for profile in ["single-hots", "./nothing.yaml", "./mine.yaml"] {
        for command in ["up", "plan"] {
            let ran = place.in_d(&format!("{command} --profile {profile}"));
            assert_eq!(ran.code, 2, "{command} {profile}: {ran:?}");
        }
    }
    assert!(place.tree("d") == before);
}
