//! What is not ours, and what is ours alone.

use super::*;

#[test]
fn what_is_not_ours_is_refused() {
    let desired = desired(&["alice"]);
    let mut observed = applied(&desired);
    observed
        .containers
        .get_mut("ws-alice")
        .unwrap()
        .owner
        .deployment = Some("other".into());
    observed.networks.get_mut("net-alice").unwrap().owner = Owner::default();
    let plan = plan(&desired, &observed);
    assert!(plan.steps.is_empty());
    let refused: Vec<&str> = plan
        .refused
        .iter()
        .map(|one| one.message.as_str())
        .collect();
    assert_eq!(
        refused,
        [
            "there is a network named net-alice that was not made by this program; it is left alone, and the one of foo cannot be made",
            "there is a container named ws-alice that belongs to the deployment other; it is left alone, and the one of foo cannot be made",
        ]
    );
}

#[test]
fn a_deployment_of_the_same_name_in_another_directory_is_left_alone() {
    let first = desired(&["alice"]);
    let mut second = desired(&["bob"]);
    second.root = "/srv/copy-of-foo".into();
    let mut observed = applied(&first);
    observed.firewall = applied(&second).firewall;
    let plan = plan(&second, &observed);
    let refused: Vec<String> = plan.refused.iter().map(|one| one.message.clone()).collect();
    let left_alone = |what: &str| {
        format!(
            "the {what} belongs to a deployment named foo in another directory; it is left alone"
        )
    };
    assert_eq!(
        refused,
        [
            left_alone("network net-alice"),
            left_alone("container ws-alice"),
            left_alone("container gateway"),
        ]
    );
    assert_eq!(
        plan.refused[0].hint,
        "give the one in /srv/copy-of-foo another `name:` in dtaas.yaml; or, if it was moved there, move it back, \
         take it down (dtaas down), move it again and bring it up"
    );

    let down = Desired::nothing(second.deployment.clone(), second.root.clone());
    let down = diff(&down, &observed, &DiffOptions::default());
    assert_eq!(down.refused.len(), 3);
    let removes = |step: &&Step| {
        matches!(
            step.phase(),
            Phase::RemoveContainers | Phase::RemoveNetworks
        )
    };
    assert_eq!(down.steps.iter().find(removes), None);
}

#[test]
fn an_own_image_goes_when_nothing_that_stays_was_made_of_it() {
    let mut desired = desired(&["alice"]);
    let mut observed = applied(&desired);
    let old = ImageState {
        id: "sha256:old".into(),
        owner: Owner::of(&desired),
    };
    for copy in ["mine/foo:old", "dtaas-self/foo.com:old", "sha256:old"] {
        observed.images.insert(copy.into(), old.clone());
    }
    observed.images.insert("dtaas-self/foo:old".into(), old);
    let alice = observed.containers.get_mut("ws-alice").unwrap();
    alice.image_id = "sha256:old".into();
    assert!(plan(&desired, &observed).is_empty());

    desired.containers[1].image = "workspace:2".into();
    assert!(plan(&desired, &observed).is_empty());
    let recreating = lines(&recreating(&desired, &observed));
    assert_eq!(recreating[1..], ["remove image dtaas-self/foo:old"]);
}

#[test]
fn the_rules_of_a_namesake_are_left_alone() {
    let first = desired(&["alice"]);
    let mut second = desired(&["alice"]);
    second.root = "/srv/copy-of-foo".into();
    let observed = Observed {
        firewall: applied(&first).firewall,
        ..Observed::default()
    };
    let nothing = Desired::nothing(second.deployment.clone(), second.root.clone());
    for plan in [plan(&second, &observed), removing(&nothing, &observed)] {
        let refused: Vec<&str> = plan
            .refused
            .iter()
            .map(|one| one.message.as_str())
            .collect();
        assert_eq!(
            refused,
            [
                "the firewall chain FOO belongs to a deployment named foo in another directory; it is left alone"
            ]
        );
        let rules = |step: &&Step| step.phase() == Phase::Firewall;
        assert_eq!(plan.steps.iter().find(rules), None);
    }
}
