//! From v0.2 to a platform of ours: users sign in with the passwords that they had, and find their files.

use std::fs;

use super::deployment::Deployment;
use super::first_light::assets;
use super::steps::Steps;
use super::{client, doors};
use crate::rig::rig;
use crate::v02::{ALICE, BOB, PASSWORD, V02};

#[test]
fn users_of_v02_go_on_where_they_were() {
    const TEST: &str = "platform::import::users_of_v02_go_on_where_they_were";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);
    let place = tempfile::tempdir().unwrap();
    let old = place.path().join("DTaaS 0.2");
    V02::new(&old, &["alice", "bob"], &[ALICE, BOB]);
    assets(&old.join("files"));
    let configuration = || fs::read(old.join("deploy/config/gateway/auth")).unwrap();
    let before = configuration();

    let here = steps.step("import v0.2", || {
        Deployment::import(&rig, "v02", &old, &["alice", "bob"], PASSWORD)
    });
    steps.step("up", || here.dtaas(&["up"]).succeeded());
    steps.step("the doors open with the old passwords", || {
        doors::open(&here, &["alice", "bob"]);
        doors::closed_without_credentials(&here);
        doors::closed_to_others(&here);
    });
    steps.step("people sign in on the page with them", || {
        for user in ["alice", "bob"] {
            assert_eq!(client::signs_in(&here, user, PASSWORD), 303, "{user}");
            assert_eq!(client::signs_in(&here, user, "another"), 401, "{user}");
        }
    });
    steps.step("the library lists the old files", || doors::library(&here));
    steps.step("the end of ours is not that of the old one", || drop(here));
    assert_eq!(configuration(), before);
    let readme = old.join("files/alice/digital twins/incubator/README.md");
    assert_eq!(fs::read_to_string(readme).unwrap(), "# Incubator\n");
}
