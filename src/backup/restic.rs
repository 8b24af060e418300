//! The program restic: found, run, and understood.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::kept;
use crate::error::Failure;
use crate::secrets::Secret;
use crate::spec::backup::Repository;

/// The oldest that is known to do what is asked of it.
const OLDEST: (u32, u32) = (0, 14);
/// Where it keeps what it knows of repositories on other machines.
const CACHE: &str = "/var/cache/dtaas/restic";
const INSTALL: &str = "apt-get install restic";

/// What opens a repository.
#[derive(Debug, Clone)]
pub enum Password {
    /// It stands in this file.
    File(PathBuf),
    /// It is this.
    Given(Secret),
}

/// The program, and the repository that it works on.
#[derive(Debug, Clone)]
pub struct Restic {
    program: PathBuf,
    repository: Repository,
    password: Password,
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Said {
    /// Its exit code.
    pub(super) code: Option<i32>,
    /// Standard output.
    pub(super) out: String,
    /// Standard error.
    pub(super) err: String,
}

impl Restic {
    /// Finds the program.
    ///
    /// # Errors
    /// When there is none, or it is too old.
    pub async fn find(repository: Repository, password: Password) -> anyhow::Result<Self> {
        let program = which::which("restic").map_err(|_| {
            Failure::new("restic is not installed, and backups are made with it").hint(INSTALL)
        })?;
        let restic = Self {
            program,
            repository,
            password,
        };
        let said = restic.run(&["version"], None).await?;
        match version(&said.out) {
            Some(version) if version >= OLDEST => Ok(restic),
            Some(_) | None => Err(Failure::new(format!(
                "{} is too old: it says {:?}, and 0.14 is needed",
                restic.program.display(),
                said.out.trim()
            ))
            .hint("install a newer one from the distribution's backports, or from restic.net")
            .into()),
        }
    }

    /// Which repository it works on.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Runs it to its end, in a directory where that matters.
    pub(super) async fn run<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
        directory: Option<&Path>,
    ) -> anyhow::Result<Said> {
        let mut command = kept::command(&self.program);
        command
            .args(arguments)
            .env_remove("RESTIC_PASSWORD")
            .env_remove("RESTIC_PASSWORD_FILE")
            .env_remove("RESTIC_PASSWORD_COMMAND")
            .env_remove("RESTIC_REPOSITORY_FILE")
            .env("RESTIC_REPOSITORY", self.repository.to_string())
            // How far it is is told to nobody.
            .env("RESTIC_PROGRESS_FPS", "0.01")
            .env("LC_ALL", "C.UTF-8");
        match self.repository {
            // What is on this machine is read faster than it is kept twice.
            Repository::Directory(_) => command.arg("--no-cache"),
            Repository::Sftp(_) => command.env("RESTIC_CACHE_DIR", CACHE),
        };
        match &self.password {
            Password::File(path) => command.env("RESTIC_PASSWORD_FILE", path),
            Password::Given(secret) => command.env("RESTIC_PASSWORD", secret.expose()),
        };
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        let output = kept::output(&mut command)
            .await
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        Ok(Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// The same, and it must succeed; `doing` is what an error says was being done.
    pub(super) async fn must<A: AsRef<OsStr>>(
        &self,
        doing: &str,
        arguments: &[A],
    ) -> anyhow::Result<String> {
        let said = self.run(arguments, None).await?;
        match said.code {
            Some(0) => Ok(said.out),
            _ => Err(self.failed(doing, &said)),
        }
    }

    /// Whether it says that there is no repository, or cannot know: it takes any directory with something called `config` for one.
    pub(super) fn is_absent(&self, said: &Said) -> bool {
        let without = |directory: &Path| !directory.join("config").is_file();
        said.err
            .contains("Is there a repository at the following location?")
            || self.repository.directory().is_some_and(without)
    }

    /// What it says when something is wrong, as a failure with what to do.
    pub(super) fn failed(&self, doing: &str, said: &Said) -> anyhow::Error {
        if self.is_absent(said) {
            let place = &self.repository;
            return Failure::new(format!("there is no repository of backups at {place}"))
                .hint("look for a typing error; nothing was changed")
                .into();
        }
        self.went_wrong(doing, said)
    }

    /// The same where it is known whether there is a repository.
    pub(super) fn went_wrong(&self, doing: &str, said: &Said) -> anyhow::Error {
        let place = &self.repository;
        let causes = [
            (
                "no space left on device",
                "make room on that disk (df -h), then run this again",
            ),
            (
                "read-only file system",
                "mount it for writing, then run this again",
            ),
            (
                "permission denied",
                "run this as root, or see who may write there",
            ),
        ];
        let cause = causes.iter().find(|(words, _)| said.err.contains(words));
        if let Some((_, hint)) = cause {
            return Failure::new(format!("{doing} failed: {}", last(&said.err)))
                .hint(*hint)
                .into();
        }
        if said.err.contains("wrong password or no key found") {
            return Failure::new(format!("the password does not open the repository {place}"))
                .hint("it is the one in secrets/backup-password of the deployment that made it; nothing was changed")
                .into();
        }
        if said.err.contains("is already locked") || said.err.contains("unable to create lock") {
            return Failure::new(format!("the repository {place} is in use: {}", last(&said.err)))
                .hint("wait until the other run is done; where none is, `restic unlock` takes its lock away")
                .into();
        }
        Failure::new(format!("{doing} failed: {}", last(&said.err)))
            .hint(format!(
                "try it by itself: RESTIC_PASSWORD_FILE=… restic -r {place} check"
            ))
            .into()
    }
}

/// The line that tells most: the first about a file, else the last that is fatal, else the last.
fn last(text: &str) -> String {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let fatal = lines().rev().find_map(|line| line.strip_prefix("Fatal: "));
    let file = lines().find_map(|line| line.strip_prefix("ignoring error for "));
    let line = file.or(fatal).or_else(|| lines().next_back());
    line.unwrap_or("it said nothing")
        .chars()
        .take(300)
        .collect()
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text
        .strip_prefix("restic ")?
        .split_whitespace()
        .next()?
        .split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// A path as a pattern that means it alone (Go, "path/filepath", on Match).
pub(super) fn pattern(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut bytes = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'*' | b'?' | b'[' | b'\\') {
            bytes.push(b'\\');
        }
        bytes.push(*byte);
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read() {
        let text = "restic 0.14.0 compiled with go1.19.8 on linux/amd64\n";
        assert_eq!(version(text), Some((0, 14)));
        assert_eq!(version("restic 1.2"), Some((1, 2)));
        assert_eq!(version("something else"), None);
    }

    #[test]
    fn what_is_fatal_tells_most() {
        assert_eq!(last("one\nFatal: two\nthree\n"), "two");
        assert_eq!(
            last("ignoring error for /f: file exists\nFatal: There were 1 errors\n"),
            "/f: file exists"
        );
        assert_eq!(last("one\nthree\n"), "three");
        assert_eq!(last("\n"), "it said nothing");
    }

    #[test]
    fn a_pattern_means_one_path() {
        assert_eq!(pattern(Path::new("/a*b/[c]?")), "/a\\*b/\\[c]\\?");
    }
}
