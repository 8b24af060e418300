//! `dtaas share`: a user's digital twin as a page for people who have no account.

use std::path::Path;
use std::str::FromStr;

use clap::{Args, Subcommand};

use crate::auth::account::shares::shown;
use crate::auth::shares::{DAYS_MAX, Wanted};
use crate::deployment::Deployment;
use crate::error::{Exit, Failure, failure_of};
use crate::spec::names::{NameError, ShareName, UserName};
use crate::ui;
use crate::ui::table::table;

/// Make a program in a user's workspace a page for people who have no account, at /USER/services/NAME/.
#[derive(Debug, Args)]
pub struct Shares {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Share a port of a workspace, for a while; shows the address to give away once.
    Add(Add),
    /// List what is shared.
    List(List),
    /// End it; whoever is connected is put out.
    Remove {
        /// Whose, and what it is called: alice/twin.
        #[arg(value_name = "USER/NAME", required = true)]
        shares: Vec<Target>,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// Whose workspace, and what to call it: alice/twin.
    #[arg(value_name = "USER/NAME")]
    share: Target,
    /// The port at which the program in the workspace listens, on all addresses.
    #[arg(long, value_name = "N")]
    port: u16,
    /// Open to everybody.
    #[arg(long, conflicts_with = "token")]
    public: bool,
    /// Open to whoever has the address with its token, which is made [default].
    #[arg(long)]
    token: bool,
    /// For how many days, 366 at most.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=i64::from(DAYS_MAX)))]
    days: u32,
}

#[derive(Debug, Args)]
struct List {
    /// Give them as JSON.
    #[arg(long)]
    json: bool,
}

/// Whose, and what it is called.
#[derive(Debug, Clone)]
struct Target {
    user: UserName,
    name: ShareName,
}

impl FromStr for Target {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (user, name) = text.split_once('/').ok_or_else(|| NameError {
            value: text.to_owned(),
            kind: "user and name",
            rule: "write them with a slash between, such as alice/twin".to_owned(),
        })?;
        Ok(Self {
            user: user.parse()?,
            name: name.parse()?,
        })
    }
}

/// One error that tells of all; what to do about the first is its hint.
fn all_of(errors: Vec<anyhow::Error>) -> anyhow::Result<()> {
    let mut texts: Vec<String> = Vec::new();
    for error in &errors {
        let text = format!("{error:#}");
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let mut errors = errors.into_iter();
    let Some(first) = errors.next() else {
        return Ok(());
    };
    if texts.len() == 1 {
        return Err(first);
    }
    let known = failure_of(&first);
    let failure = Failure::new(texts.join("; ")).exit(known.map_or(Exit::Failed, Failure::code));
    Err(match known.and_then(Failure::remedy) {
        Some(hint) => failure.hint(hint).into(),
        None => failure.into(),
    })
}

impl Shares {
    /// Runs the command.
    ///
    /// # Errors
    /// When something cannot be shared, or is not shared.
    pub fn run(self, directory: &Path) -> anyhow::Result<()> {
        let deployment = Deployment::open(directory)?;
        match self.command {
            Command::Add(add) => {
                let Target { user, name } = add.share;
                let wanted = Wanted {
                    name,
                    port: add.port,
                    public: add.public,
                    days: add.days,
                };
                let (share, link) = deployment.share(&user, wanted)?;
                ui::data(&link);
                let who = match share.token {
                    Some(_) => "Whoever has this address",
                    None => "Everybody",
                };
                ui::say(format!(
                    "{who} reaches port {} of {user}'s workspace until {}. The program there must listen on 0.0.0.0.\n\
                     End it with `dtaas share remove {user}/{}`.",
                    share.port,
                    share.ends().unwrap_or_default(),
                    share.name
                ));
                Ok(())
            }
            Command::List(list) => {
                let all = deployment.shares()?;
                let base = deployment.spec.base_path.path("");
                if list.json {
                    let values: Vec<_> = all
                        .iter()
                        .map(|(user, share)| {
                            let mut value = shown(share, user, &base);
                            value["user"] = serde_json::json!(user);
                            value
                        })
                        .collect();
                    return ui::json(&values);
                }
                let rows: Vec<[String; 4]> = all
                    .iter()
                    .map(|(user, share)| {
                        let opens = match share.token {
                            Some(_) => "with its token",
                            None => "everybody",
                        };
                        [
                            format!("{user}/{}", share.name),
                            share.port.to_string(),
                            opens.to_owned(),
                            share.ends().unwrap_or_default(),
                        ]
                    })
                    .collect();
                ui::data(table(["SHARED", "PORT", "FOR", "UNTIL"], &rows));
                Ok(())
            }
            Command::Remove { shares } => {
                let mut errors = Vec::new();
                for Target { user, name } in shares {
                    match deployment.unshare(&user, &name) {
                        Ok(()) => ui::say(format!("{user}/{name} is shared no more.")),
                        Err(error) => errors.push(error),
                    }
                }
                all_of(errors)
            }
        }
    }
}
