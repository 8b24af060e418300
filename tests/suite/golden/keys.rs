//! Every key that the files of `init` document has an effect, and no key is kept from the operator.

use std::collections::BTreeSet;
use std::path::Path;

use dtaas::deployment::init::{self, Request};
use dtaas::deployment::{Deployment, Missing};
use dtaas::secrets::Secret;
use dtaas::spec::load;
use rcgen::{CertificateParams, KeyPair};
use serde_yaml::Value;

/// A key, another value for it, and what has to stand beside both for it to count.
struct Row {
    key: &'static str,
    to: &'static str,
    beside: &'static [(&'static str, &'static str)],
    effect: Effect,
}

enum Effect {
    /// The machine should have something else.
    Changes,
    /// It is refused, with these words.
    Refused(&'static str),
}

const fn row(key: &'static str, to: &'static str) -> Row {
    Row {
        key,
        to,
        beside: &[],
        effect: Effect::Changes,
    }
}

const ACME: &[(&str, &str)] = &[("tls.mode", "acme"), ("tls.email", "admin@foo.com")];
const ACME_BY_TLS: &[(&str, &str)] = &[
    ("tls.mode", "acme"),
    ("tls.email", "admin@foo.com"),
    ("tls.challenge", "http"),
];
const FILES: &[(&str, &str)] = &[
    ("tls.mode", "files"),
    ("tls.cert", "one.crt"),
    ("tls.key", "one.key"),
];
const BUILD: &[(&str, &str)] = &[
    ("website.source", "client.zip"),
    (
        "website.sha256",
        "'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'",
    ),
];
const HEALING: &[(&str, &str)] = &[("healing.enabled", "true")];
const WRITABLE: &[(&str, &str)] = &[("library.writable", "true")];
/// A profile with the services on a machine of their own.
const BY_SSH: &[(&str, &str)] = &[
    ("profile", "./own.yaml"),
    ("machines.services.kind", "ssh"),
    ("machines.services.address", "s.foo.com"),
];
const BY_VAGRANT: &[(&str, &str)] = &[
    ("profile", "./own.yaml"),
    ("machines.services.kind", "vagrant"),
    ("machines.services.bridge", "eno1"),
];
const BY_DOCKER: &[(&str, &str)] = &[
    ("profile", "./own.yaml"),
    ("machines.services.kind", "vagrant"),
    ("machines.services.bridge", "eno1"),
    ("machines.services.provider", "docker"),
    ("machines.services.image", "machine:1"),
];

const fn by(
    beside: &'static [(&'static str, &'static str)],
    key: &'static str,
    to: &'static str,
) -> Row {
    Row {
        beside,
        ..row(key, to)
    }
}

/// A service of the operator's own, where there are others.
const OWN: &[(&str, &str)] = &[
    ("profile", "./own.yaml"),
    ("machines.services.kind", "ssh"),
    ("machines.services.address", "s.foo.com"),
    ("services.custom.postgres.image", "postgres:15"),
    ("services.custom.postgres.health.port", "5433"),
    ("services.custom.postgres.route.port", "8081"),
    ("services.custom.postgres.ports", "[5433]"),
];

const MOUNT: &[(&str, &str)] = &[("workspace.mounts", "[{source: /srv/a, target: /a}]")];

/// Keys of `dtaas.yaml`.
const SPEC: &[Row] = &[
    Row {
        effect: Effect::Refused("this program knows version 1"),
        ..row("version", "2")
    },
    row("name", "other"),
    row("domain", "bar.com"),
    row("base_path", "dtaas"),
    Row {
        effect: Effect::Refused("there is no profile \"two-hosts\""),
        ..row("profile", "two-hosts")
    },
    Row {
        effect: Effect::Refused("machines.services.address: it counts with kind ssh alone"),
        ..by(BY_SSH, "machines.services.kind", "local")
    },
    by(BY_SSH, "machines.services.address", "t.foo.com"),
    by(BY_SSH, "machines.services.port", "2222"),
    by(BY_SSH, "machines.services.user", "admin"),
    by(BY_SSH, "machines.services.jump", "gate"),
    by(BY_SSH, "machines.services.known_hosts", "hosts"),
    by(BY_SSH, "machines.services.key", "id"),
    by(BY_SSH, "machines.services.root", "/srv/dtaas/foo"),
    by(BY_SSH, "machines.services.hostname", "s"),
    by(BY_VAGRANT, "machines.services.mac", "08:00:27:12:34:57"),
    by(BY_VAGRANT, "machines.services.bridge", "eno2"),
    by(BY_VAGRANT, "machines.services.memory", "8g"),
    by(BY_VAGRANT, "machines.services.cpus", "4"),
    by(BY_VAGRANT, "machines.services.box", "other"),
    by(BY_DOCKER, "machines.services.provider", "virtualbox"),
    by(BY_DOCKER, "machines.services.image", "machine:2"),
    by(
        BY_DOCKER,
        "machines.services.create_args",
        "[--cap-add, ALL]",
    ),
    row("bind", "127.0.0.1"),
    row("ports.http", "8080"),
    row("ports.https", "8443"),
    row("ports.auth", "5002"),
    row("ports.website", "5000"),
    row("ports.library", "5001"),
    row("tls.mode", "'off'"),
    Row {
        beside: FILES,
        ..row("tls.cert", "second.crt")
    },
    Row {
        beside: FILES,
        effect: Effect::Refused("it is not the key of the certificate"),
        ..row("tls.key", "other.key")
    },
    Row {
        beside: ACME,
        ..row("tls.email", "root@foo.com")
    },
    Row {
        beside: ACME,
        ..row("tls.ca_server", "https://ca.foo.com/directory")
    },
    Row {
        beside: ACME_BY_TLS,
        ..row("tls.challenge", "tls")
    },
    row("network.pool", "10.99.0.0/24"),
    row("auth", "basic"),
    Row {
        beside: BUILD,
        effect: Effect::Refused("it is empty"),
        ..row("website.source", "''")
    },
    Row {
        beside: BUILD,
        ..row(
            "website.sha256",
            "'0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'",
        )
    },
    row("trusted_proxies", "[192.0.2.10, 10.0.0.0/24]"),
    row("library.root", "/srv/library"),
    row("library.writable", "true"),
    Row {
        beside: WRITABLE,
        ..row("library.quota", "50g")
    },
    Row {
        beside: WRITABLE,
        ..row("library.max_upload", "1g")
    },
    Row {
        effect: Effect::Refused("this is no absolute path"),
        ..row("backup.repository", "backups")
    },
    row("images.prefix", "registry.lab.example/"),
    row("gateway.image", "traefik:v3.8.0"),
    row("gateway.log_level", "DEBUG"),
    by(BY_SSH, "rabbitmq.image", "rabbitmq:4-management"),
    by(BY_SSH, "rabbitmq.port", "5673"),
    by(BY_SSH, "rabbitmq.plain_port", "5672"),
    by(BY_SSH, "rabbitmq.management_port", "15673"),
    by(BY_SSH, "rabbitmq.limits.cpus", "2"),
    by(BY_SSH, "rabbitmq.limits.memory", "none"),
    by(BY_SSH, "mosquitto.image", "eclipse-mosquitto:2.0.20"),
    by(BY_SSH, "mosquitto.port", "8884"),
    by(BY_SSH, "mosquitto.plain_port", "1883"),
    by(BY_SSH, "mosquitto.limits.cpus", "2"),
    by(BY_SSH, "mosquitto.limits.memory", "none"),
    by(BY_SSH, "influxdb.image", "influxdb:2.7.11"),
    by(BY_SSH, "influxdb.port", "8087"),
    by(BY_SSH, "influxdb.limits.cpus", "2"),
    by(BY_SSH, "influxdb.limits.memory", "none"),
    by(BY_SSH, "grafana.image", "grafana/grafana:11.6.1"),
    by(BY_SSH, "grafana.port", "3001"),
    by(BY_SSH, "grafana.limits.cpus", "2"),
    by(BY_SSH, "grafana.limits.memory", "none"),
    by(OWN, "services.custom.postgres.use", "postgresql"),
    by(OWN, "services.custom.postgres.image", "postgres:16"),
    by(OWN, "services.custom.postgres.machine", "services"),
    by(OWN, "services.custom.postgres.user", "'999:999'"),
    by(OWN, "services.custom.postgres.command", "[postgres]"),
    by(OWN, "services.custom.postgres.ports", "[5434]"),
    by(OWN, "services.custom.postgres.volumes.data", "/data"),
    by(OWN, "services.custom.postgres.environment", "{TZ: UTC}"),
    by(OWN, "services.custom.postgres.secrets", "[password]"),
    by(OWN, "services.custom.postgres.accounts", "postgresql"),
    by(OWN, "services.custom.postgres.certificate_group", "999"),
    by(OWN, "services.custom.postgres.health.port", "5434"),
    by(OWN, "services.custom.postgres.health.path", "/healthz"),
    by(OWN, "services.custom.postgres.health.within", "600"),
    by(OWN, "services.custom.postgres.route.port", "8082"),
    by(OWN, "services.custom.postgres.route.strip", "true"),
    by(OWN, "services.custom.postgres.limits.cpus", "2"),
    by(OWN, "services.custom.postgres.limits.memory", "2g"),
    row(
        "workspace.image",
        "quay.io/jupyter/base-notebook:2026-01-05",
    ),
    row("workspace.user", "1000:100"),
    row("workspace.limits.cpus", "0.5"),
    row("workspace.limits.memory", "none"),
    row("workspace.limits.pids", "100"),
    row("workspace.limits.shm", "1g"),
    row("workspace.environment", "{TZ: Europe/Copenhagen}"),
    row("healing.enabled", "true"),
    Row {
        beside: HEALING,
        ..row("healing.every", "10m")
    },
    Row {
        beside: HEALING,
        ..row("healing.at_most_every", "2h")
    },
    Row {
        beside: HEALING,
        ..row("healing.restart_every", "3d")
    },
    Row {
        beside: MOUNT,
        ..row("workspace.mounts[].source", "/srv/b")
    },
    Row {
        beside: MOUNT,
        ..row("workspace.mounts[].target", "/b")
    },
    Row {
        beside: MOUNT,
        ..row("workspace.mounts[].read_only", "false")
    },
];

/// Keys of `users/<name>.yaml`.
const USER: &[Row] = &[
    row("slot", "7"),
    row("enabled", "false"),
    row("groups", "[publishers]"),
    row("image", "quay.io/jupyter/base-notebook:2026-01-05"),
    row("limits.cpus", "none"),
    row("limits.memory", "1g"),
    row("limits.pids", "100"),
    row("limits.shm", "1g"),
];

const SPEC_FILE: &str = "dtaas.yaml";
const USER_FILE: &str = "users/alice.yaml";

#[test]
fn every_documented_key_has_a_row_and_every_row_a_key() {
    let directory = deployment();
    for (file, rows) in [(SPEC_FILE, SPEC), (USER_FILE, USER)] {
        let text = std::fs::read_to_string(directory.path().join(file)).unwrap();
        let rows: BTreeSet<String> = rows.iter().map(|row| row.key.to_owned()).collect();
        assert_eq!(rows, leaves(&documented(&text)), "{file}");
    }
}

#[test]
fn every_documented_key_has_an_effect() {
    let directory = deployment();
    for (file, rows) in [(SPEC_FILE, SPEC), (USER_FILE, USER)] {
        let path = directory.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        for row in rows {
            let mut values: Value = serde_yaml::from_str(&text).unwrap();
            for (key, value) in row.beside {
                set(&mut values, key, value);
            }
            let before = state(directory.path(), file, &values).unwrap();

            set(&mut values, row.key, row.to);
            let after = state(directory.path(), file, &values);

            match row.effect {
                Effect::Changes => assert_ne!(before, after.unwrap(), "{file}: {}", row.key),
                Effect::Refused(words) => {
                    let error = after.unwrap_err();
                    assert!(error.contains(words), "{file}: {}: {error}", row.key);
                }
            }
        }
        std::fs::write(&path, &text).unwrap();
    }
}

#[test]
fn every_key_that_counts_is_documented() {
    let directory = deployment();
    for file in [SPEC_FILE, USER_FILE] {
        let text = std::fs::read_to_string(directory.path().join(file)).unwrap();
        let documented = documented(&text);
        let sections: BTreeSet<&str> = documented
            .iter()
            .map(|key| key.rsplit_once('.').map_or("", |(section, _)| section))
            // What is below it are names of the operator's own.
            .filter(|section| !["machines", "services.custom"].contains(section))
            .filter(|section| !section.ends_with(".volumes"))
            .collect();
        for section in sections {
            let mut values: Value = serde_yaml::from_str(&text).unwrap();
            if section.contains("[]") {
                set(&mut values, MOUNT[0].0, MOUNT[0].1);
            }
            if section.starts_with("services.custom") {
                set(&mut values, OWN[3].0, OWN[3].1);
            }
            let nonsense = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";
            let path = match section {
                "" => nonsense.to_owned(),
                section => format!("{section}.{nonsense}"),
            };
            set(&mut values, &path, "1");

            let error = read(directory.path(), file, &values).unwrap_err();

            // Of many, only some are named, and the number of the others.
            let known = error.split_once("known are ").unwrap().1;
            let (known, others) = known.split_once(" and ").unwrap_or((known, "0 more"));
            let known: BTreeSet<&str> = known.split(", ").collect();
            let others: usize = others.strip_suffix(" more").unwrap().parse().unwrap();
            let written: BTreeSet<&str> = documented
                .iter()
                .filter_map(|key| match section {
                    "" => Some(key.as_str()),
                    section => key.strip_prefix(section)?.strip_prefix('.'),
                })
                .filter(|key| !key.contains(['.', '[']))
                .collect();
            assert!(known.is_subset(&written), "{file}: {section:?}: {known:?}");
            assert_eq!(known.len() + others, written.len(), "{file}: {section:?}");
        }
    }
}

fn deployment() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let request = Request {
        domain: Some("foo.com".parse().unwrap()),
        users: vec![(
            "alice".parse().unwrap(),
            Some(Secret::new("a password of the tests")),
        )],
        ..Request::default()
    };
    init::make(directory.path(), &request, &mut |_| Ok(())).unwrap();
    let pair = |key: &KeyPair| {
        let params = CertificateParams::new(vec!["foo.com".to_owned()]).unwrap();
        params.self_signed(key).unwrap().pem()
    };
    let write =
        |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
    let [one, other] = [(); 2].map(|()| KeyPair::generate().unwrap());
    write("one.crt", pair(&one));
    write("one.key", one.serialize_pem());
    write("second.crt", pair(&one));
    write("other.key", other.serialize_pem());
    let services = "  server: {kind: local}\n  services: {}\n";
    let placed = "gateway: server, website: server, library: server, workspace: server, rabbitmq: services, mosquitto: services, influxdb: services, grafana: services";
    write(
        "own.yaml",
        format!("version: 1\nmachines:\n{services}placement: {{{placed}}}\n"),
    );
    directory
}

/// What the machines are and should have when a file says this.
fn state(directory: &Path, file: &str, values: &Value) -> Result<String, String> {
    let text = serde_yaml::to_string(values).unwrap();
    std::fs::write(directory.join(file), text).unwrap();
    Deployment::open(directory)
        .and_then(|deployment| Ok((deployment.desired(Missing::Keep)?, deployment.sites)))
        .map(|(desired, sites)| serde_json::to_string(&desired).unwrap() + &format!("{sites:?}"))
        .map_err(|error| format!("{error:#}"))
}

/// What is wrong with a file that says this.
fn read(directory: &Path, file: &str, values: &Value) -> Result<(), String> {
    let text = serde_yaml::to_string(values).unwrap();
    let (spec, user) = match file {
        SPEC_FILE => (text, "slot: 0\n".to_owned()),
        _ => {
            let spec = std::fs::read_to_string(directory.join(SPEC_FILE)).unwrap();
            (spec, text)
        }
    };
    let users = [("alice.yaml".to_owned(), user)].into();
    load::from_texts(&spec, &users)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn set(values: &mut Value, key: &str, value: &str) {
    let mut place = values;
    for part in key.split('.') {
        let (name, first) = match part.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (part, false),
        };
        if !place.is_mapping() {
            *place = Value::Mapping(Default::default());
        }
        place = place
            .as_mapping_mut()
            .unwrap()
            .entry(name.into())
            .or_insert(Value::Null);
        if first {
            place = &mut place[0];
        }
    }
    *place = serde_yaml::from_str(value).unwrap();
}

/// The keys of a file with comments, those in comments (`# key: word`) included; `mounts[].source` is one in a list.
fn documented(text: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut open: Vec<(usize, String)> = Vec::new();
    for line in text.lines() {
        let bare = line.trim_start();
        let mut indent = line.len() - bare.len();
        let content = match bare.strip_prefix('#') {
            None => bare,
            Some(comment) => {
                let comment = comment.strip_prefix(' ').unwrap_or(comment);
                let content = comment.trim_start();
                if !is_setting(content) {
                    continue;
                }
                indent += comment.len() - content.len();
                content
            }
        };
        let Some((key, _)) = content.split_once(':') else {
            continue;
        };
        let (key, indent) = match key.strip_prefix("- ") {
            Some(key) => (key, indent + 2),
            None => (key, indent),
        };
        while open.last().is_some_and(|(outer, _)| *outer >= indent) {
            open.pop();
        }
        if content.starts_with("- ")
            && let Some((_, list)) = open.last_mut()
            && !list.ends_with("[]")
        {
            list.push_str("[]");
        }
        open.push((indent, key.to_owned()));
        let path: Vec<&str> = open.iter().map(|(_, key)| key.as_str()).collect();
        keys.insert(path.join("."));
    }
    keys
}

/// Whether a comment is a setting: `key:` or `key: word`; prose has more words.
fn is_setting(content: &str) -> bool {
    let content = content.strip_prefix("- ").unwrap_or(content);
    content.split_once(':').is_some_and(|(key, value)| {
        !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && value.split_whitespace().count() <= 1
    })
}

/// The keys that are not sections of others.
fn leaves(keys: &BTreeSet<String>) -> BTreeSet<String> {
    let is_section = |key: &str| {
        keys.iter().any(|other| {
            other
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with(['.', '[']))
        })
    };
    keys.iter()
        .filter(|key| !is_section(key))
        .cloned()
        .collect()
}
