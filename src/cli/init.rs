//! `dtaas init`: makes a deployment.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ipnet::Ipv4Net;

use super::passwords::{Passwords, say_it_takes_a_while};
use crate::deployment::Deployment;
use crate::deployment::init::{self, Request};
use crate::deployment::room::Room;
use crate::error::Failure;
use crate::spec::load;
use crate::spec::model::{self, AuthMode};
use crate::spec::names::{BasePath, DeploymentName, Domain, UserName};
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
    /// Which machines there are and what runs on each.
    #[arg(long)]
    profile: Option<String>,
    /// Tells this deployment from others on the same machine; the domain, unless given.
    #[arg(long)]
    name: Option<DeploymentName>,
    /// Where the platform begins below the domain.
    #[arg(long, value_name = "PATH")]
    base_path: Option<BasePath>,
    /// The address that the gateway listens on.
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<Ipv4Addr>,
    /// The gateway's port without TLS.
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// The gateway's port with TLS.
    #[arg(long, value_name = "PORT")]
    https_port: Option<u16>,
    /// The auth endpoint's port on loopback.
    #[arg(long, value_name = "PORT")]
    auth_port: Option<u16>,
    /// The website's port on loopback.
    #[arg(long, value_name = "PORT")]
    website_port: Option<u16>,
    /// The library server's port on loopback.
    #[arg(long, value_name = "PORT")]
    library_port: Option<u16>,
    /// Where the certificate comes from.
    #[arg(long, value_name = "MODE")]
    tls: Option<Tls>,
    /// With --tls files: the certificate chain, PEM, leaf first.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// With --tls files: the certificate's key, PEM.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// With --tls acme: who is told when something is wrong with the certificate.
    #[arg(long, value_name = "ADDRESS")]
    tls_email: Option<String>,
    /// With --tls acme: the ACME server's directory; Let's Encrypt's, unless given.
    #[arg(long, value_name = "URL")]
    tls_ca_server: Option<String>,
    /// With --tls acme: how the server sees that the domain is ours; http asks at port 80, tls at port 443.
    #[arg(long, value_name = "KIND")]
    tls_challenge: Option<Challenge>,
    /// The range that workspaces' networks come from.
    #[arg(long, value_name = "RANGE")]
    pool: Option<Ipv4Net>,
    /// Who checks passwords.
    #[arg(long, value_name = "MODE")]
    auth: Option<Auth>,
    /// Put before every image's name, such as registry.lab.example/.
    #[arg(long, value_name = "PREFIX")]
    image_prefix: Option<String>,
    #[command(flatten)]
    passwords: Passwords,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Tls {
    Off,
    SelfSigned,
    Files,
    Acme,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Challenge {
    Http,
    Tls,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Auth {
    Session,
    Basic,
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
        let deployment = Deployment::open(directory)?;
        let mut request = self.request();
        request.users = self.users.iter().map(|name| (name.clone(), None)).collect();
        let contradictions = init::contradictions(&deployment.spec, &request);
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
            name: self.name.clone(),
            users: Vec::new(),
            profile: self.profile.clone(),
            base_path: self.base_path.clone(),
            bind: self.bind,
            http_port: self.http_port,
            https_port: self.https_port,
            auth_port: self.auth_port,
            website_port: self.website_port,
            library_port: self.library_port,
            tls: self.tls.map(|mode| match mode {
                Tls::Off => "off".to_owned(),
                Tls::SelfSigned => "self-signed".to_owned(),
                Tls::Files => "files".to_owned(),
                Tls::Acme => "acme".to_owned(),
            }),
            tls_cert: self.tls_cert.as_deref().map(absolute),
            tls_key: self.tls_key.as_deref().map(absolute),
            tls_email: self.tls_email.clone(),
            tls_ca_server: self.tls_ca_server.clone(),
            tls_challenge: self.tls_challenge.map(|challenge| match challenge {
                Challenge::Http => model::Challenge::Http,
                Challenge::Tls => model::Challenge::Tls,
            }),
            pool: self.pool,
            auth: self.auth.map(|mode| match mode {
                Auth::Session => AuthMode::Session,
                Auth::Basic => AuthMode::Basic,
            }),
            image_prefix: self.image_prefix.clone(),
            room: Room::here(),
        }
    }
}

/// Paths in `dtaas.yaml` are relative to it, and those of the command line are not.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
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
