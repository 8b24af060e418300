//! Users are shut out, let in again, and get other limits while the platform runs.

use std::time::Duration;

use super::client::within;
use super::deployment::Deployment;
use super::steps::Steps;
use super::{engine, terminal};
use crate::rig::rig;

#[test]
fn a_disabled_user_is_out_and_comes_back_to_the_same_workspace() {
    const TEST: &str =
        "platform::users_out::a_disabled_user_is_out_and_comes_back_to_the_same_workspace";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);
    let here = Deployment::init(&rig, "out", "foo.com", "alice,bob", &[]);
    steps.step("up", || here.dtaas(&["up"]).succeeded());
    let workspace = here.container("workspace-alice");
    let bobs = here.container("workspace-bob");
    let bob = engine::life(&bobs);

    steps.step("limits change live", || {
        let alice = engine::life(&workspace);
        let limits = ["--memory", "1g", "--cpus", "0.5", "--pids", "512"];
        let line = [&["user", "set", "alice"][..], &limits].concat();
        here.dtaas(&line).succeeded();
        let host = &engine::container(&workspace)["HostConfig"];
        assert_eq!(host["Memory"], 1 << 30);
        assert_eq!(host["NanoCpus"], 500_000_000);
        assert_eq!(host["PidsLimit"], 512);
        assert_eq!(engine::life(&workspace), alice);
    });
    steps.step(
        "limits of a greater machine are refused before anything is written",
        || {
            let file = std::fs::read_to_string(here.path("users/alice.yaml")).unwrap();
            for line in [
                ["user", "set", "alice", "--cpus", "4000"],
                ["user", "add", "carl", "--memory", "900000g"],
            ] {
                let ran = here.dtaas(&line);
                assert_eq!(ran.code, Some(2), "{ran:?}");
                assert!(ran.stderr.contains(", and this machine has "), "{ran:?}");
            }
            assert_eq!(
                std::fs::read_to_string(here.path("users/alice.yaml")).unwrap(),
                file
            );
            assert!(!here.path("users/carl.yaml").exists());
            assert!(!here.path("auth/carl").exists());
        },
    );
    steps.step("another image is held, and said how to have it", || {
        let alice = engine::life(&workspace);
        let found = engine::container(&workspace);
        let usual = found["Config"]["Image"].as_str().unwrap();
        let spec = std::fs::read_to_string(here.path("dtaas.yaml")).unwrap();
        let spec: serde_yaml::Value = serde_yaml::from_str(&spec).unwrap();
        let prefix = spec["images"]["prefix"].as_str().unwrap();
        let other = format!("{}/other:1", here.name);
        let tag = format!("{prefix}{other}");
        engine::docker(&["tag", usual, &tag]);
        let ran = here
            .dtaas(&["user", "set", "alice", "--image", &other])
            .succeeded();
        assert!(
            ran.stderr.contains("`dtaas up --recreate alice`"),
            "{}",
            ran.stderr
        );
        assert_eq!(engine::life(&workspace), alice);
        here.dtaas(&["up", "--recreate", "alice"]).succeeded();
        assert_eq!(engine::container(&workspace)["Config"]["Image"], tag);
        let bobs = engine::container(&bobs);
        assert_eq!(bobs["Config"]["Image"], usual);
        engine::docker(&["exec", &workspace, "touch", "/installed"]);
    });
    steps.step("disabled, her terminal ends and bob's does not", || {
        terminal::ends_for_one(&here, "alice", "bob", || {
            here.dtaas(&["user", "disable", "alice"]).succeeded();
        });
        within(Duration::from_secs(3), "alice is out", || {
            here.get("/alice/lab").by("alice").status() == 401
        });
        assert_eq!(engine::container(&workspace)["State"]["Running"], false);
        here.dtaas(&["up"]).succeeded();
        assert_eq!(engine::container(&workspace)["State"]["Running"], false);
    });
    steps.step(
        "enabled, she finds what she had, by the same password",
        || {
            here.dtaas(&["user", "enable", "alice"]).succeeded();
            within(Duration::from_secs(10), "alice is in", || {
                here.get("/alice/lab").by("alice").status() == 200
            });
            engine::docker(&["exec", &workspace, "test", "-e", "/installed"]);
        },
    );
    steps.step("a file of users comes, and each has a workspace", || {
        let outside = tempfile::tempdir().unwrap();
        let csv = outside.path().join("users.csv");
        std::fs::write(
            &csv,
            "username,password\ncarol,carol's own\ndora,dora's own\n",
        )
        .unwrap();
        let line = ["user", "add", "--file", csv.to_str().unwrap()];
        here.dtaas(&line).succeeded();
        for user in ["carol", "dora"] {
            let state = &engine::container(&here.container(&format!("workspace-{user}")))["State"];
            assert_eq!(state["Running"], true, "{user}");
        }
        here.dtaas(&["user", "remove", "carol", "dora", "--yes"])
            .succeeded();
    });
    assert_eq!(engine::life(&bobs), bob);
    let image = engine::container(&workspace)["Config"]["Image"].clone();
    drop(here);
    engine::docker(&["rmi", image.as_str().unwrap()]);
}
