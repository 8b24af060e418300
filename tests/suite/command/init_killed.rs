//! `init` killed at several moments, then run again: the deployment is whole.

use std::path::Path;
use std::time::{Duration, Instant};

use super::run::{Place, done};

/// What exists at the moment of the kill, in the order in which a run makes it.
const MOMENTS: &[&str] = &[
    "d",
    "d/.lock",
    "d/secrets/hash-key",
    "d/secrets/vnc-password",
    "d/auth/alice",
    "d/users/alice.yaml",
    "d/auth/carl",
    "d/files/alice",
    "d/secrets/tls/authority.key",
    "d/config/gateway/dynamic",
    "d/config/lib.env",
    "d/dtaas.yaml",
];

#[test]
fn a_run_that_was_killed_is_simply_run_again() {
    let undisturbed = Place::new();
    assert_eq!(init(&undisturbed), 0);
    let whole: Vec<String> = undisturbed.modes("d").lines().map(str::to_owned).collect();

    for moment in MOMENTS {
        let place = Place::new();
        let mut child = place
            .command()
            .args([
                "-C",
                "d",
                "init",
                "--domain",
                "foo.com",
                "--users",
                "alice,bob,carl",
            ])
            .spawn()
            .unwrap();
        wait_for(&place.path(moment), || child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();

        assert_eq!(init(&place), 0, "{moment}");

        let found: Vec<String> = place.modes("d").lines().map(str::to_owned).collect();
        assert_eq!(found, whole, "{moment}");
        assert_eq!(
            place.in_d("render --check"),
            done("Nothing to do.\n", ""),
            "{moment}"
        );
        let users = place.in_d("user list");
        assert_eq!(
            users.out,
            "USER   DOOR  GROUPS  NETWORK\n\
             alice  open          10.213.0.0/29\n\
             bob    open          10.213.0.8/29\n\
             carl   open          10.213.0.16/29\n",
            "{moment}"
        );
    }
}

#[test]
fn a_run_that_was_killed_while_it_wrote_its_first_file_is_run_again_as_well() {
    let place = Place::new();
    place.write("d/secrets/.hash-key.dtaas-new", "half of i");
    assert_eq!(init(&place), 0);
    assert!(!place.path("d/secrets/.hash-key.dtaas-new").exists());
}

fn init(place: &Place) -> i32 {
    place
        .in_d("init --domain foo.com --users alice,bob,carl")
        .code
}

/// Looks without a pause, so that the moment is not missed by much.
fn wait_for(path: &Path, ended: impl FnMut() -> bool) {
    let mut ended = ended;
    let deadline = Instant::now() + Duration::from_secs(60);
    while !path.exists() && !ended() {
        assert!(
            Instant::now() < deadline,
            "{} did not appear",
            path.display()
        );
        std::hint::spin_loop();
    }
}
