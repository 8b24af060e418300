//! A trial with a place of its own for what is temporary.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::auth::fixture::basic;
use crate::rig::binary;

/// Nothing that is waited for takes longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// `dtaas trial` with nothing in its environment but where temporary files go.
pub fn trial(temporary: &Path) -> Command {
    let mut command = Command::new(binary());
    command.arg("trial").env_clear().env("TMPDIR", temporary);
    command
}

/// The names in a directory, sorted.
pub fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A running trial; it ends with the test.
pub struct Trial {
    child: Child,
    /// Where it is, with the final slash.
    pub url: String,
    /// What it said until it was ready.
    pub said: Vec<String>,
    /// User and password, as they stood on standard output.
    pub passwords: Vec<(String, String)>,
    later: Receiver<String>,
}

impl Trial {
    /// Starts it and waits until it says that it is ready. `passwords` go to its standard input.
    pub fn start(mut command: Command, passwords: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(passwords.as_bytes()).unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, later) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut said = Vec::new();
        let url = loop {
            match later.recv_timeout(PATIENCE) {
                Ok(line) => match line.strip_prefix("trial: ready at ") {
                    Some(url) => break url.to_owned(),
                    None => said.push(line),
                },
                Err(_) => panic!("the trial did not start: {said:?}"),
            }
        };
        // Everything that it has to say there was said before.
        let mut stdout = child.stdout.take().unwrap();
        let mut shown = vec![0; 64 * 1024];
        rustix::io::ioctl_fionbio(&stdout, true).unwrap();
        let length = stdout.read(&mut shown).unwrap_or(0);
        let shown = String::from_utf8(shown[..length].to_vec()).unwrap();
        let passwords = shown
            .lines()
            .skip(1)
            .map(|line| line.split_once(' ').unwrap())
            .map(|(user, password)| (user.to_owned(), password.trim_start().to_owned()))
            .collect();
        Self {
            child,
            url,
            said,
            passwords,
            later,
        }
    }

    /// The sample on a free port.
    pub fn of_the_sample(temporary: &Path) -> Self {
        let mut command = trial(temporary);
        command.args(["--port", "0"]);
        Self::start(command, "")
    }

    /// alice's own, with `alices-password`, at a port of its choosing.
    pub fn of_alice(temporary: &Path, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        let mut command = trial(temporary);
        command.args(["--port", "0", "--users", "alice", "--password-stdin"]);
        command.args(arguments);
        Self::start(command, "alices-password\n")
    }

    /// The `Authorization` of a user whose password was shown.
    pub fn key_of(&self, user: &str) -> String {
        let known = self.passwords.iter().find(|(name, _)| name == user);
        let (_, password) = known.unwrap_or_else(|| panic!("no password of {user} was shown"));
        basic(user, password)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// What it said after it was ready, once it has ended.
    pub fn rest(&self) -> Vec<String> {
        self.later.iter().collect()
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
