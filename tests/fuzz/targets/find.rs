//! Where a path leads, and what is found there: nothing but alice's and what is common.

#![no_main]

use std::io::Read;
use std::sync::LazyLock;

use dtaas::library::contain::{Found, Root};
use dtaas::library::path::{Place, Viewer, resolve};
use dtaas_fuzz::planted::{Planted, judge};
use libfuzzer_sys::fuzz_target;

static PLANTED: LazyLock<(Planted, Root)> = LazyLock::new(|| {
    let planted = Planted::new();
    let root = Root::new(planted.root());
    (planted, root)
});

fuzz_target!(|path: &str| {
    let (_planted, root) = &*PLANTED;
    let name = "alice".parse().unwrap();
    let viewer = Viewer::User {
        name,
        publisher: false,
    };
    let Ok(Place::Inside(place)) = resolve(&viewer, path) else {
        return;
    };
    assert!(
        matches!(place.scope.as_str(), "alice" | "common"),
        "{place:?}"
    );
    for segment in &place.rest {
        assert!(!matches!(segment.as_str(), "" | "." | ".."), "{place:?}");
        assert!(!segment.contains(['/', '\0']), "{place:?}");
    }
    match root.find(&place) {
        Ok(Found::File(mut file, _)) => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            judge(&bytes, &path);
        }
        Ok(Found::Directory(directory)) => {
            for entry in rustix::fs::Dir::read_from(&directory).unwrap() {
                judge(entry.unwrap().file_name().to_bytes(), &path);
            }
        }
        Ok(Found::Other) | Err(_) => {}
    }
});
