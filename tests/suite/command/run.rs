//! Running the binary, and looking at what it left.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::rig::there_is;

/// The hint when no docker engine is there.
pub const NO_DOCKER: &str =
    "the docker engine is not installed or not running: nothing answers at /nonexistent";

/// A directory to run in, removed when dropped.
pub struct Place {
    directory: tempfile::TempDir,
}

/// What a run said and exited with. Its directory's path stands as `DIR` in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub talk: String,
}

impl Place {
    /// An empty directory.
    pub fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// The directory with a deployment of alice and bob in `d`.
    pub fn with_deployment() -> Self {
        let place = Self::new();
        let ran = place.with_input(
            &[
                "-C",
                "d",
                "init",
                "--domain",
                "foo.com",
                "--users",
                "alice,bob",
                "--password-stdin",
            ],
            "alice's password\nbob's password\n",
        );
        assert_eq!(ran.code, 0, "{ran:?}");
        place
    }

    /// A path in it.
    pub fn path(&self, path: &str) -> PathBuf {
        std::fs::canonicalize(self.directory.path())
            .unwrap()
            .join(path)
    }

    /// Writes a file in it, with the directories above it.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A file's text.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    /// Runs `dtaas` with nothing on standard input and no docker engine.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.with_input(arguments, "")
    }

    /// The same in `d`, from a line of words.
    pub fn in_d(&self, line: &str) -> Ran {
        let mut arguments = vec!["-C", "d"];
        arguments.extend(line.split(' '));
        self.run(&arguments)
    }

    /// The same with something on standard input.
    pub fn with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command();
        command.args(arguments);
        self.finish(command, input)
    }

    /// The binary, to run in this directory, where there is no docker engine.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dtaas"));
        command
            .current_dir(self.path(""))
            .env("DOCKER_HOST", "unix:///nonexistent")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR")
            .env_remove("CLICOLOR_FORCE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn finish(&self, mut command: Command, input: &str) -> Ran {
        let mut child = command.spawn().unwrap();
        // It may end without reading what it is given.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let place = self
            .path("")
            .to_str()
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&place, "DIR");
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            talk: text(output.stderr),
        }
    }

    /// Everything below a path: mode and content by path; a directory's path ends with a slash, its content is empty.
    pub fn tree(&self, path: &str) -> BTreeMap<String, (u32, Vec<u8>)> {
        let root = self.path(path);
        let mut found = BTreeMap::new();
        let mut open = vec![root.clone()];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(&directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                let mode = path.symlink_metadata().unwrap().permissions().mode() & 0o7777;
                let name = relative(&path, &root);
                // Each run adds to it, also one that changes nothing else.
                if name == "history" {
                    continue;
                }
                if path.is_dir() {
                    found.insert(format!("{name}/"), (mode, Vec::new()));
                    open.push(path);
                } else {
                    found.insert(name, (mode, std::fs::read(&path).unwrap()));
                }
            }
        }
        found
    }

    /// The same as lines of mode and path, without the library's folders.
    pub fn modes(&self, path: &str) -> String {
        let tree = self.tree(path);
        let lines: Vec<String> = tree
            .iter()
            .filter(|(path, _)| !path.starts_with("files/"))
            .map(|(path, (mode, _))| format!("{mode:o} {path}"))
            .collect();
        lines.join("\n")
    }
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root)
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

/// A run that failed: what `error:` and `hint:` say.
pub fn failed(code: i32, error: &str, hint: &str) -> Ran {
    Ran {
        code,
        out: String::new(),
        talk: format!("error: {error}\nhint: {hint}\n"),
    }
}

/// A run that did what it should: what it gave and what it said.
pub fn done(out: &str, talk: &str) -> Ran {
    Ran {
        code: 0,
        out: out.to_owned(),
        talk: talk.to_owned(),
    }
}

/// Whether the tests run as root; what only root may do is left out elsewhere, and said so.
pub fn is_root(test: &str) -> bool {
    there_is("root", rustix::process::geteuid().is_root(), test)
}
