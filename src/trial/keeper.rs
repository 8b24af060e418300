//! What keeps a JupyterLab from outliving the trial that started it.
//!
//! Kernels and terminals lead sessions of their own, so a process group does not hold them; and a trial that is killed can tell nobody.
//! So a process of ours stands between: it adopts whatever its children leave behind, and once its standard input ends, which it does
//! however the trial ends, it ends all of them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};

use crate::error::Failure;

/// How long the program may take to end when it is asked to.
const ASKED: Duration = Duration::from_secs(2);

/// Runs a program until it ends or standard input does, then ends whatever it has started. Answers with its exit code, where it ended by
/// itself. `patient` is whether it is asked to end before it is killed.
///
/// # Errors
/// When the program cannot be started.
pub fn keep(
    program: &OsString,
    arguments: &[OsString],
    patient: bool,
) -> anyhow::Result<Option<i32>> {
    set_child_subreaper(Some(getpid()))?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| Failure::new(format!("cannot start {}", program.display())))?;
    let leader = Pid::from_child(&child);
    let (sender, over) = channel();
    let ended = sender.clone();
    thread::spawn(move || {
        let code = child.wait().ok().and_then(|status| status.code());
        // Where nobody listens any more, all of it is over.
        let _ = ended.send(Over::Ended(code));
    });
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = sender.send(Over::Alone);
    });
    let code = match over.recv() {
        Ok(Over::Ended(code)) => code,
        Ok(Over::Alone) | Err(_) => {
            if patient {
                let _ = kill_process(leader, Signal::TERM);
                match over.recv_timeout(ASKED) {
                    Ok(_) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
                }
            }
            None
        }
    };
    end_children();
    Ok(code)
}

/// What ends a program's keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// It ended, with this exit code.
    Ended(Option<i32>),
    /// Whoever started it is gone.
    Alone,
}

/// Kills our children, and theirs, who become ours, until there are none.
fn end_children() {
    loop {
        for child in children() {
            let _ = kill_process(child, Signal::KILL);
        }
        if wait(WaitOptions::empty()).is_err() {
            return;
        }
    }
}

fn children() -> Vec<Pid> {
    let me = getpid();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|process| parent_of(*process) == Some(me))
        .collect()
}

/// Whether a process is another one, or was started by it, or by what it started.
pub fn descends(process: Pid, from: Pid) -> bool {
    let mut line = Some(process);
    while let Some(one) = line {
        if one == from {
            return true;
        }
        line = parent_of(one);
    }
    false
}

fn parent_of(process: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program stands in brackets and may hold anything; state and parent follow.
    let (_, rest) = stat.rsplit_once(") ")?;
    Pid::from_raw(rest.split(' ').nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_parent() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert_eq!(parent_of(Pid::from_child(&child)), Some(getpid()));
        assert!(children().contains(&Pid::from_child(&child)));
        assert!(descends(Pid::from_child(&child), getpid()));
        assert!(!descends(getpid(), Pid::from_child(&child)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
