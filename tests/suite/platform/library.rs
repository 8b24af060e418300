//! A library that users may write, behind the real gateway, with the real command.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::client::within;
use super::deployment::{Deployment, Ran};
use super::steps::Steps;
use crate::rig::rig;

#[test]
fn users_of_a_platform_read_and_write_what_is_theirs() {
    const TEST: &str = "platform::library::users_of_a_platform_read_and_write_what_is_theirs";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);

    let lib = steps.step("init, a library for writing, alice a publisher", || {
        let lib = Deployment::init(&rig, "lib", "foo.com", "alice,bob", &[]);
        change(&lib, "dtaas.yaml", "writable: false", "writable: true");
        change(&lib, "dtaas.yaml", "quota: \"none\"", "quota: \"200m\"");
        change(
            &lib,
            "users/alice.yaml",
            "groups: []",
            "groups: [publishers]",
        );
        lib
    });
    steps.step("up", || lib.dtaas(&["up"]).succeeded());
    let here = tempfile::tempdir().unwrap();
    let large = here.path().join("run.csv");
    let lines: String = (0..4_000_000).map(|n| format!("{n:08},21.5\n")).collect();
    fs::write(&large, &lines).unwrap();

    steps.step("each sees their own folder and common", || {
        for user in ["alice", "bob"] {
            let seen = command(&lib, user, &["ls"]);
            assert_eq!(seen.succeeded().stdout, format!("{user}/\ncommon/\n"));
        }
    });
    steps.step("a large file goes in and comes back", || {
        let there = "alice/data/run 100%;#1?.csv";
        let source = large.to_str().unwrap();
        command(&lib, "alice", &["put", source, there]).succeeded();
        let on_disk = lib.path("files").join(there);
        assert_eq!(sum(&on_disk), sum(&large));
        let found = fs::metadata(&on_disk).unwrap();
        assert_eq!((found.uid(), found.gid()), (0, 0), "workspace.user");
        let back = here.path().join("back.csv");
        command(&lib, "alice", &["get", there, back.to_str().unwrap()]).succeeded();
        assert_eq!(sum(&back), sum(&large));
    });
    steps.step("a part of it comes alone", || {
        let part = lib
            .get("/lib/files/alice/data/run%20100%25%3B%231%3F.csv")
            .by("alice")
            .with("Range", "bytes=14000000-14000027")
            .send();
        assert_eq!(
            (part.status, part.body.as_str()),
            (206, &lines[14_000_000..14_000_028])
        );
        let size = lines.len();
        let range = format!("bytes 14000000-14000027/{size}");
        assert_eq!(part.header("content-range"), Some(range.as_str()));
    });
    steps.step("the gateway keeps nothing of an upload back", || {
        passes_at_once(&lib)
    });
    steps.step("a publisher writes common, and nobody another's", || {
        let small = here.path().join("small.txt");
        fs::write(&small, "for all\n").unwrap();
        let put =
            |user: &str, path: &str| command(&lib, user, &["put", small.to_str().unwrap(), path]);
        put("alice", "common/data/small.txt").succeeded();
        let read = command(&lib, "bob", &["cat", "common/data/small.txt"]);
        assert_eq!(read.succeeded().stdout, "for all\n");
        let others = [
            (
                "bob",
                "common/data/mine.txt",
                "cannot be changed by you here",
            ),
            ("bob", "alice/data/mine.txt", "is not in the library"),
            ("alice", "bob/data/mine.txt", "is not in the library"),
        ];
        for (user, path, why) in others {
            let refused = put(user, path);
            assert_eq!(refused.code, Some(1), "{user} {path}");
            assert!(
                refused.stderr.contains(why),
                "{user} {path}: {}",
                refused.stderr
            );
            assert!(!lib.path("files").join(path).exists());
        }
        let read = command(&lib, "bob", &["cat", "alice/data/run 100%;#1?.csv"]);
        assert_eq!((read.code, read.stdout.as_str()), (Some(1), ""));
    });
    steps.step("who claims to be a publisher is none", || {
        let forged = lib
            .get("/lib/files/common/data/forged.txt")
            .by("bob")
            .with("X-Forwarded-Groups", "publishers")
            .with("X-Forwarded-User", "alice")
            .with("Content-Length", "0")
            .method("PUT")
            .send();
        assert_eq!(forged.status, 403, "{}", forged.body);
    });
    steps.step("a wrong password and an unknown authority are said", || {
        let wrong = command_with(&lib, &["ls", "--user", "alice"], "a guess");
        assert_eq!(wrong.code, Some(1));
        assert!(
            wrong
                .stderr
                .contains("does not take this password of alice"),
            "{}",
            wrong.stderr
        );
        let address = format!("https://localhost:{}/lib", lib.ports.https);
        let other = command_with(&lib, &["ls", "--user", "alice", "--url", &address], "x");
        assert_eq!(other.code, Some(1));
        assert!(
            other.stderr.contains("is not to be trusted"),
            "{}",
            other.stderr
        );
    });
}

/// `dtaas -C <deployment> lib …` in the name of a user.
fn command(deployment: &Deployment, user: &str, arguments: &[&str]) -> Ran {
    let password = deployment.password(user);
    command_with(
        deployment,
        &[arguments, &["--user", user]].concat(),
        &password,
    )
}

fn command_with(deployment: &Deployment, arguments: &[&str], password: &str) -> Ran {
    let mut command = deployment.command(&[&["lib"], arguments].concat());
    Ran::of(
        command
            .env("DTAAS_LIB_PASSWORD", password)
            .output()
            .unwrap(),
    )
}

fn change(deployment: &Deployment, file: &str, from: &str, to: &str) {
    let path = deployment.path(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn sum(path: &PathBuf) -> Vec<u8> {
    Sha256::digest(fs::read(path).unwrap()).to_vec()
}

/// Half of an upload is on disk while its sender still has the other half.
fn passes_at_once(deployment: &Deployment) {
    const HALF: usize = 16 << 20;
    let mut stream = deployment.connect();
    let head = format!(
        "PUT {}/lib/files/alice/data/slow.bin?upload=slow HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\
         Content-Length: {}\r\nContent-Range: bytes 0-{}/{}\r\n\r\n",
        deployment.base,
        deployment.host(),
        deployment.credentials("alice"),
        2 * HALF,
        2 * HALF - 1,
        2 * HALF
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![7; HALF]).unwrap();
    stream.flush().unwrap();
    let directory = deployment.path("files/alice/data");
    let arrived = || {
        let entries = fs::read_dir(&directory).unwrap().map(Result::unwrap);
        let aside = entries.filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(b".dtaas-aside-")
        });
        aside
            .map(|entry| entry.metadata().unwrap().len())
            .sum::<u64>()
    };
    within(Duration::from_secs(60), "the first half arrives", || {
        arrived() > 4 << 20
    });
}
