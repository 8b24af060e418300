//! The same platform said in other ways: below a base path, without TLS, with v0.2's way to check passwords.

use std::fs;
use std::time::Duration;

use super::client::within;
use super::deployment::Deployment;
use super::steps::Steps;
use super::{doors, engine, first_light};
use crate::rig::rig;

#[test]
fn below_a_base_path_with_either_way_to_check_passwords() {
    const TEST: &str = "platform::ways::below_a_base_path_with_either_way_to_check_passwords";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);

    let here = steps.step("init --base-path dtaas --tls off", || {
        let flags = ["--base-path", "dtaas", "--tls", "off"];
        Deployment::init(&rig, "ways", "localhost", "alice,bob", &flags)
    });
    first_light::library(&here);
    steps.step("up", || here.dtaas(&["up"]).succeeded());
    steps.step("every route lies below the base path", || {
        doors::open(&here, &["alice", "bob"]);
        doors::library(&here);
        doors::closed_without_credentials(&here);
        doors::closed_to_others(&here);
        doors::nothing_outside(&here);
    });

    let life = engine::life(&here.container("workspace-alice"));
    steps.step("auth: basic, and up", || {
        let spec = fs::read_to_string(here.path("dtaas.yaml")).unwrap();
        let basic = spec.replace("auth: \"session\"", "auth: basic");
        assert_ne!(basic, spec);
        fs::write(here.path("dtaas.yaml"), basic).unwrap();
        here.dtaas(&["up"]).succeeded();
        assert!(!here.status().iter().any(|part| part.starts_with("auth")));
        assert_eq!(engine::life(&here.container("workspace-alice")), life);
        within(Duration::from_secs(3), "the gateway has the change", || {
            ["/", "/lib", "/alice/lab"]
                .iter()
                .all(|path| here.get(path).by("alice").status() < 500)
        });
    });
    steps.step("the same doors open", || {
        doors::open(&here, &["alice", "bob"]);
        doors::library(&here);
        doors::closed_without_credentials(&here);
        doors::forged_names_count_for_nothing(&here);
    });
}
