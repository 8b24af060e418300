//! Our entries, as Apache's own program sees them.

use std::fs;
use std::process::Command;

use dtaas::auth::{password, store};
use dtaas::secrets::Secret;

use crate::rig::there_is;

#[test]
fn entries_of_ours_verify_with_apaches_htpasswd() {
    let there = Command::new("htpasswd").arg("-?").output().is_ok();
    const TEST: &str = "auth_htpasswd::entries_of_ours_verify_with_apaches_htpasswd";
    if !there_is("htpasswd (Debian: apache2-utils)", there, TEST) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let store_path = directory.path().join("auth");
    fs::create_dir(&store_path).unwrap();
    let longest = "ä".repeat(36);
    let users = [
        ("alice", "hunter2"),
        ("j.doe", "with blanks and : colons"),
        ("zoe_9", "pässwörd"),
        ("last", &longest),
    ];
    for (user, password) in users {
        let hash = password::hash(&Secret::new(password)).unwrap();
        let line = store::entry_line(&user.parse().unwrap(), &hash);
        fs::write(store_path.join(user), line.expose()).unwrap();
    }
    let file = directory.path().join("gateway");
    let lines = users.map(|(user, _)| fs::read_to_string(store_path.join(user)).unwrap());
    fs::write(&file, lines.concat()).unwrap();

    for (user, password) in users {
        for (password, expected) in [(password, 0), ("wrong", 3)] {
            let output = Command::new("htpasswd")
                .arg("-vb")
                .arg(&file)
                .args([user, password])
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(expected), "{user}: {output:?}");
        }
    }
}
