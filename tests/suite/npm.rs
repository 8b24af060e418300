//! Packages from npm that tests need: installed once, from exactly what a lock file in the repository names.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::rig::there_is;

/// A directory with what `tests/<name>` asks for in it, and the files that lie there. `None` where there is no npm; the test says so.
pub fn installed(name: &str, test: &str) -> Option<PathBuf> {
    let npm = which::which("npm").is_ok() && which::which("node").is_ok();
    if !there_is("npm", npm, test) {
        return None;
    }
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&place).unwrap();
    let lock = std::fs::File::create(place.join(".lock")).unwrap();
    lock.lock().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name);
    for entry in std::fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, place.join(path.file_name().unwrap())).unwrap();
        }
    }
    let lockfile = std::fs::read(source.join("package-lock.json")).unwrap();
    if std::fs::read(place.join(".installed")).ok().as_ref() != Some(&lockfile) {
        let _ = std::fs::remove_file(place.join(".installed"));
        succeeded(
            Command::new("npm")
                .args(["ci", "--ignore-scripts"])
                .current_dir(&place)
                .output()
                .unwrap(),
        );
        std::fs::write(place.join(".installed"), lockfile).unwrap();
    }
    Some(place)
}

/// What a command said that went well.
pub fn succeeded(output: Output) -> String {
    let said = String::from_utf8(output.stdout).unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}\n{talk}");
    said
}
