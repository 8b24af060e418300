//! A service's interface over HTTP: asked on its own machine, by TLS of the deployment's authority and nobody else's.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Certificate, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Failure;
use crate::platform::accounts::Endpoint;

/// How long one answer may take.
const ONE_ANSWER: Duration = Duration::from_secs(30);

/// The service does not take the administrator's password.
#[derive(Debug, thiserror::Error)]
#[error("{service} does not take the password of its administrator {administrator}")]
pub(super) struct Refused {
    service: String,
    administrator: String,
}

/// Who asks a service.
pub(super) struct Client<'a> {
    http: reqwest::Client,
    container: &'a str,
    service: &'a Endpoint,
}

impl<'a> Client<'a> {
    pub(super) fn new(container: &'a str, service: &'a Endpoint) -> anyhow::Result<Self> {
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
        })
    }

    /// What the service is called.
    pub(super) fn service(&self) -> &str {
        self.container
    }

    /// What is at a path.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let (status, body) = self.ask(Method::GET, path, None).await?;
        if !status.is_success() {
            return Err(self.unexpected("GET", path, status, &body));
        }
        serde_json::from_slice(&body).with_context(|| {
            format!(
                "{} answers GET {path} with something else than it should",
                self.container
            )
        })
    }

    /// Puts something at a path.
    pub(super) async fn put(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let (status, answer) = self.ask(Method::PUT, path, Some(body)).await?;
        match status.is_success() {
            true => Ok(()),
            false => Err(self.unexpected("PUT", path, status, &answer)),
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
            address,
            host,
            administrator,
            password,
            ..
        } = self.service;
        let url = format!("https://{host}:{}{path}", address.port());
        let mut request = self
            .http
            .request(method, url)
            .basic_auth(administrator, Some(password.expose()));
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body.to_string());
        }
        let silent = || {
            Failure::new(format!("{} does not answer as it should", self.container)).hint(format!(
                "see what it wrote with: docker logs {}; then run this again",
                self.container
            ))
        };
        let answer = request.send().await.with_context(silent)?;
        let status = answer.status();
        if status == StatusCode::UNAUTHORIZED {
            return Err(Refused {
                service: self.container.to_owned(),
                administrator: administrator.clone(),
            }
            .into());
        }
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
