use super::*;

fn refused(text: &str) -> String {
    parse("mine.yaml", text).unwrap_err().to_string()
}

#[test]
fn the_built_in_profiles_place_everything() {
    for (name, _) in BUILT_IN {
        let profile = load(Path::new("."), name).unwrap();
        for component in PLACED {
            assert!(profile.placement.contains_key(&component), "{name}");
        }
    }
}

#[test]
fn two_machines_share_the_components() {
    let profile = load(Path::new("."), "two-machine").unwrap();
    assert_eq!(
        profile.on("dtaas"),
        BTreeSet::from([
            Component::Gateway,
            Component::Auth,
            Component::Website,
            Component::Library,
            Component::Workspace,
        ])
    );
    assert_eq!(
        profile.on("services"),
        BTreeSet::from(crate::platform::services::ALL)
    );
    assert_eq!(profile.everywhere().len(), 9);
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    assert_eq!(
        refused(
            "version: 1\nmachines:\n  a:\n    kind: locale\nplacement:\n  gateway: b\n  website: a\n  library: a\n"
        ),
        "3 problems in the spec\n  \
         mine.yaml:4: machines.a.kind is \"locale\": there is no \"locale\"; write local, ssh or vagrant\n  \
         mine.yaml:5: placement.workspace: this key is missing; name one of the machines\n  \
         mine.yaml:6: placement.gateway is \"b\": there is no machine \"b\"; name one of the machines"
    );
}

#[test]
fn what_cannot_work_is_refused_with_the_reason() {
    assert_eq!(
        refused(
            "version: 1\nmachines:\n  a: {}\n  b: {}\n  c: {}\nplacement:\n  gateway: a\n  website: b\n  library: a\n  \
             workspace: b\n  rabbitmq: [a, b]\n"
        ),
        "3 problems in the spec\n  \
         mine.yaml:8: placement.website is \"b\": the gateway reaches it on loopback alone, and the gateway is on \"a\"; \
         place both on one machine: a\n  \
         mine.yaml:10: placement.workspace is \"b\": the gateway reaches workspaces by their networks, which are on their own machine, \
         and the gateway is on \"a\"; place both on one machine: a\n  \
         mine.yaml:11: placement.rabbitmq is a list: it is placed more than once, and there is one of it; name one machine"
    );
}

#[test]
fn a_machine_has_a_name_that_other_programs_take() {
    assert_eq!(
        refused(
            "version: 1\nmachines:\n  A b: {kind: local}\nplacement: {gateway: A b, website: A b, library: A b, workspace: A b}\n"
        ),
        "mine.yaml:3: machines.A b: this is not a machine's name; write small letters, digits and hyphens, at most 32, such as services"
    );
}

#[test]
fn an_unknown_profile_names_the_nearest() {
    let error = load(Path::new("."), "single-hots").unwrap_err();
    assert_eq!(error.to_string(), "there is no profile \"single-hots\"");
    assert!(
        crate::error::failure_of(&error)
            .unwrap()
            .remedy()
            .unwrap()
            .starts_with("did you mean single-host?")
    );
}
