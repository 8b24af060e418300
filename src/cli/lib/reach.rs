//! Which library is meant, and who asks: the flags that `ls`, `cat`, `get`, `put` and `check` have in common.

use std::io::{BufRead, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::deployment::Deployment;
use crate::error::Failure;
use crate::library::client::access::{Access, Credentials, Endpoint, Trust};
use crate::library::client::connection::Connection;
use crate::library::client::path::RemotePath;
use crate::platform::gateway;
use crate::secrets::Secret;
use crate::spec::load;
use crate::spec::model::Tls;
use crate::ui::prompt;

/// The variable that names the library.
const URL: &str = "DTAAS_LIB_URL";
/// The variable that names who asks.
const USER: &str = "DTAAS_LIB_USER";
/// The variable that holds the password.
const PASSWORD: &str = "DTAAS_LIB_PASSWORD";

/// Where the library is, and who asks.
#[derive(Debug, Args)]
pub struct Reach {
    /// The library, as in https://foo.com/lib [default: DTAAS_LIB_URL, or that of the deployment in -C DIR]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Who asks [default: DTAAS_LIB_USER]; the password comes from DTAAS_LIB_PASSWORD, or is asked for
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Read the password from standard input, one line
    #[arg(long)]
    password_stdin: bool,
    /// Trust this authority alone (PEM), as `dtaas cert show --authority` prints it
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Send the password over plain http as well, for everyone on the way to read
    #[arg(long)]
    insecure_http: bool,
}

impl Reach {
    /// Prepares the connection. `directory` is where a deployment may be.
    ///
    /// # Errors
    ///
    /// A usage failure that says what is missing or wrong.
    pub fn connect(&self, directory: &Path) -> anyhow::Result<Connection> {
        let address = self.url.clone().or_else(|| variable(URL));
        let access = match address {
            Some(address) => {
                let endpoint = Endpoint::parse(&address)?;
                let user = self.user()?;
                if user.is_some() {
                    // Before anybody types a password in vain.
                    endpoint.check_for_password(None, self.insecure_http)?;
                }
                Access {
                    endpoint,
                    credentials: self.credentials(user)?,
                    trust: self.trust()?.unwrap_or(Trust::System),
                    at: None,
                }
            }
            None => self.of_deployment(directory)?,
        };
        Connection::new(access)
    }

    /// The library of a deployment on this machine, asked at its own gateway whatever the domain leads to.
    fn of_deployment(&self, directory: &Path) -> anyhow::Result<Access> {
        if !directory.join(load::FILE).exists() {
            return Err(Failure::usage("nothing says which library is meant")
                .hint(format!(
                    "give --url https://foo.com/lib, set {URL}, or name a deployment on this machine with -C DIR"
                ))
                .into());
        }
        let deployment = Deployment::open(directory)?;
        let spec = &deployment.spec;
        let port = match spec.tls.is_on() {
            true => spec.ports.https,
            false => spec.ports.http,
        };
        let own = || -> anyhow::Result<Trust> {
            match &spec.tls {
                Tls::SelfSigned => Ok(deployment
                    .authority_pem()?
                    .map_or(Trust::System, |pem| Trust::Only(pem.into_bytes()))),
                Tls::Off | Tls::Files { .. } | Tls::Acme(_) => Ok(Trust::System),
            }
        };
        Ok(Access {
            endpoint: Endpoint::parse(&format!("{}lib", deployment.page()))?,
            trust: match self.trust()? {
                Some(trust) => trust,
                None => own()?,
            },
            at: Some(SocketAddr::from((gateway::reached_at(spec), port))),
            credentials: self.credentials(self.user()?)?,
        })
    }

    fn trust(&self) -> anyhow::Result<Option<Trust>> {
        let Some(file) = &self.cacert else {
            return Ok(None);
        };
        let pem = std::fs::read(file)
            .with_context(|| Failure::usage(format!("--cacert: cannot read {}", file.display())))?;
        Ok(Some(Trust::Only(pem)))
    }

    /// Who asks.
    fn user(&self) -> anyhow::Result<Option<String>> {
        let Some(user) = self.user.clone().or_else(|| variable(USER)) else {
            if self.password_stdin {
                return Err(Failure::usage("--password-stdin: whose password is it?")
                    .hint(format!("give --user NAME, or set {USER}"))
                    .into());
            }
            return Ok(None);
        };
        if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
            return Err(Failure::usage("--user: this is no user's name").into());
        }
        Ok(Some(user))
    }

    fn credentials(&self, user: Option<String>) -> anyhow::Result<Option<Credentials>> {
        let Some(user) = user else {
            return Ok(None);
        };
        let password = self.password(&user)?;
        Ok(Some(Credentials { user, password }))
    }

    fn password(&self, user: &str) -> anyhow::Result<Secret> {
        if self.password_stdin {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            if read.context("cannot read standard input")? == 0 {
                return Err(Failure::usage("--password-stdin: standard input is empty").into());
            }
            return Ok(Secret::new(line.trim_end_matches(['\r', '\n'])));
        }
        if let Some(password) = variable(PASSWORD) {
            return Ok(Secret::new(password));
        }
        if prompt::can_ask() {
            return Ok(Secret::new(prompt::ask_password(&format!(
                "Password of {user}"
            ))?));
        }
        Err(Failure::usage(format!("there is no password for {user}"))
            .hint(format!(
                "set {PASSWORD}, or give it on standard input with --password-stdin"
            ))
            .into())
    }
}

/// A path of the library as it was typed.
///
/// # Errors
///
/// A usage failure when it leads out of the library.
pub fn remote(typed: &str) -> anyhow::Result<RemotePath> {
    RemotePath::parse(typed).ok_or_else(|| {
        Failure::usage(format!("{typed} leads out of the library"))
            .hint("paths begin at the library's top, as in alice/models")
            .into()
    })
}

/// Whether whoever reads standard output has gone: that ends a command, and is no error.
pub fn nobody_reads(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

/// An empty variable counts as none.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
