//! Users put links, pipes and hard links wherever they can write: nothing behind them is read, changed or given away, and nobody
//! else's files are touched.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use super::deployment::{Deployment, Ran};
use super::snapshot::{self, Snapshot};
use crate::rig::rig;

const WORDS: &str = "root:canary-7f3a:19000:0:99999:7:::\n";

/// A file and a directory of someone else's, and how they stand.
struct Canary {
    directory: tempfile::TempDir,
    before: Snapshot,
}

impl Canary {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("inside");
        fs::create_dir(&inside).unwrap();
        for file in [directory.path().join("shadow"), inside.join("shadow")] {
            fs::write(&file, WORDS).unwrap();
        }
        let before = snapshot::files(directory.path());
        Self { directory, before }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("shadow")
    }

    fn directory(&self) -> PathBuf {
        self.directory.path().join("inside")
    }

    /// Fails unless all is as it was and nothing of it was said.
    fn is_untouched(&self, ran: &Ran, what: &str) {
        snapshot::same(&self.before, &snapshot::files(self.directory.path()));
        for said in [&ran.stdout, &ran.stderr] {
            assert!(!said.contains("canary-7f3a"), "{what}: {said}");
        }
    }
}

/// Takes a path away, whatever it is.
fn clear(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// All of a deployment's files that are bob's.
fn bobs(here: &Deployment) -> Snapshot {
    let mut all = snapshot::files(&here.root());
    all.retain(|path, _| {
        path == "files/bob" || path.starts_with("files/bob/") || path.contains("bob.")
    });
    assert!(all.len() > 6, "{all:#?}");
    all
}

/// Commands that work on files: on alice's, and on all.
const COMMANDS: [&[&str]; 5] = [
    &["render"],
    &["up"],
    &["user", "passwd", "alice"],
    &["plan"],
    &["status"],
];

#[test]
fn nothing_behind_a_users_link_is_touched() {
    const TEST: &str = "platform::links::nothing_behind_a_users_link_is_touched";
    let Some(rig) = rig(TEST) else { return };
    let here = Deployment::init(&rig, "links", "localhost", "alice,bob", &["--tls", "off"]);
    here.dtaas(&["up"]).succeeded();
    let bob = bobs(&here);
    let canary = Canary::new();

    let places = [
        "files/alice/data",
        "files/alice/digital twins",
        "files/alice/functions",
        "files/alice/models",
        "files/alice/tools",
        "files/alice/common",
        "files/common/data",
        "files/common/models",
    ];
    for place in places {
        let path = here.path(place);
        type Plant<'a> = (&'a str, &'a dyn Fn());
        let kinds: [Plant<'_>; 4] = [
            ("link to a directory", &|| {
                symlink(canary.directory(), &path).unwrap()
            }),
            ("link to a file", &|| symlink(canary.file(), &path).unwrap()),
            ("link to nothing", &|| {
                symlink(canary.directory().join("new"), &path).unwrap()
            }),
            ("pipe", &|| fifo(&path)),
        ];
        for (kind, plant) in kinds {
            clear(&path);
            plant();
            let planted = fs::symlink_metadata(&path).unwrap().ino();
            // Every kind before `up` once; the slower commands with the first alone.
            let commands = match kind {
                "link to a directory" => &COMMANDS[..],
                _ => &COMMANDS[..1],
            };
            for command in commands {
                let what = format!("{kind} at {place}, {command:?}");
                let ran = match command {
                    ["user", ..] => here.dtaas_with_password(command),
                    _ => here.dtaas(command),
                };
                canary.is_untouched(&ran, &what);
                assert!(
                    ran.code == Some(0) || ran.stderr.contains("hint: "),
                    "{what}: {}",
                    ran.stderr
                );
                let found = fs::symlink_metadata(&path).unwrap();
                assert_eq!(found.ino(), planted, "{what}: the user's own was replaced");
                snapshot::same(&bob, &bobs(&here));
            }
        }
        clear(&path);
        fs::create_dir(&path).unwrap();
    }

    // What was a folder when it was looked at is a link when it is worked on.
    let swapped = here.path("files/alice/data");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                clear(&swapped);
                symlink(canary.directory(), &swapped).unwrap();
                fs::remove_file(&swapped).unwrap();
                let _ = fs::create_dir(&swapped);
            }
        });
        for _ in 0..40 {
            let ran = here.dtaas(&["render"]);
            if ran.stderr.contains("panicked") {
                over.store(true, Ordering::Relaxed);
                panic!("{}", ran.stderr);
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    let ran = here.dtaas(&["render"]);
    canary.is_untouched(&ran, "swapped");

    // A hard link to the canary among what goes away, and links everywhere.
    clear(&swapped);
    symlink(canary.directory(), &swapped).unwrap();
    fs::hard_link(canary.file(), here.path("files/alice/shadow")).unwrap_or_else(|_| {
        symlink(canary.file(), here.path("files/alice/shadow")).unwrap();
    });
    symlink(canary.file(), here.path("files/alice/models/shadow")).unwrap();
    let linked = fs::metadata(canary.file()).unwrap();
    let ran = here
        .dtaas(&["user", "remove", "alice", "--yes"])
        .succeeded();
    canary.is_untouched(&ran, "user remove");
    snapshot::same(&bob, &bobs(&here));
    let after = fs::metadata(canary.file()).unwrap();
    assert_eq!(
        (linked.mode(), linked.uid(), linked.ino()),
        (after.mode(), after.uid(), after.ino())
    );

    // A folder of that name that is a link itself.
    symlink(canary.directory(), here.path("files/alice")).unwrap();
    let ran = here.dtaas_with_password(&["user", "add", "alice"]);
    canary.is_untouched(&ran, "user add over a link");
    snapshot::same(&bob, &bobs(&here));

    symlink(canary.directory(), here.path("files/common/more")).unwrap();
    let ran = here.dtaas(&["down", "--purge", "--yes"]).succeeded();
    canary.is_untouched(&ran, "down --purge");
}
