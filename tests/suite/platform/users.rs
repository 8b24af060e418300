//! Users come and go on a platform that runs.

use std::fs;
use std::time::Duration;

use super::client::within;
use super::deployment::Deployment;
use super::life::others;
use super::{doors, engine};

/// From carol's coming to her going, and another carol's coming.
pub fn check(here: &Deployment) {
    let everyone = others(here, "carol");

    // When carol is added, then she is in, within three seconds.
    let added = here
        .dtaas_with_password(&["user", "add", "carol"])
        .succeeded();
    let password = here.password("carol");
    assert!(!added.stdout.contains(&password) && !added.stderr.contains(&password));
    within(Duration::from_secs(3), "carol opens her workspace", || {
        here.get("/carol/lab").by("carol").status() == 200
    });
    doors::open(here, &["carol"]);
    assert_eq!(here.get("/carol/lab").by("alice").status(), 403);
    assert_eq!(here.get("/alice/lab").by("carol").status(), 403);
    assert_eq!(others(here, "carol"), everyone);
    let network = network_of(here, "carol");

    // When she gets another password, then it counts within a second, and the old one does not.
    let old = here.credentials("carol");
    here.dtaas_with_password(&["user", "passwd", "carol"])
        .succeeded();
    within(
        Duration::from_secs(1),
        "the old password is refused",
        || {
            let request = here.get("/carol/lab").with("Authorization", &old);
            request.status() == 401
        },
    );
    assert_eq!(here.get("/carol/lab").by("carol").status(), 200);
    let life = engine::life(&here.container("workspace-carol"));

    // Who is there already is not added again.
    let again = here.dtaas_with_password(&["user", "add", "carol"]);
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    assert_eq!(engine::life(&here.container("workspace-carol")), life);

    // When she is removed, then her route, her container and her network are gone, and her files are set aside.
    let diary = here.path("files/carol/data/diary.txt");
    fs::write(&diary, "carol's own\n").unwrap();
    here.dtaas(&["user", "remove", "carol", "--yes"])
        .succeeded();
    within(Duration::from_secs(3), "carol is out", || {
        here.get("/carol/lab").by("carol").status() == 401
    });
    assert_eq!(here.get("/carol/lab").by("alice").status(), 404);
    let left: Vec<String> = engine::objects(&here.name)
        .into_iter()
        .filter(|object| object.contains("-carol"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let aside = only_entry(here, "files/.removed");
    assert!(aside.starts_with("carol-"), "{aside}");
    let kept = here.path(&format!("files/.removed/{aside}/data/diary.txt"));
    assert_eq!(fs::read_to_string(kept).unwrap(), "carol's own\n");

    // Another carol gets the address, and nothing else.
    here.dtaas_with_password(&["user", "add", "carol"])
        .succeeded();
    assert_eq!(network_of(here, "carol"), network);
    assert!(!diary.exists());
    within(
        Duration::from_secs(3),
        "the new carol opens her workspace",
        || here.get("/carol/lab").by("carol").status() == 200,
    );
    let request = here.get("/carol/api/contents/data/diary.txt").by("carol");
    assert_eq!(request.status(), 404);
    let request = here.get("/carol/lab").with("Authorization", &old);
    assert_eq!(request.status(), 401);
    assert_eq!(others(here, "carol"), everyone);
    here.dtaas(&["user", "remove", "carol", "--yes"])
        .succeeded();
}

fn network_of(here: &Deployment, user: &str) -> String {
    let name = format!("dtaas-{}-net-{user}", here.name);
    let subnet = "{{(index .IPAM.Config 0).Subnet}}";
    engine::docker(&["network", "inspect", "--format", subnet, &name])
}

fn only_entry(here: &Deployment, directory: &str) -> String {
    let entries: Vec<String> = fs::read_dir(here.path(directory))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}
