//! A workspace that loses its network gets it back by a restart, and keeps what is installed in it.

use std::fs;
use std::time::Duration;

use super::client::within;
use super::deployment::{Deployment, Ran};
use super::engine::{self, docker, out};
use super::steps::Steps;
use crate::rig::rig;

/// As systemd's unit calls it, on a machine that knows no more.
fn heal(here: &Deployment, at_most_every: &str) -> Ran {
    let name = format!("--deployment={}", here.name);
    let port = format!("--gateway-port={}", here.ports.https);
    let often = format!("--at-most-every={at_most_every}");
    here.dtaas(&["heal", &name, &port, &often])
}

/// The fault itself: the container's interface is there, and nothing comes through.
fn cut(container: &str) {
    let process = engine::container(container)["State"]["Pid"].to_string();
    out(
        "nsenter",
        &["-t", &process, "-n", "ip", "link", "set", "eth0", "down"],
    );
}

#[test]
fn a_workspace_that_lost_its_network_is_restarted_and_kept() {
    const TEST: &str = "platform::healing::a_workspace_that_lost_its_network_is_restarted_and_kept";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);
    let here = Deployment::init(&rig, "heal", "foo.com", "alice,bob", &[]);
    let spec = fs::read_to_string(here.path("dtaas.yaml")).unwrap();
    let spec = spec.replace("healing:\n  enabled: false", "healing:\n  enabled: true");
    fs::write(here.path("dtaas.yaml"), spec).unwrap();
    let (alice, bob) = (
        here.container("workspace-alice"),
        here.container("workspace-bob"),
    );
    steps.step("up, which says where systemd is missing", || {
        let up = here.dtaas(&["up"]).succeeded();
        if !fs::exists("/run/systemd/system").unwrap() {
            let note =
                "Note: systemd does not run here: workspaces are healed when `dtaas heal` is run";
            assert!(up.stderr.contains(note), "{}", up.stderr);
        }
        docker(&["exec", &alice, "touch", "/root/installed"]);
    });
    let lives = || (engine::life(&alice), engine::life(&bob));
    steps.step("one that has just started is left alone", || {
        let before = lives();
        cut(&alice);
        heal(&here, "0").succeeded();
        assert_eq!(lives(), before);
    });
    steps.step(
        "one that has run for a while is restarted, and nobody else's",
        || {
            let before = lives();
            let mut told = String::new();
            within(Duration::from_secs(90), "it is restarted", || {
                told = heal(&here, "0").succeeded().stderr;
                !told.is_empty()
            });
            let begin = format!("{alice} was restarted: the machine does not reach it at ");
            assert!(told.starts_with(&begin), "{told}");
            let after = lives();
            assert_eq!((after.0.0.clone(), after.1), (before.0.0, before.1));
            assert_ne!(after.0.1, before.0.1);
            docker(&["exec", &alice, "test", "-e", "/root/installed"]);
            within(Duration::from_secs(60), "she is let in again", || {
                here.get("/alice/lab").by("alice").status() == 200
            });
            let history = here.dtaas(&["history"]).succeeded().stdout;
            assert!(history.contains(" heal "), "{history}");
        },
    );
    steps.step("not twice within the time", || {
        cut(&bob);
        let ran = heal(&here, "3600").succeeded();
        let begin = format!("{bob} is not restarted, though the machine does not reach it at ");
        assert!(ran.stderr.starts_with(&begin), "{}", ran.stderr);
        assert!(ran.stderr.contains("ago already"), "{}", ran.stderr);
    });
    steps.step("where all have lost it, it is not theirs", || {
        // Bob's is cut still.
        cut(&alice);
        let before = lives();
        within(Duration::from_secs(90), "both are old enough", || {
            let ran = heal(&here, "3600");
            ran.stderr
                .contains("2 of 2 workspaces have lost their network: that is the machine's fault")
        });
        assert_eq!(lives(), before);
    });
}
