//! The machine engine beside what is not its own, on a real docker engine.

use dtaas::platform::desired::Desired;

use crate::machine_lab::{Lab, docker, free_port, lines, rig, started};

#[tokio::test]
async fn two_directories_with_one_name_do_not_take_each_other_away() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(14).await;
    lab.add_user("alice", 0);
    lab.add_part("website", free_port());
    lab.up().await;
    let before = [started(&lab, "alice"), started(&lab, "website")];

    let copy = tempfile::tempdir().unwrap();
    let first = std::mem::replace(&mut lab.desired.root, copy.path().to_owned());
    let up = lab.plan().await;
    let outcome = lab.try_apply(&up).await;
    assert!(outcome.is_err());
    let nothing = Desired::nothing(lab.desired.deployment.clone(), copy.path().to_owned());
    let whole = std::mem::replace(&mut lab.desired, nothing);
    let down = lab.plan().await;
    assert!(lab.try_apply(&down).await.is_err());
    lab.desired = whole;
    lab.desired.root = first;

    let theirs = |what: &str, name: &str| {
        format!(
            "the {what} {} belongs to a deployment named {} in another directory; it is left alone",
            lab.name(name),
            lab.desired.deployment
        )
    };
    let chain = format!(
        "the firewall chain {} belongs to a deployment named {} in another directory; it is left alone",
        lab.chain(),
        lab.desired.deployment
    );
    let messages = |refused: &[dtaas::machine::plan::Refusal]| {
        refused
            .iter()
            .map(|one| one.message.clone())
            .collect::<Vec<_>>()
    };
    let image = lab.desired.images[0].reference();
    assert_eq!(
        messages(&up.refused),
        [
            theirs("network", "alice"),
            format!(
                "the image {image} belongs to a deployment named {} in another directory; it is left alone",
                lab.desired.deployment
            ),
            chain.clone(),
            theirs("container", "alice"),
            theirs("container", "website"),
        ]
    );
    assert_eq!(
        messages(&down.refused),
        [
            theirs("network", "alice"),
            chain,
            theirs("container", "alice"),
            theirs("container", "website"),
        ]
    );
    assert_eq!([started(&lab, "alice"), started(&lab, "website")], before);
    assert!(lab.plan().await.is_empty());
}

#[tokio::test]
async fn copies_of_our_image_and_what_is_built_from_it_stay() {
    if !rig() {
        return;
    }
    let mut lab = Lab::new(15).await;
    lab.add_part("website", free_port());
    lab.up().await;
    let image = lab.desired.images[0].reference().to_owned();
    let (copy, built) = (lab.name("copy"), lab.name("built"));
    docker(&["tag", &image, &copy]);
    let container = docker(&["create", &image]);
    docker(&["commit", container.trim(), &built]);
    docker(&["rm", container.trim()]);

    lab.desired.containers.clear();
    let nothing = Desired::nothing(lab.desired.deployment.clone(), lab.desired.root.clone());
    lab.desired = nothing;
    let plan = lab.plan().await;
    lab.apply(&plan).await.result().unwrap();
    let left = docker(&["images", "--format", "{{.Repository}}", &lab.name("*")]);
    docker(&["rmi", &copy, &built]);

    assert_eq!(
        lines(&plan).last().unwrap(),
        &format!("remove image {image}")
    );
    let mut left: Vec<&str> = left.lines().collect();
    left.sort_unstable();
    assert_eq!(left, [built, copy]);
}
