//! The one kind of failure that an operator is expected to meet, and what the process exits with.

use std::fmt;

use rustix::io::Errno;

/// What the process exits with. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It is done.
    Done = 0,
    /// It did not work.
    Failed = 1,
    /// The command line or the spec is wrong; nothing was written.
    Usage = 2,
    /// `plan --exit-code`: changes are due.
    ChangesDue = 3,
    /// Another run holds the deployment.
    Locked = 4,
    /// Interrupted by the operator.
    Interrupted = 130,
}

/// A failure with a remedy: what failed and where, why (the chain below it), and what to do next.
///
/// It travels inside `anyhow::Error`; [`crate::error::failure_of`] finds it again, and `main` prints it, the
/// only place that does.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    exit: Exit,
}

impl Failure {
    /// A failure that exits with 1. `message` is one sentence without a full stop, naming the thing it is about.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            exit: Exit::Failed,
        }
    }

    /// A failure of the command line or the spec: exits with 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            ..Self::new(message)
        }
    }

    /// What the operator should type or do next: a sentence or a command, without a full stop.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Another exit code than 1.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// What to do next, if there is anything to say.
    pub fn remedy(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What the process exits with.
    pub fn code(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What to do about a cause that says it itself, whatever was being done: a disk that is full, or may only be read.
pub fn remedy_of_cause(error: &anyhow::Error) -> Option<&'static str> {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .find_map(remedy_of_io)
}

/// The same for the cause alone.
pub fn remedy_of_io(error: &std::io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        Errno::NOSPC | Errno::DQUOT => Some("make room on that disk (df -h), then run this again"),
        Errno::ROFS => Some(
            "that file system is mounted read-only: mount it for writing (mount -o remount,rw …), then run this again",
        ),
        // The many others say nothing about what to do.
        _ => None,
    }
}

/// The outermost [`Failure`] in an error, if there is one. Use `error.context(Failure::new(…).hint(…))`
/// to put one around a cause.
pub fn failure_of(error: &anyhow::Error) -> Option<&Failure> {
    error.downcast_ref::<Failure>()
}
