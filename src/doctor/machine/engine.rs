//! The docker engine: that it is one we work with, and what it can do.

use futures_util::FutureExt;

use super::{Check, Subject};
use crate::doctor::{Finding, Fix, Severity};
use crate::machine::docker::{Abilities, Engine};

pub const CHECK: Check = Check {
    name: "engine",
    run: |subject| check(subject).boxed_local(),
};

/// Ways to keep layers that docker has given up, or that copy whole images (docs.docker.com/engine/storage/drivers/select-storage-driver).
const SLOW: [(&str, &str); 4] = [
    ("vfs", "copies the whole image for every container"),
    ("devicemapper", "is not in docker any more since version 25"),
    ("aufs", "is not in docker any more since version 24"),
    ("overlay", "is not in docker any more since version 24"),
];

/// Why there is no engine to talk to.
pub(super) fn not_there(error: &anyhow::Error) -> Finding {
    let finding = Finding::of(CHECK.name, error);
    match can_be_started() {
        true => finding.fixed_by(Fix::StartDocker),
        false => finding,
    }
}

/// Whether docker is installed, stopped, and systemd's to start.
fn can_be_started() -> bool {
    let unit = [
        "/lib/systemd/system",
        "/usr/lib/systemd/system",
        "/etc/systemd/system",
    ]
    .iter()
    .any(|place| std::path::Path::new(place).join("docker.service").exists());
    unit && std::path::Path::new("/run/systemd/system").is_dir() && !Engine::answers_at_all()
}

async fn check(subject: &Subject) -> Vec<Finding> {
    let Some(seen) = &subject.seen else {
        return Vec::new();
    };
    let abilities = match seen.engine.abilities().await {
        Ok(abilities) => abilities,
        Err(error) => return vec![Finding::of(CHECK.name, &error)],
    };
    let limits = [
        wants(subject, |limits| limits.memory.is_some()),
        wants(subject, |limits| limits.cpus.is_some()),
        wants(subject, |limits| limits.pids.is_some()),
    ];
    of_abilities(&abilities, limits, subject.workspaces() > 0)
}

/// What an engine's abilities mean where limits of memory, processors and processes are wanted, and where there are workspaces.
fn of_abilities(abilities: &Abilities, wanted: [bool; 3], workspaces: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    let slow = SLOW.iter().find(|(name, _)| *name == abilities.storage);
    if let Some((driver, because)) = slow {
        found.push(
            Finding::new(
                CHECK.name,
                Severity::Warning,
                format!("docker keeps images by the storage driver {driver}, which {because}"),
                "set \"storage-driver\": \"overlay2\" in /etc/docker/daemon.json and restart docker before the first `dtaas up`: images and containers of the old driver are not seen by the new one",
            )
            .seen(format!("docker info: Storage Driver: {driver}")),
        );
    }
    let limits = [
        (abilities.memory, "memory"),
        (abilities.processors, "cpus"),
        (abilities.processes, "pids"),
    ];
    for ((able, limit), wanted) in limits.into_iter().zip(wanted) {
        if !able && wanted {
            found.push(
                Finding::new(
                    CHECK.name,
                    Severity::Error,
                    format!("the kernel lets docker set no limit of {limit}, so one workspace can take all of it"),
                    match limit {
                        "memory" => "add cgroup_enable=memory swapaccount=1 to the kernel's command line (GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub), and start the machine anew",
                        _ => "use a kernel with that cgroup controller (docker info says what it lacks)",
                    },
                )
                .seen(format!("docker info: cgroup version {}", abilities.cgroup_version)),
            );
        }
    }
    if !abilities.live_restore && workspaces {
        found.push(
            Finding::new(
                CHECK.name,
                Severity::Note,
                "when docker is restarted or upgraded, all workspaces stop and start again",
                "to keep them running: set \"live-restore\": true in /etc/docker/daemon.json, then systemctl reload docker",
            )
            .seen("docker info: Live Restore Enabled: false"),
        );
    }
    found
}

fn wants(subject: &Subject, has: impl Fn(&crate::platform::desired::Limits) -> bool) -> bool {
    subject
        .desired
        .containers
        .iter()
        .any(|one| has(&one.limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An engine that lacks something cannot be had here, so what it would tell of itself is given.
    #[test]
    fn what_an_engine_cannot_do_is_told_where_it_is_wanted() {
        let able = Abilities {
            storage: "overlay2".into(),
            cgroup_version: "2".into(),
            memory: true,
            processors: true,
            processes: true,
            live_restore: true,
        };
        let messages = |abilities: &Abilities, wanted| -> Vec<String> {
            let found = of_abilities(abilities, wanted, true);
            found.into_iter().map(|one| one.message).collect()
        };
        assert_eq!(messages(&able, [true; 3]), [""; 0]);
        let without_memory = Abilities {
            memory: false,
            ..able.clone()
        };
        assert_eq!(messages(&without_memory, [false; 3]), [""; 0]);
        let told = messages(&without_memory, [true; 3]);
        assert_eq!(
            told,
            ["the kernel lets docker set no limit of memory, so one workspace can take all of it"]
        );
        let slow = Abilities {
            storage: "vfs".into(),
            live_restore: false,
            ..able
        };
        let told = messages(&slow, [true; 3]);
        assert!(told[0].ends_with("driver vfs, which copies the whole image for every container"));
        assert!(told[1].starts_with("when docker is restarted"));
    }
}
