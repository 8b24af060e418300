//! The command line: one file a command.

mod agent;
mod auth;
mod backup;
mod boxes;
mod cert;
mod doctor;
mod down;
mod exec;
mod export;
mod heal;
mod history;
mod import;
mod init;
mod interrupt;
mod keep;
mod layout;
mod lib;
mod logs;
mod parts;
mod passwords;
mod patience;
mod plan;
mod reaching;
mod recipient;
mod render;
mod report;
mod restart;
mod restore;
mod route;
mod run;
mod secret;
mod share;
mod status;
mod trial;
mod up;
mod user;
mod website;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::error::Exit;

/// Puts a Digital-Twin-as-a-Service platform on a machine, keeps it running, and takes it away again.
#[derive(Debug, Parser)]
#[command(
    name = "dtaas",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// The deployment's directory.
    #[arg(short = 'C', value_name = "DIR", default_value = ".", global = true)]
    directory: PathBuf,
    /// When to use colours; NO_COLOR is kept as well.
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(Box<init::Init>),
    Import(import::Import),
    Render(render::Render),
    Plan(plan::Plan),
    Up(up::Up),
    Down(down::Down),
    Status(status::Status),
    Doctor(doctor::Doctor),
    Logs(logs::Logs),
    Restart(restart::Restart),
    Exec(exec::Exec),
    Heal(heal::Heal),
    History(history::History),
    User(user::User),
    Secret(secret::Secrets),
    Share(share::Shares),
    Cert(cert::Cert),
    Export(export::Export),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Lib(lib::Lib),
    Trial(trial::Trial),
    Route(route::Route),
    Box(boxes::Boxes),
    #[command(hide = true)]
    Website(website::Website),
    #[command(hide = true)]
    Auth(auth::Auth),
    #[command(hide = true)]
    Agent(agent::Agent),
    #[command(hide = true)]
    Keep(keep::Keep),
}

impl Cli {
    /// Runs the command; answers what to exit with.
    pub async fn run(self) -> anyhow::Result<Exit> {
        if let Some(on) = match self.color {
            Color::Auto => None,
            Color::Always => Some(true),
            Color::Never => Some(false),
        } {
            console::set_colors_enabled(on);
            console::set_colors_enabled_stderr(on);
        }
        let directory = self.directory.as_path();
        match self.command {
            Command::Init(command) => command.run(directory),
            Command::Import(command) => command.run(directory),
            Command::Render(command) => command.run(directory),
            Command::Plan(command) => return command.run(directory).await,
            Command::Up(command) => command.run(directory).await,
            Command::Down(command) => command.run(directory).await,
            Command::Status(command) => command.run(directory).await,
            Command::Doctor(command) => command.run(directory).await,
            Command::User(command) => command.run(directory).await,
            Command::Logs(command) => command.run(directory).await,
            Command::Restart(command) => command.run(directory).await,
            Command::Exec(command) => command.run(directory).await,
            Command::Heal(command) => command.run(directory).await,
            Command::History(command) => command.run(directory),
            Command::Secret(command) => command.run(directory).await,
            Command::Share(command) => command.run(directory),
            Command::Cert(command) => command.run(directory).await,
            Command::Export(command) => command.run(directory),
            Command::Backup(command) => command.run(directory).await,
            Command::Restore(command) => command.run(directory).await,
            Command::Lib(command) => return command.run(directory).await,
            Command::Trial(command) => command.run().await,
            Command::Route(command) => command.run().await,
            Command::Box(command) => command.run().await,
            Command::Website(command) => command.run().await,
            Command::Auth(command) => command.run().await,
            Command::Agent(command) => command.run().await,
            Command::Keep(command) => command.run(),
        }?;
        Ok(Exit::Done)
    }
}
