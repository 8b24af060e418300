//! Kernels that cannot resolve a path beneath a directory by themselves: before Linux 5.6 there is no `openat2`, and some
//! container engines do not let it through.

use std::path::Path;
use std::process::Command;

use rustix::io::Errno;
use serde_json::json;

use super::fixture::{LIST, Library, READ, SECRET, question};
use crate::rig::there_is;

/// What is fine, and what leads out by every way there is.
const PATHS: &[&str] = &[
    "",
    "alice",
    "alice/README.md",
    "alice/models/spring.txt",
    "alice/near",
    "alice/folder",
    "alice/folder/spring.txt",
    "alice/models/above",
    "alice/models/around",
    "alice/none",
    "alice/README.md/x",
    "alice/shadow",
    "alice/outside",
    "alice/bobs",
    "alice/bobs/secret.txt",
    "alice/bobs-file",
    "alice/bobs-absolute",
    "alice/own-absolute",
    "alice/through-models",
    "alice/up/bob/secret.txt",
    "alice/slash/etc/passwd",
    "alice/proc/etc/passwd",
    "alice/round",
    "alice/fifo",
    "common/README.md",
    "common/to-bob",
    "common/to-bob/secret.txt",
    "bob/secret.txt",
    "..",
];

#[tokio::test]
async fn without_openat2_every_answer_is_the_same() {
    let test = "without_openat2_every_answer_is_the_same";
    let python = Path::new("/usr/bin/python3").exists();
    if !there_is("/usr/bin/python3", python, test) {
        return;
    }
    let library = Library::new();
    library.plant_traps();
    library.link("alice/near", "models/spring.txt");
    library.link("alice/folder", "models");
    library.link("alice/models/above", "../README.md");
    library.link("alice/models/around", "../../alice/README.md");
    let known = library.serve_users();
    for error in [Errno::NOSYS, Errno::PERM] {
        let mut command = Command::new("/usr/bin/python3");
        command
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/suite/library/without_openat2.py"
            ))
            .arg(error.raw_os_error().to_string())
            .args([env!("CARGO_BIN_EXE_dtaas"), "lib", "serve"]);
        let old = library.serve_users_by(command);
        for path in PATHS {
            for query in [LIST, READ] {
                let body = question(query, json!({ "path": path }));
                let headers = [("X-Dtaas-Gateway", SECRET), ("X-Forwarded-User", "alice")];
                // Twice: the second time it may be answered by a shorter way.
                for _ in 0..2 {
                    let expected = known.post_as(body.clone(), &headers).await.text;
                    let answer = old.post_as(body.clone(), &headers).await.text;
                    assert_eq!(answer, expected, "{path:?} with {error}");
                }
            }
        }
    }
}
