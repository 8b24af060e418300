//! What the two ends say to each other: one JSON object a line, on the agent's standard input and output.
//!
//! The desired state has secrets in it, and goes one way only; an outcome has the tokens in it that services made, and goes the other.
//! Nothing of what is said is written down on the way.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::doctor::Fix;
use crate::doctor::machine::Examined;
use crate::doctor::mend::Mended;
use crate::error::{Exit, Failure, failure_of};
use crate::machine::apply::Outcome;
use crate::machine::diff::DiffOptions;
use crate::machine::doors::Door;
use crate::machine::event::{Event, StepFailure};
use crate::machine::journal::Wanted;
use crate::machine::observed::{ContainerState, Owner};
use crate::machine::plan::Plan;
use crate::machine::usage::{Question, Usage};
use crate::platform::desired::Desired;
use crate::route;

/// The version of what is said. Both ends are the same executable, unless the operator gave another one.
pub const VERSION: u32 = 2;
/// No line is longer, in bytes.
const LONGEST: usize = 256 << 20;

/// What the agent is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    /// To do something; one thing at a time.
    Ask(Box<Request>),
    /// To come to an end with what it does; the reply still comes.
    Stop,
    /// That somebody is there.
    Beat,
}

/// What the agent says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Said {
    /// The first of all.
    Hello {
        /// [`VERSION`].
        protocol: u32,
        /// The program's version, such as `0.1.0`.
        version: String,
    },
    /// Something happened.
    Event(Event),
    /// Something that the operator should know just now.
    Note(String),
    /// What came of what was asked.
    Reply(Box<Result<Reply, Failed>>),
    /// That it is there.
    Beat,
}

/// Something to do on a machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Look at the machine, and work out what is to be done. Answers [`Reply::Difference`].
    Look(Box<Look>),
    /// Do what the last look found, and let go of the locks. Answers [`Reply::Outcome`].
    Apply,
    /// Remove a deployment's directory. Answers [`Reply::Purged`].
    Purge {
        /// The directory.
        root: PathBuf,
        /// Where users' files lie; removed only below the root.
        library: Option<PathBuf>,
        /// What the lock's holder is called meanwhile.
        command: String,
    },
    /// Say what machine it is. Answers [`Reply::Facts`].
    Facts,
    /// Install docker from the distribution's packages. Answers [`Reply::Docker`].
    InstallDocker,
    /// Try these doors from there. Answers [`Reply::Doors`].
    Doors {
        /// Which.
        doors: Vec<Door>,
    },
    /// Have a NAT's default route give way. Answers [`Reply::Route`].
    Route,
    /// Find what is not as it should be. Answers [`Reply::Examined`].
    Examine(Box<Desired>),
    /// Put right what was found. Answers [`Reply::Mended`].
    Mend(Vec<Fix>),
    /// Look what containers use and users' files take. Answers [`Reply::Usage`].
    Usage(Question),
    /// Read what containers wrote, each line an event. Answers [`Reply::Told`].
    Logs(Wanted),
    /// Run a program in a container, with nothing on its standard input. Answers [`Reply::Ended`].
    RunIn {
        /// Which container.
        container: String,
        /// Whose it must be.
        owner: Owner,
        /// The program and its arguments.
        argv: Vec<String>,
    },
}

/// What is looked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Look {
    /// What the machine should have.
    pub desired: Desired,
    /// What was asked for.
    pub options: DiffOptions,
    /// With this, the locks are taken first and kept until [`Request::Apply`] has ended.
    pub lock: Option<Hold>,
    /// Whether each container is asked whether it answers.
    pub answers: bool,
    /// How many seconds an image's pull may stand still; `None` for the usual time.
    pub pull_timeout: Option<u64>,
}

/// How locks are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What the holder is called, such as `dtaas up`.
    pub command: String,
    /// How many seconds another run on the same deployment there is waited for; `None` is to its end. What a run that lost its
    /// connection has in hand is worth waiting for.
    pub wait: Option<u64>,
}

/// What came of a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Of [`Request::Look`].
    Difference(Box<Difference>),
    /// Of [`Request::Apply`].
    Outcome(Outcome),
    /// Of [`Request::Purge`].
    Purged,
    /// Of [`Request::Facts`].
    Facts(MachineFacts),
    /// Of [`Request::InstallDocker`].
    Docker {
        /// The engine's version.
        version: String,
    },
    /// Of [`Request::Doors`], in their order: why each is closed, or `None` where it is open.
    Doors(Vec<Option<String>>),
    /// Of [`Request::Route`].
    Route(Box<route::Report>),
    /// Of [`Request::Examine`].
    Examined(Examined),
    /// Of [`Request::Mend`].
    Mended(Vec<Mended>),
    /// Of [`Request::Usage`].
    Usage(Usage),
    /// Of [`Request::Logs`].
    Told,
    /// Of [`Request::RunIn`].
    Ended(Ended),
}

/// How a program ended, and what it wrote, whatever bytes these are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its exit code.
    pub code: i64,
    /// Standard output, in base64.
    out: String,
    /// Standard error, likewise.
    errors: String,
}

impl Ended {
    /// One that wrote this.
    pub fn of(code: i64, out: &[u8], errors: &[u8]) -> Self {
        Self {
            code,
            out: STANDARD.encode(out),
            errors: STANDARD.encode(errors),
        }
    }

    /// What it wrote, to standard output and to standard error.
    pub fn wrote(&self) -> (Vec<u8>, Vec<u8>) {
        let bytes = |text: &str| STANDARD.decode(text).unwrap_or_default();
        (bytes(&self.out), bytes(&self.errors))
    }
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// What is to be done.
    pub plan: Plan,
    /// The containers that there are, by name.
    pub containers: BTreeMap<String, ContainerState>,
    /// Whether the platform is up: whether its gateway is there.
    pub is_up: bool,
    /// Whether each desired container answers, in their order; empty when that was not asked.
    pub answers: Vec<bool>,
}

/// What machine it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// Processors.
    pub processors: u64,
    /// Memory, in bytes.
    pub memory: u64,
    /// This program's version there.
    pub version: String,
    /// How docker stands.
    pub docker: DockerState,
    /// `ID` of /etc/os-release, such as `debian`.
    pub distribution: String,
    /// `VERSION_ID` of /etc/os-release, such as `12`.
    pub release: String,
}

/// How docker stands on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DockerState {
    /// It answers.
    Answers {
        /// The engine's version, such as `20.10.24`.
        version: String,
    },
    /// There is none.
    Absent,
    /// It does not answer, or is none that we work with.
    Unfit(StepFailure),
}

/// A [`Failure`] on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failed {
    message: String,
    hint: Option<String>,
    exit: u8,
}

impl Failed {
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let StepFailure { message, hint } = StepFailure::of(error);
        let exit = failure_of(error).map_or(Exit::Failed, |failure| failure.code());
        Self {
            message,
            hint,
            exit: exit as u8,
        }
    }

    /// The same here, with the machine's name in it.
    pub(super) fn on(self, machine: &str) -> Failure {
        let failure = Failure::new(format!("{machine}: {}", self.message)).exit(exit(self.exit));
        match self.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn exit(code: u8) -> Exit {
    const ALL: [Exit; 6] = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::ChangesDue,
        Exit::Locked,
        Exit::Interrupted,
    ];
    ALL.into_iter()
        .find(|exit| *exit as u8 == code && *exit != Exit::Done)
        .unwrap_or(Exit::Failed)
}

/// What is wrong with a line, without a word of what is in it: there may be secrets.
pub(super) fn wrong(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Io => "unreadable",
        serde_json::error::Category::Syntax => "no JSON",
        serde_json::error::Category::Data => "of another kind than is known",
        serde_json::error::Category::Eof => "cut short",
    };
    format!("{kind} at column {}", error.column())
}

/// Makes lines of what arrives in pieces.
#[derive(Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

/// A line that is longer than any may be.
#[derive(Debug)]
pub(super) struct TooLong;

impl Lines {
    /// The lines that this piece ends.
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut lines = Vec::new();
        let mut pieces = piece.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if self.begun.len() + piece.len() > LONGEST {
                return Err(TooLong);
            }
            self.begun.extend_from_slice(piece);
            if pieces.peek().is_some() {
                lines.push(std::mem::take(&mut self.begun));
            }
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_made_of_pieces() {
        let mut lines = Lines::default();
        let mut add = |piece: &[u8]| -> Vec<String> {
            let lines = lines.add(piece).unwrap();
            lines
                .into_iter()
                .map(|line| String::from_utf8(line).unwrap())
                .collect()
        };
        assert!(add(b"on").is_empty());
        assert_eq!(add(b"e\ntwo\n\nth"), ["one", "two", ""]);
        assert_eq!(add(b"ree\n"), ["three"]);
    }

    #[test]
    fn a_failure_keeps_its_hint_and_its_exit_code_on_the_way() {
        let error = anyhow::Error::from(
            Failure::new("/srv is held by dtaas up")
                .hint("wait")
                .exit(Exit::Locked),
        );
        let line = serde_json::to_string(&Said::Reply(Box::new(Err(Failed::of(&error))))).unwrap();
        assert_eq!(
            line,
            r#"{"reply":{"Err":{"message":"/srv is held by dtaas up","hint":"wait","exit":4}}}"#
        );
        let Said::Reply(reply) = serde_json::from_str(&line).unwrap() else {
            panic!("{line}");
        };
        let failure = reply.unwrap_err().on("dtaas");
        assert_eq!(failure.to_string(), "dtaas: /srv is held by dtaas up");
        assert_eq!(
            (failure.remedy(), failure.code()),
            (Some("wait"), Exit::Locked)
        );
    }

    #[test]
    fn what_is_wrong_with_a_line_gives_nothing_away() {
        let error = serde_json::from_str::<Order>(r#"{"ask":"s3cret"}"#).unwrap_err();
        assert!(error.to_string().contains("s3cret"));
        assert_eq!(wrong(&error), "of another kind than is known at column 15");
    }
}
