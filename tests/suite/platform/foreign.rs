//! Things of someone else's that are in the way.

use super::deployment::Deployment;
use super::steps::Steps;
use super::{engine, snapshot};
use crate::rig::rig;

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    const TEST: &str = "platform::foreign::what_is_not_ours_is_refused_and_left_alone";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);
    let here = steps.step("init", || {
        Deployment::init(&rig, "foreign", "localhost", "alice,bob", &[])
    });
    let container = here.container("workspace-alice");
    let network = format!("dtaas-{}-net-bob", here.name);
    let chain = engine::hook(&here.name).1;

    for (name, which) in [
        ("a container of that name", &[0][..]),
        ("a network of that name", &[1]),
        ("a chain of that name", &[2]),
        ("all three", &[0, 1, 2]),
    ] {
        steps.step(name, || {
            let made = |one: &usize| match one {
                0 => Thing::container(&container, &rig.workspace),
                1 => Thing::network(&network),
                _ => Thing::chain(&chain),
            };
            let things: Vec<Thing> = which.iter().map(made).collect();
            let look = || snapshot::of(&here.root(), &here.name);
            let before = look();

            let up = here.dtaas(&["up"]);

            assert_eq!(up.code, Some(1), "{}", up.stderr);
            for thing in &things {
                assert!(up.stderr.contains(&thing.refused), "{}", up.stderr);
            }
            snapshot::same(&before, &look());
            let plan = here.dtaas(&["plan", "--exit-code"]);
            assert_eq!(plan.code, Some(1), "{}", plan.stderr);
            for thing in &things {
                assert!(plan.stdout.contains(&thing.refused), "{}", plan.stdout);
            }
            here.dtaas(&["down", "--yes"]).succeeded();
            snapshot::same(&before, &look());
        });
    }
}

/// Something that someone else made. It goes when dropped.
struct Thing {
    refused: String,
    remove: Vec<Vec<String>>,
}

impl Thing {
    fn container(name: &str, image: &str) -> Self {
        engine::docker(&["create", "--name", name, "--network", "none", image]);
        Self {
            refused: format!("there is a container named {name} that was not made by this program"),
            remove: vec![words(&["docker", "rm", "-f", name])],
        }
    }

    fn network(name: &str) -> Self {
        engine::docker(&["network", "create", "--internal", name]);
        Self {
            refused: format!("there is a network named {name} that was not made by this program"),
            remove: vec![words(&["docker", "network", "rm", name])],
        }
    }

    fn chain(name: &str) -> Self {
        let mangle = ["iptables", "-w", "-t", "mangle"];
        engine::out("iptables", &["-w", "-t", "mangle", "-N", name]);
        engine::out(
            "iptables",
            &["-w", "-t", "mangle", "-A", name, "-j", "RETURN"],
        );
        Self {
            refused: format!(
                "the packet filter has a chain named {name} that was not made by this program"
            ),
            remove: [["-F", name], ["-X", name]]
                .map(|rest| words(&[&mangle, &rest[..]].concat()))
                .into(),
        }
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        for command in &self.remove {
            let arguments: Vec<&str> = command[1..].iter().map(String::as_str).collect();
            engine::run(&command[0], &arguments);
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
