//! Directories and files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::machine::diff::Scope;
use crate::machine::difference;
use crate::machine::observed::{Kind, Observed, PathState};
use crate::machine::plan::{Plan, Refusal};
use crate::machine::step::{FileChange, Step};
use crate::platform::desired::{Content, Desired, Directory, File, sha256};

pub(super) fn diff(desired: &Desired, observed: &Observed, scope: &Scope, plan: &mut Plan) {
    for directory in &desired.directories {
        if scope.covers_path(directory.user.as_ref()) {
            diff_directory(directory, observed.paths.get(&directory.path), plan);
        }
    }
    for file in &desired.files {
        if scope.covers_path(file.user.as_ref()) {
            diff_file(file, observed.paths.get(&file.path), plan);
        }
    }
    for path in &desired.absent {
        if observed
            .paths
            .get(path)
            .is_some_and(|state| state.kind != Kind::Directory)
        {
            plan.steps.push(Step::RemoveFile { path: path.clone() });
        }
    }
    for aside in &desired.aside {
        if observed.paths.contains_key(&aside.from) {
            plan.steps.push(Step::SetAside {
                from: aside.from.clone(),
                to: aside.to.clone(),
                user: aside.user.to_string(),
            });
        }
    }
    if *scope == Scope::All {
        leftovers(desired, observed, plan);
    }
}

fn diff_directory(directory: &Directory, state: Option<&PathState>, plan: &mut Plan) {
    let path = directory.path.clone();
    match state {
        None => plan.steps.push(Step::MakeDirectory {
            path,
            mode: directory.mode,
        }),
        Some(state) if state.kind != Kind::Directory && directory.yielding => {
            plan.notes.push(format!(
                "{} is {}, where a directory is expected; it is left as it is",
                path.display(),
                state.kind
            ));
        }
        Some(state) if state.kind != Kind::Directory => plan.refused.push(Refusal {
            message: format!("{} is in the way: it is no directory", path.display()),
            hint: format!("move {} away, then run this again", path.display()),
        }),
        Some(PathState {
            owner: Some(from), ..
        }) if directory.enforce && directory.owner.is_some_and(|to| to != *from) => {
            let to = directory.owner.unwrap_or(*from);
            plan.steps.push(Step::SetOwner {
                path,
                from: *from,
                to,
            });
        }
        Some(state) if directory.enforce && state.mode != directory.mode => {
            plan.steps.push(Step::SetMode {
                path,
                from: state.mode,
                to: directory.mode,
            });
        }
        Some(_) => {}
    }
}

fn diff_file(file: &File, state: Option<&PathState>, plan: &mut Plan) {
    if let Some(name) = &file.reloads {
        let same = state.is_some_and(|state| {
            state.digest.as_deref() == Some(sha256(file.content.expose()).as_str())
        });
        if !same {
            plan.steps.push(Step::Reload {
                name: name.clone(),
                path: file.path.clone(),
            });
        }
        return;
    }
    let Some(state) = state else {
        return plan.steps.push(Step::WriteFile {
            path: file.path.clone(),
            change: FileChange::New,
        });
    };
    let change = match state.kind {
        Kind::Directory => {
            return plan.refused.push(Refusal {
                message: format!("{} is in the way: it is a directory", file.path.display()),
                hint: format!("move {} away, then run this again", file.path.display()),
            });
        }
        Kind::Link | Kind::Other => FileChange::Kind(state.kind),
        Kind::File if file.kept => return,
        Kind::File => {
            let same = state.digest.as_deref() == Some(sha256(file.content.expose()).as_str());
            match (&file.content, &state.text) {
                _ if same && owner_differs(file, state) => FileChange::Owner,
                _ if same && state.mode == file.mode => return,
                _ if same => FileChange::Mode {
                    from: state.mode,
                    to: file.mode,
                },
                (Content::Secret(_), _) | (Content::Plain(_), None) => FileChange::Secret,
                (Content::Plain(text), Some(had)) => {
                    FileChange::Content(difference::lines(had, text))
                }
            }
        }
    };
    plan.steps.push(Step::WriteFile {
        path: file.path.clone(),
        change,
    });
}

/// Only where it was looked at: who is not root cannot change it.
fn owner_differs(file: &File, state: &PathState) -> bool {
    matches!((file.owner, state.owner), (Some(wanted), Some(has)) if wanted != has)
}

/// What lies in owned directories and is not desired goes.
fn leftovers(desired: &Desired, observed: &Observed, plan: &mut Plan) {
    let wanted: BTreeSet<&Path> = desired
        .files
        .iter()
        .map(|file| file.path.as_path())
        .chain(desired.directories.iter().map(|dir| dir.path.as_path()))
        .collect();
    let owned = |path: &PathBuf| desired.owned.iter().any(|owned| path.starts_with(owned));
    for (path, state) in &observed.paths {
        if state.kind == Kind::Directory || wanted.contains(path.as_path()) || !owned(path) {
            continue;
        }
        plan.steps.push(Step::RemoveFile { path: path.clone() });
    }
}
