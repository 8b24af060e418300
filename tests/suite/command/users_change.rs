//! `user disable`, `enable` and `set` where no docker engine is: one key of one file changes, and what is rendered of it.

use super::run::{Place, done, failed};

const ALICE: &str =
    "# Ä: hers\nslot: 0 # do not\nenabled: true # since May\ngroups: []\nimage: a/b:1\n";

fn changed(
    before: &std::collections::BTreeMap<String, (u32, Vec<u8>)>,
    place: &Place,
) -> Vec<String> {
    let after = place.tree("d");
    let all: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    all.into_iter()
        .filter(|path| before.get(*path) != after.get(*path) && *path != ".lock")
        .cloned()
        .collect()
}

#[test]
fn a_disabled_user_is_shut_out_and_comes_back() {
    let place = Place::with_deployment();
    place.write("d/users/alice.yaml", ALICE);
    place.in_d("render");
    let before = place.tree("d");

    assert_eq!(
        place.in_d("user disable alice"),
        done(
            "",
            "alice is disabled: nobody enters, and the files and the workspace are kept.\n"
        )
    );
    assert_eq!(
        place.read("d/users/alice.yaml"),
        ALICE.replace("true", "false")
    );
    assert_eq!(
        changed(&before, &place),
        [
            "config/auth/alice.json",
            "config/gateway/auth",
            "config/gateway/dynamic/user-alice.yml",
            "users/alice.yaml"
        ]
    );
    assert!(!place.path("d/config/auth/alice.json").exists());
    assert!(!place.read("d/config/gateway/auth").contains("alice"));
    assert_eq!(
        place.in_d("user disable alice"),
        done("", "alice is disabled already.\n")
    );

    assert_eq!(
        place.in_d("user enable alice"),
        done(
            "",
            "alice is enabled; `dtaas up` starts the workspace with the platform.\n"
        )
    );
    assert_eq!(changed(&before, &place), Vec::<String>::new());
    assert_eq!(
        place.in_d("user enable alice bob"),
        done("", "alice is enabled already.\nbob is enabled already.\n")
    );
}

#[test]
fn a_run_that_was_cut_off_behind_the_first_file_is_ended_by_the_next() {
    // Given all that a run did which was killed behind its first write,
    let place = Place::with_deployment();
    place.write("d/users/bob.yaml", "slot: 1\nenabled: false\n");
    // when it is repeated,
    assert_eq!(
        place.in_d("user disable bob"),
        done("", "bob is disabled already.\n")
    );
    // then the door is closed.
    assert!(!place.path("d/config/auth/bob.json").exists());
    assert_eq!(place.in_d("render --check"), done("Nothing to do.\n", ""));
}

#[test]
fn settings_change_key_by_key() {
    let place = Place::with_deployment();
    place.write("d/users/alice.yaml", ALICE);
    place.in_d("render");
    let before = place.tree("d");

    let ran = place.in_d("user set alice --groups admins,publishers --memory 8g --cpus 0.5 --pids none --image default");

    assert_eq!(
        ran,
        done(
            "",
            "alice's settings are changed; `dtaas up` brings them to the workspace.\n"
        )
    );
    assert_eq!(
        place.read("d/users/alice.yaml"),
        "# Ä: hers\nslot: 0 # do not\nenabled: true # since May\ngroups: [admins, publishers]\nlimits: {cpus: 0.5, memory: 8g, pids: none}\n"
    );
    assert_eq!(
        changed(&before, &place),
        ["config/auth/alice.json", "users/alice.yaml"]
    );
    let json: serde_json::Value =
        serde_json::from_str(&place.in_d("user list --json").out).unwrap();
    assert_eq!(
        (&json[0]["limits"], &json[0]["image"]),
        (
            &serde_json::json!({"cpus": "0.5", "memory": "8g", "pids": null, "shm": "512m"}),
            &serde_json::json!("mltooling/ml-workspace:0.13.2")
        )
    );
    assert_eq!(
        place.in_d("user set alice --memory 8g"),
        done("", "alice has these settings already.\n")
    );
    place.in_d("user set alice --groups none --memory default --cpus default --pids default");
    assert_eq!(
        place.read("d/users/alice.yaml"),
        "# Ä: hers\nslot: 0 # do not\nenabled: true # since May\ngroups: []\nlimits: {}\n"
    );
}

#[test]
fn a_newcomer_can_have_other_settings_than_the_others() {
    let place = Place::with_deployment();
    let ran = place.with_input(
        &[
            "-C",
            "d",
            "user",
            "add",
            "carl",
            "--memory",
            "8g",
            "--image",
            "x/y:2",
            "--password-stdin",
        ],
        "a password\n",
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let text = place.read("d/users/carl.yaml");
    assert!(
        text.contains("\nimage: \"x/y:2\"\n") && text.contains("\nlimits: {memory: 8g}\n"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_set_is_refused_and_nobody_is_changed() {
    let place = Place::with_deployment();
    let before = place.tree("d");
    for (line, error, hint) in [
        (
            "user set alice bob --memory 5m",
            "limits.memory is \"5m\": docker takes no less than 6m; write an amount such as 4g, or none",
            "nothing was changed; give another value",
        ),
        (
            "user add carl --pids 3",
            "limits.pids is 3: a workspace does not start with so few; write 16 or more, or none",
            "nothing was changed; give another value",
        ),
        (
            "user set alice --image :x",
            "image is \":x\": this is not an image's name; write name:tag or name@sha256:…",
            "nothing was changed; give another value",
        ),
        (
            "user disable alice zebra",
            "there is no user zebra",
            "known are alice, bob",
        ),
        (
            "user remove alice zebra --yes",
            "there is no user zebra",
            "known are alice, bob",
        ),
    ] {
        assert_eq!(place.in_d(line), failed(2, error, hint), "{line}");
        assert_eq!(changed(&before, &place), Vec::<String>::new(), "{line}");
    }
}
