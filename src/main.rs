use std::process::ExitCode;

use clap::Parser;
use dtaas::cli::Cli;
use dtaas::error::{Exit, Failure};
use dtaas::ui;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = tokio::runtime::Runtime::new()
        .map_err(|error| anyhow::Error::new(error).context(Failure::new("cannot start")))
        .and_then(|runtime| runtime.block_on(cli.run()));
    let begun = ui::transcript::lines() > 0;
    let exit = match done {
        Ok(exit) => exit,
        Err(error) => ui::failure::print(&error),
    };
    let kept = dtaas::deployment::runs::end(exit);
    // Where nothing had begun, the error is all there is.
    if let (Exit::Failed, true, Some(kept)) = (exit, begun, kept) {
        ui::say(format!("What this run told is kept in {}.", kept.display()));
    }
    ExitCode::from(exit as u8)
}
