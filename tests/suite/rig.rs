//! What this machine has for the tests: the rig, and programs that some of them compare with.

use std::io::Write;
use std::path::PathBuf;

/// The rig, as `scripts/rig up` describes it in its `env` file.
#[derive(Clone)]
pub struct Rig {
    /// What stands before every image's name.
    pub registry: String,
    /// The usual workspace image, with the registry.
    pub workspace: String,
    /// One that differs from it, with the registry.
    pub other_workspace: String,
}

/// The rig; where there is none, the test says so and is over.
pub fn rig(test: &str) -> Option<Rig> {
    let there = std::env::var_os("DTAAS_RIG").is_some_and(|value| value == "1");
    if !there_is("the rig (scripts/rig up)", there, test) {
        return None;
    }
    Some(Rig {
        registry: value("DTAAS_RIG_REGISTRY"),
        workspace: value("DTAAS_RIG_WORKSPACE_IMAGE"),
        other_workspace: value("DTAAS_RIG_OTHER_WORKSPACE_IMAGE"),
    })
}

/// What the rig has for tests of several machines, as its `env` file describes it.
#[derive(Clone)]
pub struct Machines {
    /// The image of a machine, with the registry.
    pub image: String,
    /// That of one without docker.
    pub bare: String,
    /// That of one that Vagrant takes for a box.
    pub vagrant: String,
    /// RabbitMQ's image.
    pub rabbitmq: String,
    /// The private key whose owner may log in to each machine.
    pub key: PathBuf,
    /// What `docker run` needs to be told for a container to be a machine.
    pub flags: Vec<String>,
}

/// The rig and what it has for several machines; where it has nothing, the test says so and is over.
pub fn rig_with_machines(test: &str) -> Option<(Rig, Machines)> {
    let rig = rig(test)?;
    let there = std::env::var_os("DTAAS_RIG_MACHINE_IMAGE").is_some();
    if !there_is("the rig's machines (scripts/rig up)", there, test) {
        return None;
    }
    let machines = Machines {
        image: value("DTAAS_RIG_MACHINE_IMAGE"),
        bare: value("DTAAS_RIG_BARE_MACHINE_IMAGE"),
        vagrant: value("DTAAS_RIG_VAGRANT_IMAGE"),
        rabbitmq: value("DTAAS_RIG_RABBITMQ_IMAGE"),
        key: value("DTAAS_RIG_MACHINE_KEY").into(),
        flags: value("DTAAS_RIG_MACHINE_FLAGS")
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    };
    Some((rig, machines))
}

/// The rig and its docker compose; where it has none, the test says so and is over.
pub fn rig_with_compose(test: &str) -> Option<(Rig, PathBuf)> {
    let rig = rig(test)?;
    let there = std::env::var_os("DTAAS_RIG_COMPOSE").is_some();
    if !there_is("the rig's docker compose (scripts/rig up)", there, test) {
        return None;
    }
    Some((rig, value("DTAAS_RIG_COMPOSE").into()))
}

fn value(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("the rig does not set {name}"))
}

/// Whether what a test needs is there; where it is not, says so in one line: `SKIPPED <test>: needs <what>`.
pub fn there_is(what: &str, there: bool, test: &str) -> bool {
    if !there {
        say(&format!("SKIPPED {test}: needs {what}"));
    }
    there
}

/// A line on the real stderr, which the test harness does not keep to itself when the test passes.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The binary under test: the one that is shipped where `scripts/test` built it, or else this build's.
pub fn binary() -> std::path::PathBuf {
    std::env::var_os("DTAAS_BIN").map_or_else(|| env!("CARGO_BIN_EXE_dtaas").into(), Into::into)
}
