//! What `up` keeps without being asked, and what it does not take for a platform that answers.

use std::fs;
use std::time::Duration;

use super::client::within;
use super::deployment::Deployment;
use super::engine;

/// A user's file that was moved away closes the door, and takes no workspace with it.
pub fn workspace_of_who_is_gone(here: &Deployment) {
    let bob = here.container("workspace-bob");
    let (life, file) = (engine::life(&bob), here.path("users/bob.yaml"));
    let aside = here.path("bob.yaml");
    fs::rename(&file, &aside).unwrap();

    let up = here.dtaas(&["up"]).succeeded().stderr;
    let stays = format!(
        "! {bob} stays, though users/bob.yaml is gone: removing it loses what was installed in the container and stops what runs"
    );
    assert!(up.lines().any(|line| line == stays), "{up}");
    let how = "To do that nevertheless: `dtaas up --recreate bob`.";
    assert!(up.lines().any(|line| line == how), "{up}");
    assert_eq!(engine::life(&bob), life);
    assert!(!here.path("config/gateway/dynamic/user-bob.yml").exists());
    let again = here.dtaas(&["up"]).succeeded().stderr;
    let said = "Nothing else to do: everything else is as it should be.";
    assert!(again.lines().any(|line| line == said), "{again}");

    fs::rename(&aside, &file).unwrap();
    here.dtaas(&["up"]).succeeded();
    assert_eq!(engine::life(&bob), life);
    // The gateway reads a new route a little later.
    within(Duration::from_secs(5), "bob's door is open", || {
        here.get("/bob/lab").by("bob").status() == 200
    });
}

/// A workspace that waits under another slot is reached where it is.
pub fn way_to_what_is_held(here: &Deployment) {
    let bob = here.container("workspace-bob");
    let (life, file) = (engine::life(&bob), here.path("users/bob.yaml"));
    let before = fs::read_to_string(&file).unwrap();
    let slot = before
        .lines()
        .find(|line| line.starts_with("slot:"))
        .unwrap();
    fs::write(&file, before.replace(slot, "slot: 9")).unwrap();

    let up = here.dtaas(&["up"]).succeeded().stderr;
    let held = format!("! {bob} must be made anew (network), ");
    assert!(up.lines().any(|line| line.starts_with(&held)), "{up}");
    assert_eq!(here.get("/bob/lab").by("bob").status(), 200);

    fs::write(&file, before).unwrap();
    here.dtaas(&["up"]).succeeded();
    assert_eq!(engine::life(&bob), life);
}

/// An operator's template that the gateway cannot use: it runs, and is no platform.
pub fn gateway_without_routes(here: &Deployment) {
    let ours = include_str!("../../../templates/gateway/dynamic/platform.yml.hbs");
    let theirs = ours.replace("any-user, from-gateway]", "nobody, from-gateway]");
    assert_ne!(ours, theirs);
    let templates = here.path("templates/gateway/dynamic");
    fs::create_dir_all(&templates).unwrap();
    fs::write(templates.join("platform.yml.hbs"), theirs).unwrap();

    let gateway = here.container("gateway");
    engine::docker(&["rm", "--force", &gateway]);
    let up = here.dtaas(&["up"]);
    assert_eq!(up.code, Some(1), "{}", up.stderr);
    for part in [
        format!("container {gateway} did not answer as it should within 30 s: http"),
        "gave 404 Not Found, not 401; its last lines:".to_owned(),
        "nobody@file".to_owned(),
        format!("docker logs {gateway}"),
    ] {
        assert!(up.stderr.contains(&part), "{part} in:\n{}", up.stderr);
    }

    fs::remove_dir_all(here.path("templates")).unwrap();
    here.dtaas(&["up"]).succeeded();
}
