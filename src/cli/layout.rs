//! What `init` and `import` are told of the machine: names, addresses, ports, the certificate.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ipnet::Ipv4Net;

use crate::deployment::init::Request;
use crate::deployment::room::Room;
use crate::spec::model::{self, AuthMode};
use crate::spec::names::DeploymentName;

/// How a new deployment lies on its machine.
#[derive(Debug, Args)]
pub struct Layout {
    /// Which machines there are and what runs on each.
    #[arg(long)]
    profile: Option<String>,
    /// Tells this deployment from others on the same machine; the domain, unless given.
    #[arg(long)]
    name: Option<DeploymentName>,
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

impl Layout {
    /// What `init` makes a deployment of, as far as it is said here.
    pub fn request(&self) -> Request {
        Request {
            name: self.name.clone(),
            profile: self.profile.clone(),
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
            ..Request::default()
        }
    }
}

/// Paths in `dtaas.yaml` are relative to it, and those of the command line are not.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
