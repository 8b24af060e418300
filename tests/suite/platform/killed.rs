//! Runs that are killed and interrupted at random moments: `scripts/soak` with a seeded handful.

use std::path::Path;
use std::process::Command;

use super::deployment::Ran;
use crate::rig::{binary, rig, there_is};

#[test]
fn a_deployment_is_whole_whenever_init_and_user_add_are_killed() {
    const TEST: &str =
        "platform::killed::a_deployment_is_whole_whenever_init_and_user_add_are_killed";
    let python = which::which("python3").is_ok();
    if there_is("python3", python, TEST) {
        soak(&["--only", "init,add", "--users", "6", "--runs", "3"]);
    }
}

#[test]
fn a_platform_comes_up_whenever_up_was_killed() {
    const TEST: &str = "platform::killed::a_platform_comes_up_whenever_up_was_killed";
    if rig(TEST).is_some() {
        soak(&["--only", "up", "--runs", "1"]);
    }
}

fn soak(arguments: &[&str]) {
    let place = tempfile::tempdir().unwrap();
    let ran = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/soak"))
        .args(arguments)
        .args(["--seed", "1", "--binary"])
        .arg(binary())
        .arg("--out")
        .arg(place.path().join("figures.json"))
        .env("TMPDIR", place.path())
        .output()
        .unwrap();
    Ran::of(ran).succeeded();
}
