//! Git repositories in memory, as far as GitLab shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A project and what is at the head of its repository.
#[derive(Default)]
pub struct Project {
    /// By path in the repository. Directories are what the paths imply, as in git.
    objects: BTreeMap<String, Object>,
    /// Directories that have been looked at since the last change.
    directories: Mutex<BTreeMap<String, Arc<Vec<Child>>>>,
    /// Whether the token may see the project and not its code.
    pub code_is_hidden: bool,
}

/// What a path of a repository leads to.
#[derive(Clone)]
pub struct Object {
    /// As git writes it.
    pub mode: &'static str,
    pub data: Vec<u8>,
    /// Of a pointer to Git LFS.
    pub lfs: Option<String>,
}

impl Project {
    pub fn write(&mut self, path: &str, data: impl Into<Vec<u8>>) {
        self.put(path, "100644", data);
    }

    pub fn put(&mut self, path: &str, mode: &'static str, data: impl Into<Vec<u8>>) {
        let data = data.into();
        let pointer = data.starts_with(b"version https://git-lfs.github.com/spec/v1\n");
        let object = Object {
            mode,
            lfs: pointer.then(|| "4d7a214614ab2935c943f9e0ff69d22eadbb8f32".to_owned()),
            data,
        };
        self.objects.insert(path.to_owned(), object);
        self.directories.lock().unwrap().clear();
    }

    /// Every file below a directory of the disk, read as `git add` would.
    pub fn import(&mut self, directory: &Path) {
        let mut open = vec![directory.to_owned()];
        while let Some(next) = open.pop() {
            for entry in std::fs::read_dir(&next).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.path());
                    continue;
                }
                let path = entry.path();
                let inside = path.strip_prefix(directory).unwrap().to_str().unwrap();
                self.write(inside, std::fs::read(&path).unwrap());
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    pub fn object(&self, path: &str) -> Option<&Object> {
        self.objects.get(path)
    }

    pub fn is_directory(&self, path: &str) -> bool {
        let below = below(path);
        self.objects.keys().any(|key| key.starts_with(&below))
    }

    /// What a directory holds, in git's order, which compares a directory as if a slash followed its name. Of a path that is
    /// no directory: nothing.
    pub fn children(&self, path: &str) -> Arc<Vec<Child>> {
        let mut known = self.directories.lock().unwrap();
        let children = known.entry(path.to_owned());
        children
            .or_insert_with(|| Arc::new(self.find(path)))
            .clone()
    }

    fn find(&self, path: &str) -> Vec<Child> {
        let below = below(path);
        let mut found = BTreeSet::new();
        for (key, object) in self.objects.range(below.clone()..) {
            let Some(rest) = key.strip_prefix(&below) else {
                break;
            };
            match rest.split_once('/') {
                Some((name, _)) => found.insert((format!("{name}/"), "40000")),
                None => found.insert((rest.to_owned(), object.mode)),
            };
        }
        let child = |(key, mode): (String, &'static str)| Child {
            path: format!("{below}{}", key.trim_end_matches('/')),
            mode,
        };
        found.into_iter().map(child).collect()
    }
}

fn below(path: &str) -> String {
    match path {
        "" => String::new(),
        path => format!("{path}/"),
    }
}

/// An entry of a directory.
#[derive(Clone)]
pub struct Child {
    pub path: String,
    pub mode: &'static str,
}

impl Child {
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }
}
