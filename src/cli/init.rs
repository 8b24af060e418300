//! `dtaas init`: makes a deployment.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;

use super::layout::Layout;
use super::passwords::{Passwords, say_it_takes_a_while};
use crate::deployment::Deployment;
use crate::deployment::init::{self, Request};
use crate::error::Failure;
use crate::spec::load;
use crate::spec::names::{BasePath, Domain, UserName};
use crate::ui;
use crate::ui::prompt;

/// Make a deployment: its spec, users, secrets, library and rendered configuration.
#[derive(Debug, Args)]
pub struct Init {
    /// What browsers call the platform: a host name, localhost, or an IPv4 address.
    #[arg(long)]
    domain: Option<Domain>,
    /// The first users, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    users: Vec<UserName>,
    /// Where the platform begins below the domain.
    #[arg(long, value_name = "PATH")]
    base_path: Option<BasePath>,
    #[command(flatten)]
    layout: Layout,
    #[command(flatten)]
    passwords: Passwords,
}

impl Init {
    /// Runs the command.
    pub fn run(mut self: Box<Self>, directory: &Path) -> anyhow::Result<()> {
        if directory.join(load::FILE).exists() {
            return self.run_again(directory);
        }
        if prompt::can_ask() {
            self.ask()?;
        }
        self.require_all()?;
        let given = self.passwords.read(&self.users)?;
        let mut request = self.request();
        request.users = self.users.iter().cloned().zip(given).collect();
        let mut recipient = self.passwords.open(&BTreeSet::new())?;
        say_it_takes_a_while(self.users.len());
        let made = init::make(directory, &request, &mut |credentials| {
            recipient.hand_out(credentials)
        })?;
        if let Some(note) = request.room.note() {
            ui::say(note);
        }
        for name in &made.kept {
            ui::say(format!(
                "{name} has a password from an earlier run; set a new one with `dtaas user passwd {name}`."
            ));
        }
        ui::say(format!(
            "The deployment is in {}. Look at {}, then run `dtaas up`.",
            made.deployment.root().display(),
            load::FILE
        ));
        Ok(())
    }

    /// Names all that is missing at once.
    fn require_all(&self) -> anyhow::Result<()> {
        let (what, give) = match (self.domain.is_none(), self.users.is_empty()) {
            (false, false) => return Ok(()),
            (true, true) => (
                "no domain and no users are given",
                "give --domain foo.com --users alice,bob",
            ),
            (true, false) => (
                "no domain is given",
                "give --domain foo.com, or --domain localhost",
            ),
            (false, true) => ("no users are given", "give --users alice,bob"),
        };
        Err(Failure::usage(what).hint(give).into())
    }

    fn run_again(&self, directory: &Path) -> anyhow::Result<()> {
        let mut request = self.request();
        request.users = self.users.iter().map(|name| (name.clone(), None)).collect();
        is_there(directory, &request)
    }

    /// Asks for what is missing.
    fn ask(&mut self) -> anyhow::Result<()> {
        if self.domain.is_none() {
            self.domain = Some(prompt::ask(
                "Domain (what browsers call the platform)",
                Some("localhost".into()),
            )?);
        }
        if self.users.is_empty() {
            self.users = prompt::ask::<Names>("First users, separated by commas", None)?.0;
        }
        Ok(())
    }

    fn request(&self) -> Request {
        Request {
            domain: self.domain.clone(),
            base_path: self.base_path.clone(),
            ..self.layout.request()
        }
    }
}

/// Says that a deployment is there already.
///
/// # Errors
/// When it is otherwise than asked for.
pub(super) fn is_there(directory: &Path, request: &Request) -> anyhow::Result<()> {
    let deployment = Deployment::open(directory)?;
    let contradictions = init::contradictions(&deployment.spec, request);
    if contradictions.is_empty() {
        ui::say(format!(
            "{} is a deployment already; nothing was changed.",
            deployment.root().display()
        ));
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} is a deployment already, and says otherwise\n  {}",
        deployment.root().display(),
        contradictions.join("\n  ")
    ))
    .hint("nothing was changed")
    .into())
}

/// Names separated by commas.
struct Names(Vec<UserName>);

impl std::str::FromStr for Names {
    type Err = crate::spec::names::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',')
            .map(|name| name.trim().parse())
            .collect::<Result<_, _>>()
            .map(Self)
    }
}
