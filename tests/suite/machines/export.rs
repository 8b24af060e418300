//! An export for docker compose with services: they run on the data that `up` left, and users' accounts are in those.

use std::time::Duration;

use super::beside::{alone, with_services};
use super::services::TWIN;
use crate::platform::client::within;
use crate::platform::compose::Project;
use crate::platform::engine::{self, run};
use crate::platform::steps::Steps;
use crate::rig::{rig_with_compose, rig_with_machines};

#[test]
fn services_of_an_export_know_their_users() {
    const TEST: &str = "machines::export::services_of_an_export_know_their_users";
    let (Some((rig, program)), Some(_)) = (rig_with_compose(TEST), rig_with_machines(TEST)) else {
        return;
    };
    let steps = Steps::of(TEST);
    let _alone = alone();
    let elsewhere = tempfile::tempdir().unwrap();
    let (here, _) = with_services(&rig, "leave", elsewhere.path());
    steps.step("up, and down", || {
        here.dtaas(&["up"]).succeeded();
        here.dtaas(&["down", "--yes"]).succeeded();
    });
    let directory = elsewhere.path().join("project");
    let project = steps.step("export compose", || {
        here.dtaas(&["export", "compose", "--output", directory.to_str().unwrap()])
            .succeeded();
        Project { program, directory }
    });
    steps.step("docker compose up", || {
        project.compose(&["up", "-d"]).succeeded()
    });
    let workspace = here.container("workspace-alice");
    let says = |words: &[&str]| {
        let twin = ["exec", &workspace, "python3", "-c", TWIN];
        let ran = run("docker", &[&twin[..], words].concat());
        String::from_utf8(ran.stdout).unwrap().trim_end().to_owned()
    };
    steps.step("a twin talks with all", || {
        for (words, answer) in [
            (&["amqp-talk", "42"][..], "42"),
            (&["mqtt-talk", "21.5"], "21.5"),
            (&["influx-talk", "21.5"], "21.5"),
            (
                &["grafana"],
                "alice of DTaaS: alice; datasource is working. 1 buckets found",
            ),
        ] {
            within(Duration::from_secs(180), answer, || says(words) == answer);
        }
    });
    steps.step("docker compose down leaves nothing", || {
        project.compose(&["down"]).succeeded();
        assert_eq!(engine::objects(&here.name), [""; 0]);
    });
}
