//! `dtaas user passwd`.

use std::collections::BTreeSet;

use clap::Args;

use super::{Entries, Turn, converge};
use crate::cli::passwords::Passwords;
use crate::cli::run;
use crate::deployment::Deployment;
use crate::spec::names::UserName;
use crate::ui;

/// Set a user's password: a new one is made, unless one is given.
#[derive(Debug, Args)]
pub struct Passwd {
    /// The name.
    name: UserName,
    #[command(flatten)]
    passwords: Passwords,
}

impl Passwd {
    /// Runs the command.
    pub async fn run(self, turn: Turn<'_>) -> anyhow::Result<()> {
        let name = &self.name;
        let open = Deployment::open(turn.directory)?;
        open.require_user(name)?;
        let password = self.passwords.read_one(name)?;
        let mut recipient = self.passwords.open(&BTreeSet::new())?;
        let engine = run::engine_if_there(&open, "dtaas user passwd").await?;
        let (deployment, _lock, interrupt) = turn.locked("dtaas user passwd").await?;
        deployment.set_password(name, &password)?;
        recipient.hand_out(&[(name.clone(), password)])?;
        converge(
            &deployment,
            engine,
            &[name.clone()].into(),
            Entries::Replaced,
            &interrupt,
        )
        .await?;
        ui::say(format!("{name}'s password is set."));
        Ok(())
    }
}
