//! A deployment that is kept elsewhere, lost, and comes back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::client::within;
use super::deployment::{Deployment, Ran, free_port};
use super::steps::Steps;
use super::{doors, engine};
use crate::machines::beside::alone;
use crate::rig::{binary, rig, there_is};

const PROFILE: &str = "version: 1
machines:
  server: {kind: local}
placement: {gateway: server, website: server, library: server, workspace: server, rabbitmq: server, mosquitto: server}
";

/// A deployment with brokers and a database, and what a test does to them.
struct Kept {
    deployment: Deployment,
    management: u16,
    aside: tempfile::TempDir,
}

impl Kept {
    fn new(rig: &crate::rig::Rig) -> Self {
        let deployment = Deployment::init(rig, "backup", "localhost", "alice,bob", &[]);
        fs::write(deployment.path("own.yaml"), PROFILE).unwrap();
        let path = deployment.path("dtaas.yaml");
        let mut text = fs::read_to_string(&path).unwrap();
        let (database, management) = (free_port(), free_port());
        let own = format!(
            "services:\n  custom:\n    db:\n      use: postgresql\n      image: postgres:15\n      ports: [{database}]\n      health: {{port: {database}}}\n      \
             environment: {{POSTGRES_PASSWORD_FILE: /run/secrets/password, PGDATA: /var/lib/postgresql/data/pgdata, PGPORT: '{database}'}}\n"
        );
        for (from, to) in [
            ("profile: \"single-host\"", "profile: ./own.yaml".to_owned()),
            ("  port: 5671", format!("  port: {}", free_port())),
            (
                "management_port: 15672",
                format!("management_port: {management}"),
            ),
            ("  port: 8883", format!("  port: {}", free_port())),
            ("services:\n  custom: {}\n", own),
        ] {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, &to, 1);
        }
        fs::write(&path, text).unwrap();
        Self {
            deployment,
            management,
            aside: tempfile::tempdir().unwrap(),
        }
    }

    fn aside(&self, path: &str) -> PathBuf {
        self.aside.path().join(path)
    }

    /// `dtaas -C <directory> restore --from <repository>`, with the password that was kept elsewhere.
    fn restore(&self, repository: &str, directory: &Path) -> Command {
        let mut command = Command::new(binary());
        command.arg("-C").arg(directory).arg("restore");
        command.arg("--from").arg(self.aside(repository));
        command.arg("--password-file").arg(self.aside("password"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn backup(&self) -> Ran {
        let repository = self.aside("repository");
        self.deployment
            .dtaas(&["backup", "--to", repository.to_str().unwrap()])
            .succeeded()
    }

    /// RabbitMQ's own interface, asked as its administrator.
    fn broker(&self, method: &str, path: &str, body: &str) -> Value {
        let password = fs::read_to_string(self.deployment.path("secrets/rabbitmq")).unwrap();
        let who = format!("_dtaas:{}", password.trim());
        let url = format!("https://127.0.0.1:{}/api/{path}", self.management);
        let said = engine::out(
            "curl",
            &[
                "-ksS",
                "-X",
                method,
                "-u",
                &who,
                "-H",
                "content-type: application/json",
                "-d",
                body,
                &url,
            ],
        );
        serde_json::from_str(&said).unwrap_or(Value::Null)
    }

    fn sql(&self, database: &str, question: &str) -> String {
        let container = self.deployment.container("service-db");
        let ask = [
            "exec", "-u", "postgres", &container, "psql", "-At", "-d", database, "-c", question,
        ];
        engine::docker(&ask).trim().to_owned()
    }

    fn messages(&self) -> Vec<String> {
        let ask = r#"{"count": 100, "ackmode": "ack_requeue_true", "encoding": "auto"}"#;
        let got = self.broker("POST", "queues/alice/twin/get", ask);
        let got = got.as_array().unwrap();
        got.iter()
            .map(|one| one["payload"].as_str().unwrap().to_owned())
            .collect()
    }

    fn names_at_the_broker(&self, what: &str) -> Vec<String> {
        let all = self.broker("GET", what, "");
        let all = all.as_array().unwrap();
        all.iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Every file below a directory that nobody writes at, by its SHA-256.
fn sums(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if !path.to_string_lossy().contains("busy") {
                let sum = Sha256::digest(fs::read(&path).unwrap()).to_vec();
                found.insert(path.strip_prefix(root).unwrap().to_owned(), sum);
            }
        }
    }
    found
}

/// Somebody who replaces a file of the library whole, over and over, until told to end.
struct Writer {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    fn at(directory: PathBuf) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let told = ends.clone();
        let thread = std::thread::spawn(move || {
            for count in 0.. {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                let new = directory.join("busy.new");
                fs::write(&new, format!("{count}\n").repeat(20_000)).unwrap();
                fs::rename(new, directory.join("busy")).unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self {
            ends,
            thread: Some(thread),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn a_deployment_that_is_lost_comes_back() {
    const TEST: &str = "platform::backup::a_deployment_that_is_lost_comes_back";
    let Some(rig) = rig(TEST) else { return };
    if !there_is("restic", which::which("restic").is_ok(), TEST) {
        return;
    }
    let steps = Steps::of(TEST);
    let _alone = alone();
    let kept = steps.step("init, with brokers and a database", || Kept::new(&rig));
    let here = &kept.deployment;
    steps.step("up", || here.dtaas(&["up"]).succeeded());
    let data = here.path("files/alice/data");
    steps.step("something worth keeping is everywhere", || {
        for (name, size) in [("small.csv", 20), ("large.bin", 8_000_000), ("ünï co*[de]", 1)] {
            let bytes: Vec<u8> = (0..size).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            fs::write(data.join(name), bytes).unwrap();
        }
        std::os::unix::fs::symlink("small.csv", data.join("link")).unwrap();
        kept.broker("PUT", "queues/alice/twin", r#"{"durable": true}"#);
        for text in ["one", "two", "three"] {
            let message = format!(
                r#"{{"properties": {{"delivery_mode": 2}}, "routing_key": "twin", "payload": "{text}", "payload_encoding": "string"}}"#
            );
            let sent = kept.broker("POST", "exchanges/alice/amq.default/publish", &message);
            assert_eq!(sent["routed"], true, "{sent}");
        }
        assert_eq!(kept.messages(), ["one", "two", "three"]);
        kept.sql("alice", "create table kept (n int)");
        kept.sql("alice", "insert into kept select generate_series(1, 1000)");
    });
    let (users, vhosts) = (
        kept.names_at_the_broker("users"),
        kept.names_at_the_broker("vhosts"),
    );
    let (before, started) = (
        sums(&here.path("files")),
        engine::life(&here.container("rabbitmq")),
    );
    let writer = Writer::at(data.clone());
    steps.step("a backup while somebody writes", || {
        let ran = kept.backup();
        assert!(ran.stderr.contains("Keep a copy of "), "{}", ran.stderr);
        assert!(!ran.stderr.contains("gave no copy"), "{}", ran.stderr);
        assert!(
            !ran.stderr.contains("is not in the backup"),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("did not write down"), "{}", ran.stderr);
        assert!(ran.stderr.contains("/busy\""), "{}", ran.stderr);
        assert!(!here.path(".backup").exists());
        fs::copy(here.path("secrets/backup-password"), kept.aside("password")).unwrap();
    });
    steps.step("another one stores only what is new", || {
        kept.sql("alice", "insert into kept values (1001)");
        let ran = kept.backup();
        let (read, new) = ran
            .stderr
            .split_once("repository: ")
            .unwrap()
            .1
            .split_once(" MiB, of which ")
            .unwrap();
        let new = new.split_once(' ').unwrap().0;
        let (read, new): (f64, f64) = (read.parse().unwrap(), new.parse().unwrap());
        assert!(new * 2.0 < read, "{}", ran.stderr);
        let listed = here.dtaas(&[
            "backup",
            "list",
            "--json",
            "--to",
            kept.aside("repository").to_str().unwrap(),
        ]);
        let listed: Value = serde_json::from_str(&listed.succeeded().stdout).unwrap();
        assert_eq!(listed.as_array().unwrap().len(), 2);
        assert_eq!(engine::life(&here.container("rabbitmq")), started);
    });
    drop(writer);
    steps.step(
        "a damaged repository is refused, and nothing is changed",
        || damaged(&kept),
    );
    steps.step("all is lost", || lose(here));
    steps.step(
        "a restore that is killed goes on when it is said again",
        || killed(&kept, &before),
    );
    steps.step("restore, and up", || {
        Ran::of(kept.restore("repository", &here.root()).output().unwrap()).succeeded();
        assert!(!here.path(".restoring").exists() && !here.path(".backup").exists());
        assert_eq!(sums(&here.path("files")), before);
        assert_eq!(
            fs::read_link(data.join("link")).unwrap(),
            Path::new("small.csv")
        );
        let busy = fs::read_to_string(data.join("busy")).unwrap();
        let first = busy.lines().next().unwrap();
        assert!(busy.lines().count() == 20_000 && busy.lines().all(|line| line == first));
        here.dtaas(&["up"]).succeeded();
    });
    steps.step(
        "everybody signs in as before, and all data are there",
        || {
            doors::open(here, &["alice", "bob"]);
            within(Duration::from_secs(30), "messages", || {
                kept.messages() == ["one", "two", "three"]
            });
            assert_eq!(kept.names_at_the_broker("users"), users);
            assert_eq!(kept.names_at_the_broker("vhosts"), vhosts);
            assert_eq!(
                kept.sql("alice", "select count(*), sum(n) from kept"),
                "1001|501501"
            );
            let plan = here.dtaas(&["plan", "--exit-code"]);
            assert_eq!(plan.code, Some(0), "{plan:?}");
        },
    );
    steps.step("backups go on in the same repository", || {
        let ran = kept.backup();
        assert!(
            !ran.stderr.contains("is a repository of backups now"),
            "{}",
            ran.stderr
        );
    });
    steps.step("down", || lose(here));
}

/// Takes it away, and then the profile, which is the operator's own.
fn lose(here: &Deployment) {
    here.dtaas(&["down", "--purge", "--yes"]).succeeded();
    fs::remove_file(here.path("own.yaml")).unwrap();
    fs::remove_dir(here.root()).unwrap();
}

fn damaged(kept: &Kept) {
    let nowhere = kept.aside("nowhere");
    let files = |directory: &str| -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![kept.aside("copy").join(directory)];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => open.push(path),
                    false => found.push(path),
                }
            }
        }
        found.sort_by_key(|path| path.metadata().unwrap().len());
        found
    };
    let truncated = || {
        let largest = files("data").pop().unwrap();
        let length = largest.metadata().unwrap().len();
        fs::OpenOptions::new()
            .write(true)
            .open(largest)
            .unwrap()
            .set_len(length - 100)
            .unwrap();
    };
    let flipped = || {
        let largest = files("data").pop().unwrap();
        let mut bytes = fs::read(&largest).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::remove_file(&largest).unwrap();
        fs::write(largest, bytes).unwrap();
    };
    let without_a_pack = || fs::remove_file(files("data").pop().unwrap()).unwrap();
    let without_index = || fs::remove_dir_all(kept.aside("copy/index")).unwrap();
    let damages: [(&str, &dyn Fn()); 4] = [
        ("truncated", &truncated),
        ("a bit flipped", &flipped),
        ("a pack gone", &without_a_pack),
        ("the index gone", &without_index),
    ];
    for (what, damage) in damages {
        let copy = kept.aside("copy");
        engine::out(
            "cp",
            &[
                "-a",
                kept.aside("repository").to_str().unwrap(),
                copy.to_str().unwrap(),
            ],
        );
        damage();
        let ran = Ran::of(kept.restore("copy", &nowhere).output().unwrap());
        assert_eq!(ran.code, Some(1), "{what}: {}", ran.stderr);
        let says = format!("error: the repository {} is damaged: ", copy.display());
        assert!(ran.stderr.contains(&says), "{what}: {}", ran.stderr);
        assert!(!nowhere.exists(), "{what}");
        fs::remove_dir_all(copy).unwrap();
    }
}

fn killed(kept: &Kept, before: &BTreeMap<PathBuf, Vec<u8>>) {
    let there = kept.aside("there");
    let mut killed = kept.restore("repository", &there).spawn().unwrap();
    within(Duration::from_secs(60), "it writes", || {
        there.join("dtaas.yaml").exists() || there.join("files").exists()
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(there.join(".restoring").exists());
    let up = Command::new(binary())
        .arg("-C")
        .arg(&there)
        .arg("up")
        .output()
        .unwrap();
    let up = Ran::of(up);
    assert!(
        !up.stderr.contains("Nothing to do") && up.code != Some(0),
        "{}",
        up.stderr
    );
    Ran::of(kept.restore("repository", &there).output().unwrap()).succeeded();
    assert!(!there.join(".restoring").exists());
    assert_eq!(&sums(&there.join("files")), before);
    assert!(
        there
            .join("data/services/db/data/pgdata/PG_VERSION")
            .exists()
    );
    assert!(there.join("data/rabbitmq").exists());
}
