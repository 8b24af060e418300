use std::process::ExitCode;

use clap::Parser;
use dtaas::cli::Cli;
use dtaas::error::Failure;
use dtaas::ui;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = tokio::runtime::Runtime::new()
        .map_err(|error| anyhow::Error::new(error).context(Failure::new("cannot start")))
        .and_then(|runtime| runtime.block_on(cli.run()));
    let exit = match done {
        Ok(exit) => exit,
        Err(error) => ui::failure::print(&error),
    };
    ExitCode::from(exit as u8)
}
