//! What was done with a deployment, when and by whom: a line a run at its beginning and one at its end, and what each run told.
//!
//! Whoever takes the deployment's lock is kept; whoever only looks is not. A run that has no end was killed.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::private;
use crate::error::{Exit, remedy_of_cause};
use crate::machine::files::Tree;
use crate::ui;
use crate::ui::transcript;

/// Where it is kept, relative to the deployment.
pub const DIRECTORY: &str = "history";
const RUNS: &str = "history/runs.jsonl";
/// So many runs' transcripts are kept.
const TRANSCRIPTS: usize = 100;
/// From so many bytes on the older half of the list goes.
const LARGEST: u64 = 1024 * 1024;

/// A run, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// When it began (RFC 3339, UTC).
    pub began: String,
    /// When it ended; `None` where it was killed, or still runs.
    pub ended: Option<String>,
    /// Whether it still runs.
    pub runs: bool,
    /// What it exited with.
    pub exit: Option<u8>,
    /// Who started it: the account, also behind `sudo`.
    pub who: String,
    /// The address that they had logged in from.
    pub from: Option<String>,
    /// The command line.
    pub command: String,
    /// The program's version.
    pub version: String,
    /// What it told, relative to the deployment; gone after a while.
    pub transcript: PathBuf,
}

/// A line of the list.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
enum Line {
    Begin {
        id: String,
        at: String,
        who: String,
        from: Option<String>,
        command: String,
        version: String,
    },
    End {
        id: String,
        at: String,
        exit: u8,
    },
}

/// The run of this process.
struct Current {
    root: PathBuf,
    id: String,
}

static CURRENT: Mutex<Option<Current>> = Mutex::new(None);

/// Notes that this process changes the deployment at `root` from now on. A process that does so twice is one run. That it cannot be
/// kept stops nobody.
pub fn begin(root: &Path) {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if current.is_some() {
        return;
    }
    match noted(root) {
        Ok(id) => {
            *current = Some(Current {
                root: root.to_owned(),
                id,
            });
        }
        // A disk that takes nothing more is told by whatever is written next.
        Err(error) if remedy_of_cause(&error).is_some() => {}
        Err(error) => ui::say(format!("Note: the history cannot be kept: {error:#}.")),
    }
}

fn noted(root: &Path) -> Result<String> {
    let tree = Tree::open(root)?;
    tree.make_dir(&private(DIRECTORY))?;
    let now = OffsetDateTime::now_utc();
    let form = format_description!("[year][month][day]T[hour][minute][second]Z");
    let id = format!(
        "{}-{}-{}",
        now.format(form)?,
        std::process::id(),
        began_at("self").unwrap_or_default()
    );
    shorten(root)?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    let path = root.join(transcript_of(&id));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    append(
        root,
        true,
        &Line::Begin {
            id: id.clone(),
            at: now.format(&Rfc3339)?,
            who: who(),
            from: variable("SSH_CONNECTION")
                .and_then(|from| from.split(' ').next().map(str::to_owned)),
            command: format!("dtaas {}", words.join(" ")),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
    )?;
    writeln!(file, "dtaas {}", words.join(" "))?;
    transcript::begin(file);
    Ok(id)
}

/// Notes the run's end, before the process ends; answers where what it told is kept, where there was a run.
pub fn end(exit: Exit) -> Option<PathBuf> {
    let current = CURRENT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()?;
    transcript::end();
    let at = OffsetDateTime::now_utc().format(&Rfc3339).ok()?;
    let line = Line::End {
        id: current.id.clone(),
        at,
        exit: exit as u8,
    };
    // With the deployment the list may have gone.
    append(&current.root, false, &line).ok()?;
    Some(current.root.join(transcript_of(&current.id)))
}

/// The runs of the deployment at `root`, the oldest first.
///
/// # Errors
/// When the list is there and cannot be read.
pub fn list(root: &Path) -> Result<Vec<Run>> {
    let Some(bytes) = Tree::open(root)?.read(Path::new(RUNS))? else {
        return Ok(Vec::new());
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut runs: Vec<(String, Run)> = Vec::new();
    // The last line of a machine that lost its power may be half a line.
    for line in text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
    {
        match line {
            Line::Begin {
                id,
                at,
                who,
                from,
                command,
                version,
            } => {
                let transcript = transcript_of(&id);
                let run = Run {
                    began: at,
                    ended: None,
                    runs: runs_still(&id),
                    exit: None,
                    who,
                    from,
                    command,
                    version,
                    transcript,
                };
                runs.push((id, run));
            }
            Line::End { id, at, exit } => {
                if let Some((_, run)) = runs.iter_mut().rev().find(|(one, _)| *one == id) {
                    run.ended = Some(at);
                    run.runs = false;
                    run.exit = Some(exit);
                }
            }
        }
    }
    Ok(runs.into_iter().map(|(_, run)| run).collect())
}

/// Whether the process that began a run is there still: a later one may have its number, and then began at another time.
fn runs_still(id: &str) -> bool {
    let mut parts = id.rsplit('-');
    let (began, process) = (parts.next(), parts.next());
    match (process, began) {
        (Some(process), Some(began)) => began_at(process).as_deref() == Some(began),
        (None, _) | (_, None) => false,
    }
}

/// When a process began, in ticks since the machine did (proc_pid_stat(5), field 22).
fn began_at(process: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The program's name stands in brackets, and may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(19).map(str::to_owned)
}

fn transcript_of(id: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{id}.log"))
}

/// Adds a line, alone: whoever shortens the list holds it, and so does whoever adds.
fn append(root: &Path, create: bool, line: &Line) -> Result<()> {
    let path = root.join(RUNS);
    let written = OpenOptions::new()
        .read(true)
        .append(true)
        .create(create)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file: File| {
            file.lock()?;
            // A run that lost its power or its disk may have left half a line.
            let mut text = String::new();
            let length = file.metadata()?.len();
            if length > 0 {
                let mut last = [0];
                file.read_exact_at(&mut last, length - 1)?;
                if last != *b"\n" {
                    text.push('\n');
                }
            }
            text.push_str(&serde_json::to_string(line)?);
            text.push('\n');
            file.write_all(text.as_bytes())
        });
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Lets go of what is old.
fn shorten(root: &Path) -> Result<()> {
    let tree = Tree::open(root)?;
    let mut transcripts: Vec<_> = tree
        .list(Path::new(DIRECTORY))?
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.as_encoded_bytes().ends_with(b".log"))
        .collect();
    // Their names begin with the time.
    transcripts.sort();
    let old = transcripts.len().saturating_sub(TRANSCRIPTS - 1);
    for name in &transcripts[..old] {
        tree.remove(&Path::new(DIRECTORY).join(name))?;
    }
    let size = std::fs::metadata(root.join(RUNS)).map_or(0, |found| found.len());
    if size > LARGEST {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(root.join(RUNS))?;
        file.lock()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let half = bytes.len() / 2;
        let from = bytes[half..].iter().position(|byte| *byte == b'\n');
        let newer = &bytes[from.map_or(bytes.len(), |at| half + at + 1)..];
        // In place, so that whoever waits for it adds to this one.
        file.write_all_at(newer, 0)?;
        file.set_len(u64::try_from(newer.len())?)?;
    }
    Ok(())
}

/// Who runs this, as far as the system says: whoever became root by `sudo` is named as well.
fn who() -> String {
    match (variable("SUDO_USER"), variable("USER")) {
        (Some(behind), _) if behind != "root" => format!("{behind} (sudo)"),
        (_, Some(user)) => user,
        (_, None) if rustix::process::getuid().is_root() => "root".to_owned(),
        (_, None) => format!("uid {}", rustix::process::getuid().as_raw()),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_listed_with_their_end_or_without() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        assert_eq!(list(root).unwrap(), []);
        std::fs::create_dir(root.join(DIRECTORY)).unwrap();
        let begin = |id: &str| Line::Begin {
            id: id.into(),
            at: "2026-01-31T12:00:00Z".into(),
            who: "ann (sudo)".into(),
            from: None,
            command: format!("dtaas {id}"),
            version: "0.1.0".into(),
        };
        append(root, true, &begin("up")).unwrap();
        append(root, true, &begin("down")).unwrap();
        let end = Line::End {
            id: "up".into(),
            at: "2026-01-31T12:00:09Z".into(),
            exit: 1,
        };
        append(root, false, &end).unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(root.join(RUNS))
            .unwrap()
            .write_all(b"{\"is\":\"beg")
            .unwrap();
        let runs = list(root).unwrap();
        let shown: Vec<(&str, Option<u8>)> = runs
            .iter()
            .map(|run| (run.command.as_str(), run.exit))
            .collect();
        assert_eq!(shown, [("dtaas up", Some(1)), ("dtaas down", None)]);
        assert_eq!(runs[0].ended.as_deref(), Some("2026-01-31T12:00:09Z"));
        assert_eq!(runs[0].transcript, Path::new("history/up.log"));
    }

    #[test]
    fn what_is_old_goes() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        std::fs::create_dir(root.join(DIRECTORY)).unwrap();
        for number in 1000..1000 + TRANSCRIPTS + 5 {
            std::fs::write(root.join(format!("history/{number}.log")), "").unwrap();
        }
        let line = format!("{}\n", "x".repeat(99));
        std::fs::write(root.join(RUNS), line.repeat(11_000)).unwrap();
        shorten(root).unwrap();
        let left = std::fs::read_dir(root.join(DIRECTORY)).unwrap().count();
        assert_eq!(left, TRANSCRIPTS - 1 + 1);
        assert!(!root.join("history/1005.log").exists());
        let bytes = std::fs::read(root.join(RUNS)).unwrap();
        assert_eq!((bytes.len() % 100, bytes.len() < 600_000), (0, true));
    }
}
