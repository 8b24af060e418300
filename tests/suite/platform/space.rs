//! A disk that is nearly full is told before it is.

use std::fs;
use std::path::PathBuf;

use super::deployment::Deployment;
use super::engine::out;
use crate::rig::rig;

/// A small disk, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn at(place: PathBuf) -> Self {
        fs::create_dir_all(&place).unwrap();
        let path = place.to_str().unwrap();
        out("mount", &["-t", "tmpfs", "-o", "size=64m", "none", path]);
        Self(place)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        out("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

#[test]
fn a_disk_that_is_nearly_full_is_told_by_plan_up_and_status() {
    const TEST: &str = "platform::space::a_disk_that_is_nearly_full_is_told_by_plan_up_and_status";
    let Some(rig) = rig(TEST) else { return };
    let here = Deployment::init(&rig, "spc", "foo.com", "alice", &[]);
    let disk = Disk::at(here.path("data"));
    let place = fs::canonicalize(here.path("data")).unwrap();
    let note = format!(
        "the disk of {} is nearly full: 64 MiB are left; ",
        place.display()
    );
    for words in [&["plan"][..], &["up"], &["status"]] {
        let ran = here.dtaas(words).succeeded();
        assert!(ran.stderr.contains(&note), "{words:?}: {}", ran.stderr);
    }
    let status = here.dtaas(&["status", "--json"]).succeeded().stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert!(
        status["notes"][0].as_str().unwrap().starts_with(&note),
        "{status}"
    );
    here.dtaas(&["down", "--yes"]).succeeded();
    drop(disk);
    // With room again there is nothing to tell.
    let ran = here.dtaas(&["plan"]).succeeded();
    assert!(!ran.stderr.contains("nearly full"), "{}", ran.stderr);
}
