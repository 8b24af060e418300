//! Running a program to its end: its lines are told as they come, and Ctrl-C reaches it once and gently.

use std::collections::VecDeque;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use rustix::process::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::error::{Exit, Failure};
use crate::signals::Follower;
use crate::ui::printable::printable;

/// How a long command is watched.
pub struct Watch<'a> {
    /// Is told each line that it says, safe to show.
    pub line: &'a dyn Fn(&str),
    /// Turns true when the run is to end: the command is interrupted then, as by Ctrl-C, and waited for.
    pub interrupted: watch::Receiver<bool>,
}

impl Watch<'_> {
    /// Fails when the run is to end.
    pub(super) fn goes_on(&self) -> anyhow::Result<()> {
        match *self.interrupted.borrow() {
            true => Err(interrupted().into()),
            false => Ok(()),
        }
    }

    async fn comes(&self) {
        let mut wanted = self.interrupted.clone();
        if wanted.wait_for(|wanted| *wanted).await.is_err() {
            // Nobody can interrupt any more.
            std::future::pending::<()>().await;
        }
    }
}

/// What a run ends with that was interrupted.
pub(super) fn interrupted() -> Failure {
    Failure::new("interrupted")
        .hint("run the same command again to do the rest")
        .exit(Exit::Interrupted)
}

/// How many lines are kept for the error.
const KEPT: usize = 12;

/// How long what a program wrote is read for after it has ended: something that it left behind may hold the pipe.
const TO_DRAIN: Duration = Duration::from_secs(1);

/// How a program ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// Its last lines: of standard error, where it said something there.
    pub(super) last: Vec<String>,
}

/// Runs a program to its end, in a group of processes of its own.
///
/// # Errors
/// When it cannot be started, and with [`Exit::Interrupted`] when it was interrupted and did not succeed nevertheless.
pub(super) async fn follow(command: &mut Command, watch: &Watch<'_>) -> anyhow::Result<Ended> {
    watch.goes_on()?;
    let (mut child, follower) = start(command.stdin(Stdio::null()))?;
    let mut out = Lines::of(child.stdout.take());
    let mut err = Lines::of(child.stderr.take());
    let (mut said, mut complained) = (VecDeque::new(), VecDeque::new());
    let mut told = false;
    let mut status = None;
    let overdue = async |ended: bool| match ended {
        true => tokio::time::sleep(TO_DRAIN).await,
        false => std::future::pending().await,
    };
    while status.is_none() || !out.ended || !err.ended {
        tokio::select! {
            line = out.next(), if !out.ended => keep(&mut said, line, watch),
            line = err.next(), if !err.ended => keep(&mut complained, line, watch),
            ended = child.wait(), if status.is_none() => status = Some(ended?),
            () = watch.comes(), if !told => {
                told = true;
                follower.interrupt();
            }
            () = overdue(status.is_some()) => break,
        }
    }
    let status = match status {
        Some(status) => status,
        None => child.wait().await?,
    };
    follower.has_ended();
    if told && !status.success() {
        return Err(interrupted().into());
    }
    let last = match complained.is_empty() {
        true => said,
        false => complained,
    };
    Ok(Ended {
        status,
        last: last.into(),
    })
}

/// What a program gave, as it ended.
pub(super) struct Answer {
    pub(super) status: ExitStatus,
    pub(super) out: String,
    pub(super) err: String,
}

/// Asks a program something, with `input` on its standard input. Ctrl-C ends it with us: it changes nothing.
pub(super) async fn ask(command: &mut Command, input: Option<&str>) -> anyhow::Result<Answer> {
    command.stdin(match input {
        Some(_) => Stdio::piped(),
        None => Stdio::null(),
    });
    let (mut child, follower) = start(command)?;
    let pipe = child.stdin.take();
    let feed = async {
        if let (Some(mut pipe), Some(input)) = (pipe, input) {
            // A program that ends early says why by itself.
            let _ = pipe.write_all(input.as_bytes()).await;
        }
    };
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    let output = output?;
    follower.has_ended();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Answer {
        status: output.status,
        out: text(&output.stdout),
        err: text(&output.stderr),
    })
}

fn start(command: &mut Command) -> anyhow::Result<(Child, Follower)> {
    let child = command
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| {
            let program = command.as_std().get_program().to_string_lossy();
            Failure::new(format!("cannot run {program}"))
        })?;
    let leader = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw)
        .context("a program without a number")?;
    Ok((child, Follower::led_by(leader)))
}

fn keep(lines: &mut VecDeque<String>, line: Option<String>, watch: &Watch<'_>) {
    let Some(line) = line.filter(|line| !line.trim().is_empty()) else {
        return;
    };
    (watch.line)(&line);
    if lines.len() == KEPT {
        lines.pop_front();
    }
    lines.push_back(line);
}

/// Lines as they come. A carriage return ends one too: progress is written over itself.
struct Lines<R> {
    pipe: Option<R>,
    pending: Vec<u8>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn of(pipe: Option<R>) -> Self {
        Self {
            pipe,
            pending: Vec::new(),
            ended: false,
        }
    }

    /// The next line, safe to show; `None` at the end. May be dropped while it waits: nothing is lost.
    async fn next(&mut self) -> Option<String> {
        loop {
            let end = self.pending.iter().position(|b| matches!(b, b'\n' | b'\r'));
            if let Some(end) = end {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Some(shown(&line[..end]));
            }
            let read = match &mut self.pipe {
                Some(pipe) => pipe.read_buf(&mut self.pending).await.unwrap_or_default(),
                None => 0,
            };
            if read == 0 {
                self.ended = true;
                let rest = std::mem::take(&mut self.pending);
                return (!rest.is_empty()).then(|| shown(&rest));
            }
        }
    }
}

fn shown(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    printable(&console::strip_ansi_codes(&line)).into_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn lines_are_told_as_they_come_and_the_last_are_kept() {
        let told = Mutex::new(Vec::new());
        let line = |line: &str| told.lock().unwrap().push(line.to_owned());
        let (_sender, interrupted) = watch::channel(false);
        let watch = Watch {
            line: &line,
            interrupted,
        };
        let script = "printf '==> dtaas: Importing\\nProgress: 10%%\\rProgress: 90%%\\n\\n'; \
                      printf '\\033[1mbold\\033[0m'; seq 20 >&2; exit 3";
        let ended = follow(&mut sh(script), &watch).await.unwrap();

        assert_eq!(ended.status.code(), Some(3));
        let last: Vec<String> = (9..=20).map(|n| n.to_string()).collect();
        assert_eq!(ended.last, last);
        let mut told = told.into_inner().unwrap();
        told.retain(|line| line.parse::<u32>().is_err());
        assert_eq!(
            told,
            [
                "==> dtaas: Importing",
                "Progress: 10%",
                "Progress: 90%",
                "bold"
            ]
        );
    }

    #[tokio::test]
    async fn an_interruption_reaches_it_and_it_ends_as_it_likes() {
        let (sender, interrupted) = watch::channel(false);
        let line = |line: &str| {
            if line == "ready" {
                sender.send_replace(true);
            }
        };
        let watch = Watch {
            line: &line,
            interrupted,
        };
        let place = tempfile::tempdir().unwrap();
        let left = place.path().join("cleaned");
        let script = format!(
            "trap 'touch {}; exit 1' INT; echo ready; while :; do sleep 0.05; done",
            left.display()
        );
        let error = follow(&mut sh(&script), &watch).await.err().unwrap();
        assert_eq!(error.to_string(), "interrupted");
        assert!(left.exists());

        // What was not begun is not begun any more.
        let error = follow(&mut sh("true"), &watch).await.err().unwrap();
        assert_eq!(error.to_string(), "interrupted");
    }

    #[tokio::test]
    async fn what_it_leaves_behind_is_not_waited_for() {
        let (_sender, interrupted) = watch::channel(false);
        let watch = Watch {
            line: &|_| {},
            interrupted,
        };
        let began = Instant::now();
        let ended = follow(&mut sh("sleep 20 & echo $!"), &watch).await.unwrap();
        assert!(ended.status.success());
        assert!(began.elapsed() < Duration::from_secs(15));
        let _ = std::process::Command::new("kill")
            .arg(&ended.last[0])
            .status();
    }

    #[tokio::test]
    async fn it_ends_with_us_and_all_that_it_started() {
        let place = tempfile::tempdir().unwrap();
        let mark = place.path().join("id");
        let script = format!("sleep 60 & echo $! >{}; wait", mark.display());
        let mut command = sh(&script);
        let asking = ask(&mut command, None);
        let begun = async {
            while !std::fs::read_to_string(&mark).is_ok_and(|id| id.ends_with('\n')) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = asking => panic!("it ended by itself"),
            () = begun => {}
        }
        let id = std::fs::read_to_string(&mark).unwrap();
        let gone = |status: String| {
            !status.contains("State:")
                || status.contains("State:\tZ")
                || status.contains("State:\tX")
        };
        let status = || std::fs::read_to_string(format!("/proc/{}/status", id.trim()));
        let deadline = Instant::now() + Duration::from_secs(10);
        while !gone(status().unwrap_or_default()) {
            assert!(Instant::now() < deadline, "process {id} goes on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
