//! Commands that need docker, where none is: one clear paragraph, and nothing written.

use super::run::{NO_DOCKER, Place, failed, is_root};

#[test]
fn the_engine_is_named_with_what_to_type() {
    if !is_root("the_engine_is_named_with_what_to_type") {
        return;
    }
    let place = Place::with_deployment();
    let before = place.tree("");
    for line in [
        "plan",
        "plan --json",
        "up",
        "status",
        "status --json",
        "down --yes",
        "down --purge --yes",
    ] {
        let ran = place.in_d(line);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line}");
        let lines: Vec<&str> = ran.talk.lines().collect();
        assert!(
            lines[0].starts_with(&format!("error: {NO_DOCKER}")),
            "{}",
            ran.talk
        );
        assert_eq!(
            lines[1..],
            [
                "hint: install it with: apt-get install docker.io; or start it with: systemctl start docker"
            ]
        );
    }
    assert_eq!(place.tree(""), before);
}

#[test]
fn down_asks_nothing_where_nobody_answers() {
    if !is_root("down_asks_nothing_where_nobody_answers") {
        return;
    }
    let place = Place::with_deployment();
    let before = place.tree("");
    for (line, question) in [
        (
            "down",
            "Stop foo.com, remove the workspaces of 2 users with what was installed in them?",
        ),
        (
            "down --purge",
            "Stop foo.com, remove the workspaces of 2 users with what was installed in them and remove DIR/d with every user's files?",
        ),
    ] {
        assert_eq!(
            place.in_d(line),
            failed(
                2,
                &format!("nobody can answer, because standard input is no terminal: {question}"),
                "give --yes to answer it beforehand; nothing was changed"
            )
        );
    }
    assert_eq!(place.tree(""), before);
}

#[test]
fn users_who_are_named_must_exist() {
    let place = Place::with_deployment();
    for line in ["up --recreate carl", "plan --recreate alice,carl"] {
        assert_eq!(
            place.in_d(line),
            failed(2, "there is no user carl", "known are alice, bob")
        );
    }
}
