//! `dtaas keep`: stands between a trial and what it starts. The trial runs it; nobody types it.

use std::ffi::OsString;

use crate::trial::keeper::keep;

/// Runs a program until standard input ends, then ends whatever it has started.
#[derive(Debug, clap::Args)]
pub struct Keep {
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
        keep(&self.program, &self.arguments)
    }
}
