//! What must not be seen or changed by alice, and how it is noticed if it was.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::PathBuf;

use zip::ZipArchive;

use super::fixture::{HIDDEN, Library};

/// Puts more of what must stay hidden into bob's folder, under names that no test asks for: an error may say again what
/// was asked for.
pub fn plant(library: &Library) {
    library.make_directory("bob/unasked-folder");
    library.write("bob/unasked-file.txt", HIDDEN);
    std::fs::create_dir(library.root().with_file_name("away")).unwrap();
}

/// Fails when an answer holds what must stay hidden, or a name of it. A zip is looked into.
pub fn judge(answer: &[u8], what: &dyn std::fmt::Debug) {
    let inside = unpacked(answer).unwrap_or_default();
    for bytes in [answer, &inside] {
        for trace in [HIDDEN, "unasked-", "root:x:0", "/tmp/"] {
            let mut windows = bytes.windows(trace.len());
            let found = windows.any(|window| window == trace.as_bytes());
            let text = String::from_utf8_lossy(bytes);
            assert!(!found, "{trace:?} is in the answer to {what:?}: {text}");
        }
    }
}

/// Names and contents of a zip, one after the other.
fn unpacked(answer: &[u8]) -> Option<Vec<u8>> {
    let begin = answer.windows(4).position(|four| four == b"PK\x03\x04")?;
    let mut archive = ZipArchive::new(Cursor::new(&answer[begin..])).ok()?;
    let mut all = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).ok()?;
        all.extend_from_slice(entry.name_raw());
        // What broke off counts as far as it came.
        let _ = entry.read_to_end(&mut all);
    }
    Some(all)
}

/// Everything beside alice's folder and the shared one, with its contents; of a link, its target.
pub fn of_others(library: &Library) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let place = library.root().parent().unwrap().to_owned();
    let skipped = [
        library.path("alice"),
        library.path("common"),
        place.join("away"),
    ];
    let mut todo = vec![place];
    while let Some(directory) = todo.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if skipped.contains(&path) {
                continue;
            }
            let contents = if path.is_symlink() {
                let target = std::fs::read_link(&path).unwrap();
                target.into_os_string().into_encoded_bytes()
            } else if path.is_dir() {
                todo.push(path.clone());
                Vec::new()
            } else {
                std::fs::read(&path).unwrap()
            };
            found.insert(path, contents);
        }
    }
    found
}
