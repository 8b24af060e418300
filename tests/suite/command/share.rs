//! `share`: what is shared, and what cannot be.

use super::run::{Place, done, failed};

#[test]
fn a_port_is_shared_listed_and_shared_no_more() {
    let place = Place::with_deployment();
    // Whoever looks leaves nothing behind.
    std::fs::remove_dir(place.path("d/shares")).unwrap();
    assert_eq!(place.in_d("share list --json"), done("[]\n", ""));
    assert!(!place.path("d/shares").exists());
    let ran = place.in_d("share add alice/twin --port 5000 --days 7");
    assert_eq!(ran.code, 0, "{ran:?}");
    let (page, token) = ran.out.trim_end().split_once("?token=").unwrap();
    assert_eq!(page, "https://foo.com/alice/services/twin/");
    assert_eq!(token.len(), 32);
    assert!(
        ran.talk
            .starts_with("Whoever has this address reaches port 5000 of alice's workspace until "),
        "{ran:?}"
    );
    let ran = place.in_d("share add alice/open --port 5001 --public");
    assert_eq!(ran.out, "https://foo.com/alice/services/open/\n");
    assert!(
        ran.talk.starts_with("Everybody reaches port 5001 "),
        "{ran:?}"
    );

    let listed = place.in_d("share list --json");
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|share| share["url"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["/alice/services/twin/", "/alice/services/open/"]);
    let table = place.in_d("share list").out;
    let first: Vec<&str> = table
        .lines()
        .map(|line| line.split("  ").next().unwrap().trim())
        .collect();
    assert_eq!(first, ["SHARED", "alice/twin", "alice/open"]);
    // The token is kept nowhere.
    assert!(!place.read("d/shares/alice.json").contains(token));

    // One that is not shared keeps none of the others open.
    let ran = place.in_d("share remove alice/x alice/twin bob/y alice/open");
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.talk,
        "alice/twin is shared no more.\nalice/open is shared no more.\n\
         error: alice/x is not shared; bob/y is not shared\nhint: `dtaas share list` shows what is shared\n"
    );
    assert!(!place.path("d/shares/alice.json").exists());
}

#[test]
fn what_cannot_be_shared_is_told() {
    let place = Place::with_deployment();
    place.in_d("share add alice/twin --port 5000");
    let before = place.read("d/shares/alice.json");
    for (line, (error, hint)) in [
        (
            "share add alice/twin --port 5001",
            (
                "alice/twin is not shared: there is one of that name already",
                "`dtaas share list` shows what is shared",
            ),
        ),
        (
            "share add alice/lab --port 8080",
            (
                "alice/lab is not shared: port 8080 cannot be shared: the workspace's own tools answer there, and they would be anybody's",
                "`dtaas share list` shows what is shared",
            ),
        ),
        (
            "share add alcie/x --port 5000",
            ("there is no user alcie", "did you mean alice?"),
        ),
        (
            "share remove alice/x",
            (
                "alice/x is not shared",
                "`dtaas share list` shows what is shared",
            ),
        ),
    ] {
        assert_eq!(place.in_d(line), failed(2, error, hint), "{line}");
    }
    for line in [
        "share add alice --port 5000",
        "share add alice/Twin --port 5000",
        "share add ../x --port 5000",
        "share add alice/x --port 70000",
        "share add alice/x --port 5000 --days 0",
        "share add alice/x --port 5000 --public --token",
        "share add alice/x",
    ] {
        assert_eq!(place.in_d(line).code, 2, "{line}");
    }
    assert_eq!(place.read("d/shares/alice.json"), before);

    let basic = place
        .read("d/dtaas.yaml")
        .replace("auth: \"session\"", "auth: basic");
    place.write("d/dtaas.yaml", &basic);
    assert_eq!(
        place.in_d("share list"),
        failed(
            2,
            "nothing can be shared with auth: basic",
            "write auth: session into dtaas.yaml, then `dtaas up`"
        )
    );
}
