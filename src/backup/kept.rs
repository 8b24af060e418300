//! Programs that end when we do, however that is: one that went on would write into what the next run writes.

use std::ffi::OsStr;
use std::io;
use std::process::{Output, Stdio};

use tokio::process::Command;

/// A program under the eyes of a process of ours; arguments and environment are to be added.
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(["keep", "--at-once", "--"]).arg(program);
    command
}

/// Runs it to its end. Dropped before, it is ended.
pub(super) async fn output(command: &mut Command) -> io::Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // Its end is the sign; waiting would close it.
    let sign = child.stdin.take();
    let output = child.wait_with_output().await;
    drop(sign);
    output
}
