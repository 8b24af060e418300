//! A service's interface over HTTP: asked on its own machine, by TLS of the deployment's authority and nobody else's.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Certificate, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Failure;
use crate::platform::accounts::Endpoint;
use crate::secrets::Secret;

/// How long one answer may take.
const ONE_ANSWER: Duration = Duration::from_secs(30);

/// The service does not take the administrator's password.
#[derive(Debug, thiserror::Error)]
#[error("{service} does not take the password of its administrator {administrator}")]
pub(super) struct Refused {
    service: String,
    administrator: String,
}

/// How the administrator shows who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// By name and password (RFC 7617).
    Password,
    /// By a token, InfluxDB's way.
    Token,
}

/// Who asks a service.
pub(super) struct Client<'a> {
    http: reqwest::Client,
    container: &'a str,
    service: &'a Endpoint,
    by: By,
    headers: Vec<(&'static str, String)>,
}

impl<'a> Client<'a> {
    pub(super) fn new(container: &'a str, service: &'a Endpoint, by: By) -> anyhow::Result<Self> {
        // Refused when there is one already: it is this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = Certificate::from_pem_bundle(service.authority.as_bytes())
            .context("the services' authority cannot be read")?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only(authority)
            .resolve(&service.host, service.address.into())
            .timeout(ONE_ANSWER)
            .build()
            .context("cannot ask the services")?;
        Ok(Self {
            http,
            container,
            service,
            by,
            headers: Vec::new(),
        })
    }

    /// The same with one more header.
    pub(super) fn with(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut headers = self.headers.clone();
        headers.push((name, value.into()));
        Self {
            http: self.http.clone(),
            headers,
            ..*self
        }
    }

    /// What the service is called.
    pub(super) fn service(&self) -> &str {
        self.container
    }

    /// What is at a path.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.read(Method::GET, path, None).await
    }

    /// What is at a path; `None` where there is nothing.
    pub(super) async fn find<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Option<T>> {
        match self.ask(Method::GET, path, None).await?.0 {
            StatusCode::NOT_FOUND => Ok(None),
            _ => self.get(path).await.map(Some),
        }
    }

    /// Sends something to a path, and reads what comes back.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<T> {
        self.read(Method::POST, path, Some(body)).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<T> {
        let (status, answer) = self.ask(method.clone(), path, body).await?;
        if !status.is_success() {
            return Err(self.unexpected(method.as_str(), path, status, &answer));
        }
        serde_json::from_slice(&answer).with_context(|| {
            format!(
                "{} answers {method} {path} with something else than it should",
                self.container
            )
        })
    }

    /// Puts something at a path.
    pub(super) async fn put(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        self.send(Method::PUT, path, body).await
    }

    /// Sends something to a path, where what comes back does not matter.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<()> {
        let (status, answer) = self.ask(method.clone(), path, Some(body)).await?;
        match status.is_success() {
            true => Ok(()),
            false => Err(self.unexpected(method.as_str(), path, status, &answer)),
        }
    }

    /// Puts something at a path; `false` where that is forbidden.
    pub(super) async fn put_if_allowed(&self, path: &str, body: &Value) -> anyhow::Result<bool> {
        let (status, answer) = self.ask(Method::PUT, path, Some(body)).await?;
        match status {
            StatusCode::FORBIDDEN => Ok(false),
            status if status.is_success() => Ok(true),
            status => Err(self.unexpected("PUT", path, status, &answer)),
        }
    }

    /// Whether a user is let in with a password, asked for what is at a path.
    pub(super) async fn lets_in(
        &self,
        path: &str,
        user: &str,
        password: &Secret,
    ) -> anyhow::Result<bool> {
        let request = self.request(Method::GET, path);
        let request = request.basic_auth(user, Some(password.expose()));
        let (status, answer) = self.answered(request).await?;
        match status {
            StatusCode::UNAUTHORIZED => Ok(false),
            status if status.is_success() => Ok(true),
            status => Err(self.unexpected("GET", path, status, &answer)),
        }
    }

    /// Removes what is at a path; what is not there is as good.
    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        let (status, answer) = self.ask(Method::DELETE, path, None).await?;
        match status.is_success() || status == StatusCode::NOT_FOUND {
            true => Ok(()),
            false => Err(self.unexpected("DELETE", path, status, &answer)),
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let Endpoint {
            administrator,
            password,
            ..
        } = self.service;
        let request = self.request(method, path);
        let mut request = match self.by {
            By::Password => request.basic_auth(administrator, Some(password.expose())),
            By::Token => request.header("Authorization", format!("Token {}", password.expose())),
        };
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body.to_string());
        }
        let (status, answer) = self.answered(request).await?;
        if status == StatusCode::UNAUTHORIZED {
            return Err(Refused {
                service: self.container.to_owned(),
                administrator: administrator.clone(),
            }
            .into());
        }
        Ok((status, answer))
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let Endpoint { address, host, .. } = self.service;
        let url = format!("https://{host}:{}{path}", address.port());
        self.http.request(method, url)
    }

    async fn answered(
        &self,
        request: reqwest::RequestBuilder,
    ) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let silent = || {
            Failure::new(format!("{} does not answer as it should", self.container)).hint(format!(
                "see what it wrote with: docker logs {}; then run this again",
                self.container
            ))
        };
        let answer = request.send().await.with_context(silent)?;
        let status = answer.status();
        Ok((status, answer.bytes().await.with_context(silent)?.into()))
    }

    fn unexpected(
        &self,
        method: &str,
        path: &str,
        status: StatusCode,
        body: &[u8],
    ) -> anyhow::Error {
        let body = String::from_utf8_lossy(body);
        let said: String = body.chars().take(200).collect();
        Failure::new(format!(
            "{} answers {method} {path} with {status}: {}",
            self.container,
            said.trim()
        ))
        .hint(format!(
            "see what it wrote with: docker logs {}",
            self.container
        ))
        .into()
    }
}
