//! A visitor of the platform: requests byte by byte through the gateway, with TLS verified against the deployment's authority.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};

use super::deployment::Deployment;
use crate::loopback::Answer;

/// A request that is being put together.
pub struct Request<'a> {
    deployment: &'a Deployment,
    method: &'a str,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Deployment {
    /// `GET` of a path below the base path; it is sent as it stands.
    pub fn get(&self, path: &str) -> Request<'_> {
        Request {
            deployment: self,
            method: "GET",
            path: format!("{}{path}", self.base),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// `POST` of JSON to a path below the base path.
    pub fn post(&self, path: &str, body: &str) -> Request<'_> {
        Request {
            method: "POST",
            body: body.to_owned(),
            ..self.get(path)
        }
        .with("Content-Type", "application/json")
    }

    /// A connection by TLS, for what is not one request and its answer.
    pub fn connect(&self) -> StreamOwned<ClientConnection, TcpStream> {
        let tls = ClientConnection::new(self.trust(), self.server_name()).unwrap();
        StreamOwned::new(tls, connect(self.address, self.port()))
    }

    /// Whether the gateway speaks TLS.
    pub fn has_tls(&self) -> bool {
        self.path("config/gateway/tls/cert.pem").exists()
    }

    /// The port that the platform is at.
    pub fn port(&self) -> u16 {
        match self.has_tls() {
            true => self.ports.https,
            false => self.ports.http,
        }
    }

    /// What browsers call it, with the port.
    pub fn host(&self) -> String {
        format!("{}:{}", self.domain, self.port())
    }

    /// Trusts the deployment's authority, and nobody else.
    pub fn trust(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let authority = self.path("secrets/tls/authority.pem");
        roots
            .add(CertificateDer::from_pem_file(authority).unwrap())
            .unwrap();
        let provider = Arc::new(crypto::ring::default_provider());
        Arc::new(
            ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth(),
        )
    }

    /// The name that the certificate must be for.
    pub fn server_name(&self) -> ServerName<'static> {
        self.domain.clone().try_into().unwrap()
    }

    /// A user's credentials as the header has them.
    pub fn credentials(&self, user: &str) -> String {
        let both = format!("{user}:{}", self.password(user));
        format!("Basic {}", STANDARD.encode(both))
    }
}

impl<'a> Request<'a> {
    /// With a user's credentials.
    pub fn by(self, user: &str) -> Self {
        let credentials = self.deployment.credentials(user);
        self.with("Authorization", &credentials)
    }

    /// At another path, which need not lie below the base path.
    pub fn at(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With another method.
    pub fn method(mut self, method: &'a str) -> Self {
        self.method = method;
        self
    }

    /// The answer's status.
    pub fn status(self) -> u16 {
        self.send().status
    }

    /// Sends it to the gateway's usual port.
    pub fn send(self) -> Answer {
        let deployment = self.deployment;
        let request = self.text(&deployment.host());
        if !deployment.has_tls() {
            return exchange(connect(deployment.address, deployment.port()), &request);
        }
        exchange(deployment.connect(), &request)
    }

    /// Sends it without TLS to the port for that.
    pub fn send_to_http(self) -> Answer {
        let port = self.deployment.ports.http;
        let request = self.text(&format!("{}:{port}", self.deployment.domain));
        exchange(connect(self.deployment.address, port), &request)
    }

    fn text(&self, host: &str) -> String {
        let mut text = format!("{} {} HTTP/1.1\r\nHost: {host}\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name == "Connection") {
            text += "Connection: close\r\n";
        }
        if self.method == "POST" {
            text += &format!("Content-Length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text + "\r\n" + &self.body
    }
}

fn connect(address: Ipv4Addr, port: u16) -> TcpStream {
    let connection = TcpStream::connect((address, port)).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    connection
}

fn exchange(mut connection: impl Read + Write, request: &str) -> Answer {
    connection.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes).unwrap();
    Answer::parse(&bytes)
}

/// Fills in the sign-in page's form; answers with the status, 303 for whoever is in.
pub fn signs_in(deployment: &Deployment, user: &str, password: &str) -> u16 {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([("user", user), ("password", password), ("to", "/")]);
    let request = Request {
        method: "POST",
        body: form.finish(),
        ..deployment.get("/signin")
    };
    request
        .with("Content-Type", "application/x-www-form-urlencoded")
        .with("Origin", &format!("https://{}", deployment.host()))
        .status()
}

/// Asks until the answer is as expected; fails when it is not within the time.
pub fn within(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    loop {
        // What was asked for in time counts, also when the answer took a while.
        let asked = begun.elapsed();
        if holds() {
            return;
        }
        assert!(asked < patience, "not within {patience:?}: {what}");
    }
}
