//! `dtaas lib`: the library.

mod cat;
mod check;
mod get;
mod ls;
mod put;
mod reach;
mod serve;
mod tally;

use std::path::Path;

use crate::error::Exit;

/// The library of assets
#[derive(Debug, clap::Args)]
pub struct Lib {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Serve(serve::Serve),
    Ls(ls::Ls),
    Cat(cat::Cat),
    Get(get::Get),
    Put(put::Put),
    Check(check::Check),
}

impl Lib {
    /// Does what was typed; answers what to exit with. `directory` is where a deployment may be.
    ///
    /// # Errors
    ///
    /// Those of the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<Exit> {
        match self.command {
            Command::Serve(command) => command.run().await,
            Command::Ls(command) => command.run(directory).await,
            Command::Cat(command) => command.run(directory).await,
            Command::Get(command) => command.run(directory).await,
            Command::Put(command) => command.run(directory).await,
            Command::Check(command) => return command.run(directory).await,
        }?;
        Ok(Exit::Done)
    }
}
