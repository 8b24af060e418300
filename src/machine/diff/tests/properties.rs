//! What holds for any two desired states.

use proptest::prelude::*;

use super::*;

fn changed() -> impl Strategy<Value = Desired> {
    let users = prop::sample::subsequence(vec!["alice", "bob", "carol", "dave"], 0..=4);
    let change = (any::<bool>(), any::<bool>(), 0i64..3, any::<bool>());
    (users, prop::collection::vec(change, 5)).prop_map(|(users, changes)| {
        let mut desired = desired(&users);
        for (container, (running, image, pids, token)) in desired.containers.iter_mut().zip(changes)
        {
            container.running = running;
            container.limits.pids = (pids > 0).then_some(pids);
            if image {
                container.image = "traefik:v3".into();
            }
            if token {
                container
                    .environment
                    .insert("TOKEN".into(), Secret::new("other"));
            }
        }
        desired
    })
}

proptest! {
    #[test]
    fn what_was_applied_differs_in_nothing(desired in changed()) {
        let plan = plan(&desired, &applied(&desired));
        prop_assert!(plan.is_empty() && plan.held.is_empty(), "{plan:?}");
    }

    #[test]
    fn without_being_asked_no_workspace_is_ever_removed(
        before in changed(),
        after in changed(),
    ) {
        let plan = plan(&after, &applied(&before));
        for container in before.containers.iter().filter(|container| container.precious) {
            for step in &plan.steps {
                if let Step::RemoveContainer { name, .. } | Step::RecreateContainer { name, .. } = step {
                    prop_assert_ne!(name, &container.name);
                }
            }
        }
    }

    #[test]
    fn no_secret_is_in_a_plan(before in changed(), after in changed()) {
        let text = serde_json::to_string(&plan(&after, &applied(&before))).unwrap();
        prop_assert!(!text.contains("hunter2"));
    }
}
