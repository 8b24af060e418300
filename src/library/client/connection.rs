//! A connection to one library.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use reqwest::header::{HeaderValue, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;

use crate::error::Failure;
use crate::ui::printable::printable;

use super::access::{Access, Endpoint, Trust};
use super::path::RemotePath;
use super::problem::{Problem, Refused};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(15);
/// How long an answer may take to begin. The server gives up on its own before.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How much of a refusal is read.
const MOST_OF_A_REFUSAL: usize = 64 << 10;

/// A connection to one library; it is made when it is first used, and kept.
#[derive(Debug, Clone)]
pub struct Connection {
    http: reqwest::Client,
    access: Access,
}

impl Connection {
    /// Prepares it.
    ///
    /// # Errors
    ///
    /// A usage failure when the certificates that are to count cannot be used.
    pub fn new(access: Access) -> anyhow::Result<Self> {
        // Refused when there is one already: it is this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("dtaas/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT);
        builder = match &access.trust {
            Trust::Only(pem) => builder.tls_certs_only(certificates(pem)?),
            // Nobody's certificate is asked for, and the system's need not be read.
            Trust::System if !access.endpoint.has_tls() => builder.tls_certs_only([]),
            Trust::System => builder,
        };
        if let Some(at) = access.at {
            builder = builder.resolve(access.endpoint.host(), at);
        }
        // Through a proxy a password would travel without TLS, and this machine's own addresses are another's there.
        if access.at.is_some() || access.endpoint.is_loopback() || !access.endpoint.has_tls() {
            builder = builder.no_proxy();
        }
        let http = builder.build().with_context(|| {
            Failure::new("this machine's authorities cannot be read").hint(
                "install the package ca-certificates, or name the authority's file with --cacert",
            )
        })?;
        Ok(Self { http, access })
    }

    /// Where it leads.
    pub fn endpoint(&self) -> &Endpoint {
        &self.access.endpoint
    }

    /// A request about a file or a directory.
    pub fn file(&self, method: Method, path: &RemotePath) -> RequestBuilder {
        self.request(method, self.access.endpoint.file(path))
    }

    /// A request to an address of the library, with the credentials.
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url);
        match &self.access.credentials {
            Some(who) => request.basic_auth(&who.user, Some(who.password.expose())),
            None => request,
        }
    }

    /// Sends a request; what comes back is a success.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, Problem> {
        let sending = tokio::time::timeout(PATIENCE, request.send());
        let answer = sending
            .await
            .map_err(|_| self.silent())?
            .map_err(|error| self.broke(&error))?;
        match answer.status().is_success() {
            true => Ok(answer),
            false => Err(self.refusal(answer).await),
        }
    }

    /// What an answer that is no success says.
    pub async fn refusal(&self, mut answer: Response) -> Problem {
        let status = answer.status();
        let endpoint = self.access.endpoint.to_string();
        let to = answer.headers().get(LOCATION).map(shown);
        let mut body = Vec::new();
        while let Ok(Some(piece)) = self.piece(&mut answer).await {
            body.extend_from_slice(&piece);
            if body.len() > MOST_OF_A_REFUSAL {
                break;
            }
        }
        match (&self.access.credentials, to) {
            (_, Some(to)) if status.is_redirection() => Problem::Elsewhere { endpoint, to },
            (None, _) if status == StatusCode::UNAUTHORIZED => Problem::Anonymous { endpoint },
            (Some(who), _) if status == StatusCode::UNAUTHORIZED => Problem::WrongCredentials {
                endpoint,
                user: printable(&who.user).into_owned(),
            },
            (Some(_) | None, _) => Problem::Refused(told(status, &body)),
        }
    }

    /// The next piece of an answer's body; `None` at its end.
    ///
    /// # Errors
    ///
    /// The connection broke off, or nothing came for too long.
    pub async fn piece(&self, answer: &mut Response) -> Result<Option<Bytes>, Problem> {
        match tokio::time::timeout(PATIENCE, answer.chunk()).await {
            Ok(piece) => piece.map_err(|error| self.broke(&error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// The client's error in words.
    pub fn broke(&self, error: &reqwest::Error) -> Problem {
        Problem::of_connection(self.access.endpoint.to_string(), error)
    }

    /// Nothing came for too long.
    pub fn silent(&self) -> Problem {
        Problem::BrokeOff {
            endpoint: self.access.endpoint.to_string(),
            reason: format!("nothing came for {} s", PATIENCE.as_secs()),
        }
    }
}

fn certificates(pem: &[u8]) -> anyhow::Result<Vec<reqwest::Certificate>> {
    let unusable = || Failure::usage("--cacert: the file holds no certificate (PEM)");
    let found = reqwest::Certificate::from_pem_bundle(pem).with_context(unusable)?;
    match found.is_empty() {
        true => Err(unusable().into()),
        false => Ok(found),
    }
}

fn shown(value: &HeaderValue) -> String {
    printable(&String::from_utf8_lossy(value.as_bytes())).into_owned()
}

/// What a refusal says: the library's own words, or those of whatever answered in its place.
fn told(status: StatusCode, body: &[u8]) -> Refused {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    match refused(status, &json) {
        Some(refused) => refused,
        None => Refused {
            status,
            code: None,
            message: format!("the platform answers {status}"),
        },
    }
}

/// The first of the errors in an answer of the library.
pub fn refused(status: StatusCode, answer: &Value) -> Option<Refused> {
    let error = answer.get("errors")?.get(0)?;
    let message = error.get("message")?.as_str()?;
    let code = error.pointer("/extensions/code").and_then(Value::as_str);
    Some(Refused {
        status,
        code: code.map(str::to_owned),
        message: printable(message).into_owned(),
    })
}
