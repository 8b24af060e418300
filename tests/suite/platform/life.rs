//! A deployment's life: plan, up, change, users who come and go, down.

use std::fs;
use std::io::Read;
use std::time::Duration;

use serde_json::Value;

use super::client::within;
use super::deployment::{Deployment, Ran};
use super::steps::Steps;
use super::{doors, engine, first_light, keeps, snapshot, terminal, users};
use crate::rig::{Rig, rig};

#[test]
fn a_deployment_changes_only_what_it_is_told_to() {
    const TEST: &str = "platform::life::a_deployment_changes_only_what_it_is_told_to";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);

    let here = steps.step("init --domain localhost", || {
        Deployment::init(&rig, "life", "localhost", "alice,bob", &[])
    });
    first_light::library(&here);
    steps.step("plan says what there is to do, and does nothing", || {
        let plan = writes_nothing(&here, &["plan", "--exit-code"]);
        assert_eq!(plan.code, Some(3), "{}", plan.stderr);
        for part in [
            "gateway",
            "auth",
            "website",
            "library",
            "workspace-alice",
            "workspace-bob",
        ] {
            let line = format!("+ create container {}\n", here.container(part));
            assert!(plan.stdout.contains(&line), "{}", plan.stdout);
        }
    });
    steps.step("of two that say up at once, one is told who has it", || {
        two_at_once(&here)
    });
    steps.step(
        "each door opens for whom it should, and for no one else",
        || {
            doors::open(&here, &["alice", "bob"]);
            doors::library(&here);
            doors::closed_without_credentials(&here);
            doors::closed_to_others(&here);
            terminal::check(&here);
        },
    );
    steps.step(
        "then plan says nothing to do, and up changes nothing",
        || settled(&here),
    );
    steps.step("a limit changes on the running container alone", || {
        limit(&here)
    });
    steps.step("another image waits until it is asked for", || {
        image(&here, &rig)
    });
    steps.step(
        "a user's file that is gone takes no workspace along",
        || keeps::workspace_of_who_is_gone(&here),
    );
    steps.step("a workspace that is held is reached as before", || {
        keeps::way_to_what_is_held(&here)
    });
    steps.step("a gateway without its routes is not ready", || {
        keeps::gateway_without_routes(&here)
    });
    steps.step("users come and go, and nobody else notices", || {
        users::check(&here)
    });
    steps.step("down leaves every file and nothing else", || down(&here));
}

/// Runs a command of which neither the files nor the machine may show a trace.
fn writes_nothing(here: &Deployment, arguments: &[&str]) -> Ran {
    let before = snapshot::of(&here.root(), &here.name);
    let ran = here.dtaas(arguments);
    snapshot::same(&before, &snapshot::of(&here.root(), &here.name));
    ran
}

fn two_at_once(here: &Deployment) {
    let mut first = here.spawn(&["up"]);
    let holder = format!("dtaas up (process {}, since ", first.id());
    within(Duration::from_secs(10), "the first has the lock", || {
        fs::read_to_string(here.path(".lock")).is_ok_and(|text| text.starts_with(&holder))
    });

    let second = here.dtaas(&["up"]);
    assert_eq!(second.code, Some(4), "{}", second.stderr);
    let held = format!("{} is held by {holder}", here.root().display());
    assert!(second.stderr.contains(&held), "{}", second.stderr);

    let mut said = String::new();
    first
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(first.wait().unwrap().success(), "{said}");
}

fn settled(here: &Deployment) {
    let plan = writes_nothing(here, &["plan", "--exit-code"]);
    assert_eq!(
        (plan.code, plan.stdout.as_str()),
        (Some(0), "Nothing to do.\n")
    );
    let up = writes_nothing(here, &["up"]);
    assert_eq!(up.code, Some(0), "{}", up.stderr);
    let said = "Nothing to do: everything is as it should be, and answers.\n";
    assert!(up.stderr.contains(said), "{}", up.stderr);
    let render = writes_nothing(here, &["render", "--check"]);
    assert_eq!(render.code, Some(0), "{}", render.stderr);
}

fn limit(here: &Deployment) {
    let (alice, others) = ("workspace-alice", others(here, "alice"));
    let life = engine::life(&here.container(alice));
    say_of(
        here,
        "alice",
        "limits:\n  memory: 768m\n  cpus: 1.5\n  pids: 512\n",
    );

    let plan = here.dtaas(&["plan"]).succeeded().stdout;
    assert!(
        plan.starts_with(&format!("+ change limits of {} (", here.container(alice)))
            && plan.ends_with("\n1 step.\n"),
        "{plan}"
    );
    here.dtaas(&["up"]).succeeded();

    let limits = engine::container(&here.container(alice))["HostConfig"].take();
    let number = |name: &str| limits[name].as_i64().unwrap();
    assert_eq!(number("Memory"), 768 << 20);
    assert_eq!(number("NanoCpus"), 1_500_000_000);
    assert_eq!(number("PidsLimit"), 512);
    assert_eq!(engine::life(&here.container(alice)), life);
    assert_eq!(self::others(here, "alice"), others);
    settled(here);
}

fn image(here: &Deployment, rig: &Rig) {
    let (alice, others) = (here.container("workspace-alice"), others(here, "alice"));
    let life = engine::life(&alice);
    let other = rig.other_workspace.strip_prefix(&rig.registry).unwrap();
    say_of(here, "alice", &format!("image: {other}\n"));

    let loss = format!(
        "! {alice} must be made anew (image {} → {}), which loses what was installed in the container and stops what runs",
        rig.workspace, rig.other_workspace
    );
    let plan = here.dtaas(&["plan"]).succeeded().stdout;
    assert!(plan.lines().any(|line| line == loss), "{plan}");
    let up = here.dtaas(&["up"]).succeeded().stderr;
    assert!(up.lines().any(|line| line == loss), "{up}");
    let how = "To do that nevertheless: `dtaas up --recreate alice`.";
    assert!(up.lines().any(|line| line == how), "{up}");
    assert_eq!(engine::life(&alice), life);

    here.dtaas(&["up", "--recreate", "alice"]).succeeded();
    let found = engine::container(&alice);
    assert_eq!(
        found["Config"]["Image"],
        Value::from(rig.other_workspace.as_str())
    );
    assert_ne!(engine::life(&alice), life);
    assert_eq!(self::others(here, "alice"), others);
    assert_eq!(here.get("/alice/lab").by("alice").status(), 200);
    settled(here);
}

fn down(here: &Deployment) {
    let before = snapshot::files(&here.root());
    let down = here.dtaas(&["down", "--yes"]).succeeded();
    let said = format!(
        "The platform is down; every file is still in {}.\n",
        here.root().display()
    );
    assert!(down.stderr.ends_with(&said), "{}", down.stderr);
    assert_eq!(engine::objects(&here.name), Vec::<String>::new());
    snapshot::same(&before, &snapshot::files(&here.root()));
    let again = writes_nothing(here, &["down", "--yes"]).succeeded();
    let said = "Nothing to do: nothing of this deployment is on the machine.\n";
    assert!(again.stderr.ends_with(said), "{}", again.stderr);
}

/// Writes more into a user's file, as an operator does; what was written so before is replaced.
fn say_of(here: &Deployment, user: &str, more: &str) {
    let path = here.path(&format!("users/{user}.yaml"));
    let text = fs::read_to_string(&path).unwrap();
    let text: String = text
        .lines()
        .take(7)
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(path, text + more).unwrap();
}

/// Everything that docker says of the containers that are not this user's.
pub fn others(here: &Deployment, user: &str) -> Vec<String> {
    let own = here.container(&format!("workspace-{user}"));
    [
        "gateway",
        "auth",
        "website",
        "library",
        "workspace-alice",
        "workspace-bob",
    ]
    .map(|part| here.container(part))
    .into_iter()
    .filter(|name| *name != own)
    .map(|name| engine::inspect("container", &name))
    .collect()
}
