//! What is wrong with a spec: all of it at once, each with file, line, value, reason and fix.

use std::fmt;

use crate::error::Failure;

/// One thing that is wrong in a file of the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the deployment; empty while there is none.
    pub file: String,
    /// Line in it, from 1; `None` where the file as a whole is meant.
    pub line: Option<usize>,
    /// The key, such as `ports.https`; empty where the file as a whole is meant.
    pub key: String,
    /// What stands there, shortened.
    pub value: Option<String>,
    /// Why it cannot be.
    pub reason: String,
    /// What to write instead.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            f.write_str(&self.file)?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        if !self.key.is_empty() {
            f.write_str(&self.key)?;
            match &self.value {
                Some(value) => write!(f, " is {value}: ")?,
                None => f.write_str(": ")?,
            }
        }
        f.write_str(&self.reason)?;
        if !self.fix.is_empty() {
            write!(f, "; {}", self.fix)?;
        }
        Ok(())
    }
}

/// Everything that is wrong, in the order of files and lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Nothing wrong is `Ok`; otherwise a failure of the spec (exit code 2) that lists all of it.
    pub fn check(self) -> anyhow::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(self.into_failure().into())
    }

    /// The failure that lists all of it.
    pub fn into_failure(self) -> Failure {
        Failure::usage(self.to_string())
            .hint("nothing was changed; mend this and run the command again")
    }

    /// The failure of values that are in no file yet: there is none to point at, and no line.
    pub fn of_values(self, hint: &str) -> Failure {
        let problems = self.0.into_iter().map(|problem| Problem {
            file: String::new(),
            line: None,
            ..problem
        });
        Failure::usage(Self(problems.collect()).to_string()).hint(hint)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted: Vec<&Problem> = self.0.iter().collect();
        sorted.sort_by_key(|problem| (&problem.file, problem.line));
        match sorted.as_slice() {
            [one] => one.fmt(f),
            many => {
                write!(f, "{} problems in the spec", many.len())?;
                many.iter()
                    .try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}
