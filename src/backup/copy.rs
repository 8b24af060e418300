//! Trees that are copied or given away by the system's own programs, which know every kind of file.

use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context;

use super::kept;
use crate::error::Failure;
use crate::machine::below;

/// Copies a tree with owners, modes and times; where the file system can, without taking room for it twice. The directory above the new place
/// must exist.
pub(super) async fn tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    run(
        "cp",
        &[
            "-a".as_ref(),
            "--reflink=auto".as_ref(),
            "--".as_ref(),
            from.as_os_str(),
            to.as_os_str(),
        ],
    )
    .await
}

/// Moves a tree, also to another file system.
pub(super) async fn moved(from: &Path, to: &Path) -> anyhow::Result<()> {
    run(
        "mv",
        &[
            "-T".as_ref(),
            "--".as_ref(),
            from.as_os_str(),
            to.as_os_str(),
        ],
    )
    .await
}

/// Gives a tree to who has the other one.
pub(super) async fn given_like(like: &Path, tree: &Path) -> anyhow::Result<()> {
    let mut reference = std::ffi::OsString::from("--reference=");
    reference.push(like);
    run(
        "chown",
        &[
            "-R".as_ref(),
            "-h".as_ref(),
            &reference,
            "--".as_ref(),
            tree.as_os_str(),
        ],
    )
    .await
}

async fn run(program: &str, arguments: &[&OsStr]) -> anyhow::Result<()> {
    let mut command = kept::command(program);
    command.args(arguments).env("LC_ALL", "C");
    let output = kept::output(&mut command)
        .await
        .with_context(|| format!("cannot run {program}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it said nothing").to_owned();
    let hint = match said.contains("No space left on device") {
        true => "make room on that disk (df -h), then run this again",
        false => "mend that, then run this again",
    };
    Err(Failure::new(format!("{program} failed: {said}"))
        .hint(hint)
        .into())
}

/// How many bytes the files of a tree have.
pub(super) fn size(root: &Path) -> u64 {
    let mut sum = 0;
    below::each(root, |_, found| {
        if !found.is_dir() {
            sum += found.len();
        }
        ControlFlow::Continue(())
    });
    sum
}
