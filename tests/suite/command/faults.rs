//! A disk that is full or may only be read: one clear paragraph, every file as it was, and the same command works afterwards.

use std::fs;
use std::io::Write;
use std::process::Command;

use super::run::{Place, Ran, failed, is_root};

const ROOM: &str = "make room on that disk (df -h), then run this again";
const READ_ONLY: &str = "that file system is mounted read-only: mount it for writing (mount -o remount,rw …), then run this again";
const INIT: &str = "init --domain foo.com --users alice,bob --password-stdin";
const PASSWORDS: &str = "alice's password\nbob's password\n";

/// A small file system of its own at `d` in a place, until dropped.
struct Disk<'a> {
    place: &'a Place,
}

impl<'a> Disk<'a> {
    fn in_place(place: &'a Place) -> Self {
        fs::create_dir(place.path("d")).unwrap();
        let disk = Self { place };
        disk.mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
        disk
    }

    fn mount(&self, how: &[&str]) {
        let mut mount = Command::new("mount");
        let status = mount.args(how).arg(self.place.path("d")).status().unwrap();
        assert!(status.success(), "mount {how:?}");
    }

    /// Leaves no room for another block.
    fn fill(&self) {
        let mut file = fs::File::create(self.place.path("d/filling")).unwrap();
        while file.write(&[b'x'; 4096]).is_ok_and(|written| written > 0) {}
    }

    fn make_room(&self) {
        fs::remove_file(self.place.path("d/filling")).unwrap();
    }

    fn only_to_read(&self) {
        self.mount(&["-o", "remount,ro"]);
    }

    fn to_write_again(&self) {
        self.mount(&["-o", "remount,rw"]);
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let mut umount = Command::new("umount");
        let _ = umount.arg("-l").arg(self.place.path("d")).status();
    }
}

fn dtaas(place: &Place, line: &str, input: &str) -> Ran {
    let mut arguments = vec!["-C", "d"];
    arguments.extend(line.split(' '));
    place.with_input(&arguments, input)
}

fn deployment(place: &Place) {
    let ran = dtaas(place, INIT, PASSWORDS);
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// Nothing that was written by half: no file of ours beside the file that it was to become.
fn nothing_beside(place: &Place) {
    let left: Vec<String> = place.tree("d").into_keys().collect();
    assert!(
        !left.iter().any(|path| path.contains("dtaas-new")),
        "{left:?}"
    );
}

/// Commands that write, with their input, and the first file that each cannot write.
const WRITING: [(&str, &str, &str); 3] = [
    ("render", "", "config/gateway/static/traefik.yml"),
    (
        "user add carl --password-stdin",
        "carl's password\n",
        "auth/carl",
    ),
    (
        "user passwd bob --password-stdin",
        "bob's other password\n",
        "auth/bob",
    ),
];

#[test]
fn on_a_full_disk_nothing_is_changed_and_the_same_command_works_when_there_is_room() {
    if !is_root("on_a_full_disk_nothing_is_changed") {
        return;
    }
    let place = Place::new();
    let disk = Disk::in_place(&place);
    deployment(&place);
    let spec = place.read("d/dtaas.yaml");
    place.write("d/dtaas.yaml", &spec.replace("INFO", "DEBUG"));
    for (line, input, file) in WRITING {
        disk.fill();
        let before = place.tree("d");

        let ran = dtaas(&place, line, input);

        let error = format!("cannot write DIR/d/{file}: No space left on device (os error 28)");
        assert_eq!(ran, failed(1, &error, ROOM), "{line}");
        assert_eq!(without_lock(&place), without(&before, ".lock"), "{line}");
        disk.make_room();
        assert_eq!(dtaas(&place, line, input).code, 0, "{line}");
        nothing_beside(&place);
    }
    assert!(
        place
            .read("d/config/gateway/static/traefik.yml")
            .contains("DEBUG")
    );

    // What makes room goes on.
    disk.fill();
    let ran = dtaas(&place, "user remove carl --yes", "");
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn init_on_a_disk_that_fills_up_is_repeated_when_there_is_room() {
    if !is_root("init_on_a_disk_that_fills_up") {
        return;
    }
    let place = Place::new();
    let disk = Disk::in_place(&place);
    // So many blocks of 4096 bytes are left: it ends at another file each time.
    let mut failed = 0;
    for blocks in 0u16.. {
        disk.fill();
        let file = fs::OpenOptions::new()
            .write(true)
            .open(place.path("d/filling"))
            .unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length - u64::from(blocks) * 4096).unwrap();

        let ran = dtaas(&place, INIT, PASSWORDS);

        if ran.code == 0 {
            break;
        }
        failed += 1;
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{blocks}: {ran:?}");
        let lines: Vec<&str> = ran.talk.lines().collect();
        assert!(
            lines[0].starts_with("error: cannot ")
                && lines[0].ends_with(": No space left on device (os error 28)"),
            "{blocks}: {}",
            ran.talk
        );
        assert_eq!(lines[1..], [format!("hint: {ROOM}")], "{blocks}");
        nothing_beside(&place);
        let half: Vec<String> = place
            .tree("d")
            .into_iter()
            .filter(|(path, (_, bytes))| {
                !path.ends_with('/') && path != ".lock" && bytes.is_empty()
            })
            .map(|(path, _)| path)
            .collect();
        assert!(half.is_empty(), "{blocks}: {half:?}");
        assert!(!place.path("d/dtaas.yaml").exists(), "{blocks}");
        disk.make_room();
    }
    assert!(failed >= 4, "{failed}");
    assert_eq!(
        dtaas(&place, "render --check", "").code,
        0,
        "all of it is there"
    );
}

#[test]
fn where_nothing_can_be_written_that_is_said_and_reading_goes_on() {
    if !is_root("where_nothing_can_be_written") {
        return;
    }
    let place = Place::new();
    let disk = Disk::in_place(&place);
    deployment(&place);
    let before = place.tree("d");
    disk.only_to_read();

    for (line, input, _) in WRITING {
        let error = "cannot lock the deployment in d: cannot open the lock DIR/d/.lock: Read-only file system (os error 30)";
        assert_eq!(
            dtaas(&place, line, input),
            failed(1, error, READ_ONLY),
            "{line}"
        );
    }
    let elsewhere = place.run(&[
        "-C", "d/e", "init", "--domain", "foo.com", "--users", "alice",
    ]);
    assert_eq!(
        elsewhere,
        failed(
            1,
            "cannot make directory d/e: Read-only file system (os error 30)",
            READ_ONLY
        )
    );
    for line in ["user list", "user list --json", "render --check"] {
        assert_eq!(dtaas(&place, line, "").code, 0, "{line}");
    }

    disk.to_write_again();
    assert_eq!(place.tree("d"), before);
    for (line, input, _) in WRITING {
        assert_eq!(dtaas(&place, line, input).code, 0, "{line}");
    }
}

type Tree = std::collections::BTreeMap<String, (u32, Vec<u8>)>;

fn without(tree: &Tree, left_out: &str) -> Tree {
    let mut tree = tree.clone();
    tree.remove(left_out);
    tree
}

fn without_lock(place: &Place) -> Tree {
    without(&place.tree("d"), ".lock")
}
