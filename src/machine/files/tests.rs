use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

fn tree() -> (tempfile::TempDir, Tree) {
    let root = tempfile::tempdir().unwrap();
    let tree = Tree::open(root.path()).unwrap();
    (root, tree)
}

fn directory(path: &str, mode: u32, enforce: bool) -> Directory {
    Directory {
        path: path.into(),
        mode,
        owner: None,
        enforce,
        yielding: false,
        user: None,
    }
}

fn names(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_written_only_where_it_differs() {
    let (root, tree) = tree();
    let path = Path::new("lib.env");
    assert_eq!(tree.write(path, 0o640, b"a").unwrap(), Written::Created);
    assert_eq!(tree.write(path, 0o640, b"a").unwrap(), Written::Unchanged);
    assert_eq!(tree.write(path, 0o640, b"b").unwrap(), Written::Changed);
    assert_eq!(tree.write(path, 0o600, b"b").unwrap(), Written::Changed);
    assert_eq!(tree.read(path).unwrap().unwrap(), b"b");
    let stat = tree.stat(path).unwrap().unwrap();
    assert_eq!((stat.kind, stat.mode), (Kind::File, 0o600));
    assert_eq!(names(root.path()), ["lib.env"]);
}

#[test]
fn what_a_killed_run_left_is_cleared_away_by_the_next_write() {
    let (root, tree) = tree();
    std::fs::write(root.path().join(".a.dtaas-new"), "half").unwrap();
    tree.write(Path::new("a"), 0o600, b"whole").unwrap();
    assert_eq!(names(root.path()), ["a"]);
}

#[test]
fn links_are_replaced_or_refused_but_never_followed() {
    let (root, tree) = tree();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("passwd"), "kept").unwrap();
    symlink(outside.path(), root.path().join("config")).unwrap();
    symlink(outside.path().join("passwd"), root.path().join("a")).unwrap();

    assert!(tree.write(Path::new("config/passwd"), 0o600, b"x").is_err());
    assert!(tree.read(Path::new("config/passwd")).is_err());
    assert!(tree.read(Path::new("a")).is_err());
    assert!(
        tree.remove(Path::new("config/passwd"))
            .is_ok_and(|removed| !removed)
    );
    assert!(
        tree.list(Path::new("config"))
            .is_ok_and(|names| names.is_empty())
    );
    assert!(tree.write(Path::new("../b"), 0o600, b"x").is_err());
    assert!(tree.write(Path::new("/tmp/b"), 0o600, b"x").is_err());
    tree.write(Path::new("a"), 0o600, b"new").unwrap();

    assert_eq!(
        std::fs::read(outside.path().join("passwd")).unwrap(),
        b"kept"
    );
    assert_eq!(names(outside.path()), ["passwd"]);
}

#[test]
fn a_directory_gets_its_mode_once_unless_that_is_enforced() {
    let (root, tree) = tree();
    let mode = |path: &str| {
        std::fs::metadata(root.path().join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    };
    assert_eq!(
        tree.make_dir(&directory("files", 0o775, false)).unwrap(),
        Written::Created
    );
    assert_eq!(mode("files"), 0o775);
    assert_eq!(
        tree.make_dir(&directory("files", 0o700, false)).unwrap(),
        Written::Unchanged
    );
    assert_eq!(mode("files"), 0o775);
    assert_eq!(
        tree.make_dir(&directory("files", 0o700, true)).unwrap(),
        Written::Changed
    );
    assert_eq!(mode("files"), 0o700);
}

#[test]
fn an_enforced_directory_is_given_to_its_owner() {
    if !is_root() {
        eprintln!("SKIPPED: only root gives files away");
        return;
    }
    let (root, tree) = tree();
    std::fs::create_dir(root.path().join("files")).unwrap();
    let directory = Directory {
        owner: Some((1000, 100)),
        ..directory("files", 0o700, true)
    };
    assert_eq!(tree.make_dir(&directory).unwrap(), Written::Changed);
    assert_eq!(tree.make_dir(&directory).unwrap(), Written::Unchanged);
    let stat = tree.stat(Path::new("files")).unwrap().unwrap();
    assert_eq!((stat.owner, stat.mode), ((1000, 100), 0o700));
}

#[test]
fn a_move_does_not_overwrite() {
    let (_root, tree) = tree();
    tree.write(Path::new("a"), 0o600, b"a").unwrap();
    tree.write(Path::new("b"), 0o600, b"b").unwrap();
    assert!(tree.rename(Path::new("a"), Path::new("b")).is_err());
    tree.rename(Path::new("a"), Path::new("c")).unwrap();
    assert_eq!(tree.read(Path::new("c")).unwrap().unwrap(), b"a");
    assert_eq!(tree.read(Path::new("a")).unwrap(), None);
}
