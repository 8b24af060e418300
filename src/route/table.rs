//! The kernel's routing table, by the program `ip` (iproute2).

use std::path::PathBuf;

use anyhow::Result;
use tokio::process::Command;

use super::moves::{Change, Move};
use super::seen::Seen;
use crate::error::Failure;
use crate::machine::firewall::{find, run};

/// How often it is looked again when something else changes the routes meanwhile.
const TRIES: usize = 5;

/// The program.
pub(super) struct Table {
    ip: PathBuf,
}

impl Table {
    /// Finds the program.
    pub(super) fn open() -> Result<Self> {
        Ok(Self { ip: find("ip")? })
    }

    /// What writes a line for every change of routes, addresses and interfaces (ip-monitor(8)).
    pub(super) fn monitor(&self) -> Command {
        let mut command = Command::new(&self.ip);
        command.args(["-4", "monitor", "link", "address", "route"]);
        command
    }

    /// What there is.
    pub(super) async fn look(&self) -> Result<Seen> {
        let routes = ["-json", "-4", "route", "show", "default"];
        let links = ["-json", "address", "show"];
        let (routes, links) =
            tokio::try_join!(run(&self.ip, &routes, None), run(&self.ip, &links, None))?;
        Seen::read(&routes, &links).map_err(|error| {
            error.context(
                Failure::new(format!("cannot read what {} writes", self.ip.display()))
                    .hint("this takes iproute2 of 2018 or newer: apt-get install iproute2"),
            )
        })
    }

    /// Carries out what `plan` makes of the routes, and looks again, until there is nothing left to do. Answers with what was done.
    pub(super) async fn settle(&self, plan: impl Fn(&Seen) -> Vec<Move>) -> Result<Vec<String>> {
        let mut did = Vec::new();
        let mut trouble = None;
        for _ in 0..TRIES {
            let moves = plan(&self.look().await?);
            if moves.is_empty() {
                return Ok(did);
            }
            // A DHCP client may have done the same, or the opposite, just now: the next look tells.
            trouble = self.carry_out(moves, &mut did).await.err();
        }
        Err(trouble.unwrap_or_else(|| {
            Failure::new("a default route comes back as fast as it is moved")
                .hint("`ip monitor route` shows when; look for the program that writes it (v0.2's crontab line is one: crontab -l)")
                .into()
        }))
    }

    async fn carry_out(&self, moves: Vec<Move>, did: &mut Vec<String>) -> Result<()> {
        for moved in moves {
            for change in &moved.changes {
                self.change(change).await?;
            }
            did.push(moved.says);
        }
        Ok(())
    }

    async fn change(&self, change: &Change) -> Result<()> {
        let (verb, route) = match change {
            Change::Append(route) => ("append", route),
            Change::Delete(route) => ("del", route),
        };
        let words = route.words();
        let mut arguments = vec!["-4", "route", verb];
        arguments.extend(words.iter().map(String::as_str));
        match run(&self.ip, &arguments, None).await {
            Ok(_) => Ok(()),
            Err(error) if error.to_string().contains("Operation not permitted") => Err(error
                .context(
                    Failure::new("the kernel does not let this process change routes")
                        .hint("in a container that takes the capability NET_ADMIN"),
                )),
            Err(error) => Err(error),
        }
    }
}
