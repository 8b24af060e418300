//! `dtaas import`: makes a deployment of another platform.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::init::is_there;
use super::layout::Layout;
use crate::auth::password::{self, Scheme};
use crate::deployment::init::{self, Carried, Request};
use crate::error::Failure;
use crate::exchange::v02::carry::{self, Wanted};
use crate::exchange::v02::places::{self, Given};
use crate::exchange::v02::{self, well_known};
use crate::exchange::{apart, copy};
use crate::spec::load;
use crate::spec::names::{BasePath, Domain, UserName};
use crate::spec::read::default;
use crate::ui;
use crate::ui::table::table;
use crate::ui::transfer::Transfer;

/// Make a deployment of another platform: its users with their passwords, its domain, its library.
#[derive(Debug, Args)]
pub struct Import {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// Of an installation of DTaaS v0.2, which stays as it is.
    #[command(name = "v0.2")]
    V02(Box<V02>),
}

#[derive(Debug, Args)]
struct V02 {
    /// Where v0.2 is installed: the directory that DTaaS.zip was unpacked into.
    #[arg(value_name = "OLDDIR")]
    old: PathBuf,
    /// The gateway's routes, where they are not gateway/fileConfig.yml in deploy/config, servers/config or config.
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// The password file, where it does not lie with the routes.
    #[arg(long, value_name = "FILE")]
    htpasswd: Option<PathBuf>,
    /// The library server's settings, where they lie elsewhere.
    #[arg(long, value_name = "FILE")]
    lib_env: Option<PathBuf>,
    /// The website's settings, where they lie elsewhere.
    #[arg(long, value_name = "FILE")]
    env_js: Option<PathBuf>,
    /// The folder with users' files, where the library server's settings name another.
    #[arg(long, value_name = "DIR")]
    library: Option<PathBuf>,
    /// What becomes of users' files: keep has the new platform use them where they are, copy copies them into the deployment.
    #[arg(long, value_name = "HOW", default_value = "keep")]
    files: Files,
    /// Users who stay behind, separated by commas, by their names in v0.2.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    leave_out: Vec<String>,
    /// What browsers call the platform, where it is to be another than v0.2's.
    #[arg(long)]
    domain: Option<Domain>,
    /// Where the platform begins below the domain, where it is to be another than v0.2's.
    #[arg(long, value_name = "PATH")]
    base_path: Option<BasePath>,
    /// Say what would come, and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    layout: Layout,
}

/// From so many users on, trying a few passwords of each takes seconds.
const MANY: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Files {
    Keep,
    Copy,
}

impl Import {
    /// Runs the command.
    ///
    /// # Errors
    /// When the other platform cannot be read or taken over as it is, or the deployment cannot be made.
    pub fn run(self, directory: &Path) -> anyhow::Result<()> {
        match self.from {
            From::V02(command) => command.run(directory),
        }
    }
}

impl V02 {
    fn run(&self, directory: &Path) -> anyhow::Result<()> {
        let places = places::find(&self.old, &self.given())?;
        let old = v02::read(&places)?;
        let wanted = Wanted {
            domain: self.domain.clone(),
            base_path: self.base_path.clone(),
            left_out: self
                .leave_out
                .iter()
                .map(|name| name.trim().to_owned())
                .collect(),
        };
        let taken = carry::carry(&old, &wanted)?;
        let library = &old.library.root;
        require_apart(directory, &[&self.old, library])?;
        let mut request = self.layout.request();
        request.http_port = request.http_port.or(taken.http_port);
        request.https_port = request.https_port.or(taken.https_port);
        request.domain = Some(taken.domain);
        request.base_path = Some(taken.base_path);
        request.carried = taken.users;
        request.library_root = match self.files {
            Files::Keep => Some(library.clone()),
            Files::Copy => None,
        };
        if directory.join(load::FILE).exists() {
            return is_there(directory, &request);
        }
        // What is wrong is said before anything else.
        let spec = init::check(directory, &request)?;
        if request.carried.len() > MANY {
            ui::say("Looking for passwords that everybody knows, which takes a while …");
        }
        ui::data(table(["USER", "PASSWORD", "DOOR"], &rows(&request.carried)));
        say_notes(&taken.notes, &well_known::kept_by(&request.carried));
        if spec.profile != default::PROFILE {
            ui::say(format!(
                "Note: workspaces are where the profile {} has them, and want users' files there, at {}.",
                spec.profile,
                spec.library.root.display()
            ));
        }
        if self.dry_run {
            let page = crate::platform::url(&spec);
            let base = spec.base_path.as_str();
            let files = match self.files {
                Files::Keep => "used where they are",
                Files::Copy => "copied",
            };
            ui::say(format!(
                "Nothing was written. The platform would be at {page}{base}, and the files in {} would be {files}.",
                library.display()
            ));
            return Ok(());
        }
        self.make(directory, &request, library)
    }

    fn make(&self, directory: &Path, request: &Request, library: &Path) -> anyhow::Result<()> {
        let mut left = Vec::new();
        let made = init::make_filled(directory, request, &mut |_| Ok(()), &mut |deployment| {
            if self.files == Files::Copy {
                let transfer = Transfer::new();
                transfer.about(format!("copying {}", library.display()));
                let to = deployment.library_root();
                let copied = copy::tree(library, &to, &mut |bytes| transfer.advance(bytes))?;
                transfer.clear();
                left = copied.left;
            }
            Ok(())
        })?;
        if let Some(note) = request.room.note() {
            ui::say(note);
        }
        for path in left {
            ui::say(format!(
                "Note: {} is no file, and was not copied.",
                library.join(path).display()
            ));
        }
        match self.files {
            Files::Keep => ui::say(format!(
                "Users' files stay in {}, where `dtaas up` adds the folders that are missing. Who can enter it can read all of them: chmod 700.",
                library.display()
            )),
            Files::Copy => ui::say(format!(
                "Users' files were copied to {}; what changes in {} from now on is not in it.",
                made.deployment.library_root().display(),
                library.display()
            )),
        }
        ui::say(format!(
            "The deployment is in {}. Look at {}, stop v0.2, then run `dtaas up`.",
            made.deployment.root().display(),
            load::FILE
        ));
        Ok(())
    }

    fn given(&self) -> Given {
        Given {
            gateway: self.gateway.clone(),
            auth: self.htpasswd.clone(),
            lib_env: self.lib_env.clone(),
            env_js: self.env_js.clone(),
            library: self.library.clone(),
        }
    }
}

fn rows(users: &[Carried]) -> Vec<[String; 3]> {
    let row = |user: &Carried| {
        let scheme = user
            .hash
            .as_ref()
            .and_then(|hash| password::scheme(hash.expose()));
        let password = match scheme {
            Some(Scheme::Bcrypt { .. }) => "bcrypt",
            Some(Scheme::Apr1) => "apr1",
            Some(Scheme::Sha1) => "sha1",
            None => "none",
        };
        let door = match user.enabled {
            true => "open",
            false => "closed",
        };
        [user.name.to_string(), password.to_owned(), door.to_owned()]
    };
    users.iter().map(row).collect()
}

fn say_notes(notes: &[String], known: &[UserName]) {
    for name in known {
        ui::say(format!(
            "Note: {name}'s password is one that everybody tries first; `dtaas user passwd {name}` makes another."
        ));
    }
    for note in notes {
        ui::say(format!("Note: {note}."));
    }
}

/// Fails where the deployment would lie among what is not to be changed, or the other way round.
fn require_apart(directory: &Path, others: &[&Path]) -> anyhow::Result<()> {
    match apart::overlapping(directory, others) {
        None => Ok(()),
        Some(other) => Err(Failure::usage(format!(
            "the deployment in {} and the old platform in {} would lie in one another",
            apart::real(directory).display(),
            apart::real(other).display()
        ))
        .hint(
            "nothing was written; name another directory for the deployment: dtaas -C DIR import …",
        )
        .into()),
    }
}
