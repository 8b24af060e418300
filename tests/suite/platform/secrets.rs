//! No secret of a deployment is where someone who should not could read it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use super::deployment::Deployment;
use super::{engine, snapshot};
use crate::rig::rig;

/// Every value that is to stay secret: by what it is.
fn secrets(here: &Deployment, users: &[&str]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for path in snapshot::files(&here.root()).into_keys() {
        let file = here.path(&path);
        if !file.is_file() || file.is_symlink() {
            continue;
        }
        let public = path.ends_with("authority.pem") || path.ends_with("cert.pem");
        // The workspace image takes the desktop's password from its environment alone, and the website hands it to whoever is signed
        // in, so it stands in both. That no command says it is tried where there is no engine.
        let known = path == "secrets/vnc-password";
        if path.starts_with("secrets/") && !public && !known {
            let text = fs::read_to_string(&file).unwrap();
            // A key's first line says of what kind it is as well, and its last is its public half: the one between is private.
            let line = match text.contains("-----BEGIN") {
                true => text.lines().nth(2).unwrap(),
                false => text.trim_end(),
            };
            all.insert(path, line.to_owned());
        } else if path.starts_with("auth/") {
            let text = fs::read_to_string(&file).unwrap();
            let hash = text.trim_end().split_once(':').unwrap().1;
            all.insert(path, hash.to_owned());
        }
    }
    for user in users {
        all.insert(format!("{user}'s password"), here.password(user));
    }
    all
}

/// Which of them a text holds.
fn found(secrets: &BTreeMap<String, String>, text: &str) -> BTreeSet<String> {
    secrets
        .iter()
        .filter(|(_, secret)| text.contains(secret.as_str()))
        .map(|(name, _)| name.clone())
        .collect()
}

/// The command lines of all processes seen while something runs, and the environment of those that are ours.
fn watched<T>(run: impl FnOnce() -> T) -> (T, String) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").unwrap().flatten() {
                    let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    let line = String::from_utf8_lossy(&line).replace('\0', " ");
                    if line.contains("dtaas") || line.contains("iptables") {
                        let environment =
                            fs::read(entry.path().join("environ")).unwrap_or_default();
                        seen.insert(String::from_utf8_lossy(&environment).into_owned());
                    }
                    seen.insert(line);
                }
            }
            Vec::from_iter(seen).join("\n")
        });
        let done = run();
        over.store(true, Ordering::Relaxed);
        (done, watcher.join().unwrap())
    })
}

#[test]
fn no_secret_is_in_plain_sight() {
    const TEST: &str = "platform::secrets::no_secret_is_in_plain_sight";
    let Some(rig) = rig(TEST) else { return };
    let (here, mut seen) =
        watched(|| Deployment::init(&rig, "hush", "localhost", "alice,bob", &[]));
    let mut said = String::new();
    for line in [
        "plan",
        "plan --json",
        "up --json",
        "up",
        "cert show",
        "cert show --json",
        "cert renew",
        "status",
        "status --json",
        "user add carl",
        "user passwd bob",
        "up --recreate",
        "render",
        "render --check",
        "user list --json",
        "plan --json",
        "user remove carl --yes",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let (ran, processes) = watched(|| match arguments[..2.min(arguments.len())] {
            ["user", "add" | "passwd"] => here.dtaas_with_password(&arguments),
            _ => here.dtaas(&arguments),
        });
        assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
        said += &format!("$ {line}\n{}{}", ran.stdout, ran.stderr);
        seen += &processes;
    }
    assert!(
        seen.contains(" up ") && seen.contains("DTAAS_RIG"),
        "the processes were not seen"
    );
    let secrets = secrets(&here, &["alice", "bob", "carl"]);
    assert!(secrets.len() >= 8, "{:?}", secrets.keys());

    assert_eq!(found(&secrets, &said), BTreeSet::new(), "said:\n{said}");
    assert_eq!(found(&secrets, &seen), BTreeSet::new(), "in a process");
    let objects = engine::objects(&here.name).join("\n");
    assert!(objects.contains("dtaas.parts"), "{objects}");
    let exposed = found(&secrets, &objects);
    assert_eq!(exposed, BTreeSet::new(), "docker inspect");
    for part in [
        "gateway",
        "auth",
        "website",
        "library",
        "workspace-alice",
        "workspace-bob",
    ] {
        let log = engine::run("docker", &["logs", &here.container(part)]);
        let log = [log.stdout, log.stderr]
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .concat();
        assert_eq!(
            found(&secrets, &log),
            BTreeSet::new(),
            "log of {part}: {log}"
        );
    }
    let mut held = 0;
    for path in snapshot::files(&here.root()).into_keys() {
        let file = here.path(&path);
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        let found = found(&secrets, &text);
        held += found.len();
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o7777;
        assert!(
            found.is_empty() || mode & 0o007 == 0,
            "{path} ({mode:o}) holds {found:?}"
        );
    }
    assert!(held > 4, "the secrets were not looked for where they are");
}
