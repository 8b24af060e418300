//! A small library with traps of every kind, a server over it in this process, and how it is seen that something got
//! out.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

/// What stands in everything that alice must not see.
pub const HIDDEN: &str = "this-must-stay-hidden";

/// A library on disk.
pub struct Planted {
    directory: TempDir,
}

impl Default for Planted {
    fn default() -> Self {
        Self::new()
    }
}

impl Planted {
    /// Alice, bob and the shared folder, and links from alice's to everything that is not hers.
    pub fn new() -> Self {
        // In memory where there is some: it is made anew many times.
        let place = ["/dev/shm", "/tmp"]
            .into_iter()
            .find(|place| Path::new(place).is_dir());
        let directory = tempfile::tempdir_in(place.unwrap()).unwrap();
        let planted = Self { directory };
        fs::write(planted.beside("unasked-outside.txt"), HIDDEN).unwrap();
        planted.make();
        planted
    }

    /// The directory that is the library.
    pub fn root(&self) -> PathBuf {
        self.beside("files")
    }

    /// Something beside it.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    fn make(&self) {
        for folder in [
            "alice/a/b",
            "alice/common",
            "bob/unasked-folder",
            "common/a",
            "common/b",
        ] {
            fs::create_dir_all(self.at(folder)).unwrap();
        }
        for (file, text) in [
            (
                "alice/a/f",
                "alice's own text: long enough for more than one range of its bytes",
            ),
            ("alice/README.md", "# alice"),
            ("alice/a/b/caf\u{e9}", "\u{e9}"),
            ("common/f", "common"),
            ("bob/f", HIDDEN),
            ("bob/unasked-folder/f", HIDDEN),
            ("unasked-top", HIDDEN),
        ] {
            fs::write(self.at(file), text).unwrap();
        }
        for (link, target) in [
            ("alice/in", "a/f"),
            ("alice/d", "a"),
            ("alice/a/up", ".."),
            ("alice/a/upup", "../.."),
            ("alice/out", "../../unasked-outside.txt"),
            ("alice/bobs", "../bob"),
            ("alice/bobf", "../bob/f"),
            ("alice/through", "a/../../bob/f"),
            ("alice/loop", "loop"),
            ("alice/root", "/"),
            ("alice/proc", "/proc/self/root"),
            ("alice/cwd", "/proc/self/cwd"),
            ("common/bobs", "../bob"),
            ("common/alices", "../alice"),
            ("carol", "bob"),
        ] {
            symlink(target, self.at(link)).unwrap();
        }
        symlink(self.at("bob/f"), self.at("alice/absolute")).unwrap();
        symlink(self.root(), self.at("alice/whole")).unwrap();
        mknodat(
            CWD,
            self.at("alice/fifo"),
            FileType::Fifo,
            Mode::from_raw_mode(0o644),
            0,
        )
        .unwrap();
        drop(UnixListener::bind(self.at("alice/socket")).unwrap());
    }

    /// Makes alice's and the shared folder anew, where something may have changed them.
    pub fn again(&self) {
        fs::remove_dir_all(self.root()).unwrap();
        self.make();
    }

    /// Everything that alice must not change, with its contents; a link with its target.
    pub fn others(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut todo = vec![self.directory.path().to_owned()];
        while let Some(directory) = todo.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path == self.at("alice") || path == self.at("common") {
                    continue;
                }
                let contents = if path.is_symlink() {
                    fs::read_link(&path)
                        .unwrap()
                        .into_os_string()
                        .into_encoded_bytes()
                } else if path.is_dir() {
                    todo.push(path.clone());
                    Vec::new()
                } else {
                    fs::read(&path).unwrap()
                };
                found.insert(path, contents);
            }
        }
        found
    }
}

/// Fails when these bytes hold what must stay hidden, or a name of it. What was asked for comes back in an answer's words, and a fuzzer
/// soon asks for the very words that it is caught by: those say nothing.
pub fn judge(bytes: &[u8], what: &dyn std::fmt::Debug) {
    let traces = [HIDDEN, "unasked-", "root:x:0", "/dev/shm/"];
    let whole = format!("{what:?}");
    // What an answer's words leave out.
    let joined = ["\\r", "\\n", "\\t"]
        .iter()
        .fold(whole.clone(), |text, escape| text.replace(escape, ""));
    let is_asked = |trace: &&str| whole.contains(trace) || joined.contains(trace);
    for trace in traces.into_iter().filter(|trace| !is_asked(trace)) {
        let found = bytes
            .windows(trace.len())
            .any(|window| window == trace.as_bytes());
        assert!(
            !found,
            "{trace:?} in {:?} for {what:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}
