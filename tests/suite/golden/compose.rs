//! The project for docker compose: byte for byte, and whatever a spec says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use dtaas::exchange::compose::{self, Export};
use dtaas::platform::auth;
use dtaas::platform::desired::{Desired, File};
use dtaas::secrets::Secret;
use serde_yaml::Value;

use super::files::{ALICE, BOB, compare, with_all_services};
use super::fixture::{Fixture, entry};

/// What is written, without what a deployment has as well.
fn written(desired: &Desired) -> BTreeMap<PathBuf, String> {
    let export = compose::export(desired).unwrap();
    let own = export
        .files
        .iter()
        .filter(|file| desired.file(&file.path).is_none());
    own.map(|file| (file.path.clone(), file.content.expose().to_owned()))
        .collect()
}

fn parsed(export: &Export) -> Value {
    let file = export.files.last().unwrap();
    assert_eq!(file.path, Path::new("compose.yaml"));
    serde_yaml::from_str(file.content.expose()).unwrap()
}

#[test]
fn a_project_of_a_single_host() {
    let spec = "version: 1\ndomain: foo.com\n";
    let carol = ("carol", "slot: 2\nenabled: false\n");
    let desired = Fixture::new(spec, &[ALICE, BOB, carol]).machine();
    compare("compose", written(&desired));
}

#[test]
fn a_project_with_all_services() {
    compare("compose-services", written(&with_all_services()));
}

/// All that a container mounts of the project is in it, and nothing secret is in the project's file.
#[test]
fn what_is_mounted_is_there_and_no_secret_is_in_the_file() {
    let mut desired = with_all_services();
    let alice = "alice".parse().unwrap();
    desired
        .files
        .push(auth::entry(&alice, &Secret::new(entry(&alice))));
    let export = compose::export(&desired).unwrap();
    let project = parsed(&export);

    let files: BTreeSet<&Path> = export
        .files
        .iter()
        .map(|file| file.path.as_path())
        .collect();
    let directories: BTreeSet<&Path> = export
        .directories
        .iter()
        .map(|directory| directory.path.as_path())
        .collect();
    let services = project["services"].as_mapping().unwrap();
    assert_eq!(services.len(), desired.containers.len());
    for (name, service) in services {
        for volume in service["volumes"].as_sequence().into_iter().flatten() {
            let source = volume["source"].as_str().unwrap();
            let Some(here) = source.strip_prefix("./") else {
                assert!(
                    source.starts_with("${DTAAS_LIBRARY:?") || source.starts_with("${DTAAS_DATA:?"),
                    "{name:?}: {source}"
                );
                continue;
            };
            let here = Path::new(here);
            assert!(
                files.contains(here) || directories.contains(here),
                "{name:?}: {source}"
            );
        }
        for path in service["env_file"].as_sequence().into_iter().flatten() {
            let path = Path::new(path.as_str().unwrap().strip_prefix("./").unwrap());
            assert!(files.contains(path), "{name:?}: {}", path.display());
        }
    }
    let text = export.files.last().unwrap().content.expose();
    let public = |file: &&File| !file.content.is_secret();
    for secret in secrets(&desired) {
        for file in export.files.iter().filter(public) {
            assert!(
                !file.content.expose().contains(&secret),
                "{}: {secret}",
                file.path.display()
            );
        }
        assert!(!text.contains(&secret), "{secret}");
    }
    for file in export.files.iter().filter(|file| file.content.is_secret()) {
        let mode = desired.file(&file.path).map_or(0o600, |one| one.mode);
        assert_eq!(file.mode, mode, "{}", file.path.display());
    }
}

/// Secret files' lines, and secret values, that are long enough to be found by.
fn secrets(desired: &Desired) -> BTreeSet<String> {
    let files = desired.files.iter().filter(|file| file.content.is_secret());
    let lines = files.flat_map(|file| file.content.expose().lines());
    let values = desired
        .containers
        .iter()
        .flat_map(|one| one.environment.iter());
    lines
        .filter(|line| line.contains("of the tests"))
        .map(str::to_owned)
        .chain(
            values
                .map(|(_, value)| value.expose().to_owned())
                .filter(|value| value.contains("tests") || value == "vnc-test"),
        )
        .collect()
}

#[test]
fn nothing_becomes_a_variable_that_is_none() {
    let spec = "version: 1\ndomain: foo.com\nlibrary:\n  root: \"/srv/it's $HOME\"\n\
                workspace:\n  environment:\n    PRICE: \"5 $ and ${HOME}\"\n  \
                mounts: [{source: /srv/$a, target: /b$c}]\n";
    let desired = Fixture::new(spec, &[ALICE]).machine();
    let export = compose::export(&desired).unwrap();

    let volumes = &parsed(&export)["services"]["workspace-alice"]["volumes"];
    assert_eq!(volumes[2]["source"], "/srv/$$a");
    assert_eq!(volumes[2]["target"], "/b$$c");
    let text = |path: &str| {
        let mut files = export.files.iter();
        let file = files.find(|file| file.path == Path::new(path)).unwrap();
        file.content.expose().to_owned()
    };
    assert_eq!(text(".env"), "DTAAS_LIBRARY='/srv/it\\'s $HOME'\n");
    assert!(text("env/workspace-alice.env").contains("\nPRICE='5 $ and ${HOME}'\n"));
}

#[test]
fn what_compose_cannot_read_back_is_refused() {
    let spec = "version: 1\ndomain: foo.com\nworkspace:\n  environment:\n    SHARE: 'C:\\'\n";
    let desired = Fixture::new(spec, &[ALICE]).machine();
    assert_eq!(
        compose::export(&desired).unwrap_err().to_string(),
        "the value of SHARE has a backslash at its end or before a quote, which compose cannot read back"
    );
}
