//! `dtaas keep`: stands between us and what we start that must not outlive us. Nobody types it.

use std::ffi::OsString;

use crate::trial::keeper::keep;

/// Runs a program until standard input ends, then ends whatever it has started.
#[derive(Debug, clap::Args)]
pub struct Keep {
    /// Kill it at once.
    #[arg(long)]
    at_once: bool,
    /// The program.
    program: OsString,
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Keep {
    /// Runs the command.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn run(self) -> anyhow::Result<()> {
        match keep(&self.program, &self.arguments, !self.at_once)? {
            None | Some(0) => Ok(()),
            // Its own, for whoever had it run.
            Some(code) => std::process::exit(code),
        }
    }
}
