//! Questions to GitLab over HTTP: few at once, with an end to each, and with the token in one header alone.

use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::log::{Level, Log};
use super::super::room::Held;
use super::super::shares::Shares;
use super::rest::Rest;
use super::settings::{Settings, is_loopback};
use super::trouble::{Trouble, clean};
use super::trust;

/// How many questions of users GitLab is asked at once; the others wait in line. Of these one user has half at most.
const AT_ONCE: usize = 8;
/// How long a question waits in line.
const IN_LINE: Duration = Duration::from_secs(10);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// After this, a connection that could not be made is tried once more.
const BEFORE_RETRY: Duration = Duration::from_millis(200);
/// How long an idle connection is kept: less than servers do, so that none is used while it closes.
const IDLE: Duration = Duration::from_secs(20);
/// The longest answer that is read for the words in it, in bytes.
const MAX_WORDS: u64 = 64 << 10;

/// Asks one GitLab.
pub struct Client {
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    settings: Settings,
    slots: Shares,
    rest: Rest,
    log: Log,
}

impl Client {
    /// A client for the GitLab of `settings`. A proxy that the environment names (HTTPS_PROXY, ALL_PROXY, NO_PROXY) is used: it
    /// carries TLS and sees no token. To this machine itself, where alone http will do, none is.
    ///
    /// # Errors
    ///
    /// Why TLS cannot be set up.
    pub fn new(settings: Settings, log: Log) -> anyhow::Result<Self> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(trust::config(settings.authorities.as_deref())?)
            .user_agent(concat!("dtaas/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT.min(settings.timeout))
            .timeout(settings.timeout)
            .pool_idle_timeout(IDLE);
        if is_loopback(&settings.url) {
            builder = builder.no_proxy();
        }
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", settings.token.expose()))?;
        authorization.set_sensitive(true);
        let headers = [
            (AUTHORIZATION, authorization),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ];
        Ok(Self {
            http: builder.build()?,
            url: settings.url.clone(),
            headers: headers.into_iter().collect(),
            settings,
            slots: Shares::halves(AT_ONCE),
            rest: Rest::default(),
            log,
        })
    }

    /// Asks, once whoever holds `held` has a place for it, and reads an answer of at most `limit` bytes, for which `held` takes room
    /// while it is read. Values go in `variables`, never into the text of `question`.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        question: &str,
        variables: Value,
        limit: u64,
        held: &mut Held,
    ) -> Result<T, Trouble> {
        let slot = tokio::time::timeout(IN_LINE, self.slots.slot(held.whose())).await;
        let Ok(Some(_slot)) = slot else {
            return Err(Trouble::Crowded);
        };
        self.ask_at_once(question, variables, limit, held).await
    }

    /// The same without waiting in line: for the server itself, which asks one thing at a time.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub async fn ask_at_once<T: DeserializeOwned>(
        &self,
        question: &str,
        variables: Value,
        limit: u64,
        held: &mut Held,
    ) -> Result<T, Trouble> {
        let begun = self.rest.enter(Instant::now(), self.settings.timeout)?;
        let body = json!({"query": question, "variables": variables}).to_string();
        let outcome = match self.send(body.clone()).await {
            // A connection that was never made asked nothing; it may be tried again, and only once.
            Err(Trouble::Unreachable(_)) => {
                tokio::time::sleep(BEFORE_RETRY).await;
                self.send(body).await
            }
            other => other,
        };
        let outcome = match outcome {
            Ok(response) => self.read(response, limit, held).await,
            Err(trouble) => Err(trouble),
        };
        match &outcome {
            Ok(_) => {
                if self.rest.answered(begun) {
                    self.log.event(Level::Warn, "GitLab answers again");
                }
            }
            Err(trouble) => {
                let length = self.rest.failed(begun, trouble, Instant::now());
                if let Some(length) = length {
                    let seconds = length.as_secs();
                    let line = format_args!("{trouble}; left alone for {seconds} s");
                    self.log.event(Level::Error, line);
                }
            }
        }
        outcome
    }

    async fn send(&self, body: String) -> Result<Response, Trouble> {
        let request = self
            .http
            .post(self.url.clone())
            .headers(self.headers.clone())
            .body(body);
        request.send().await.map_err(|error| self.trouble(&error))
    }

    /// What a failed exchange is. The first error of reqwest names the address, the last one the reason.
    fn trouble(&self, error: &reqwest::Error) -> Trouble {
        if error.is_timeout() && !error.is_connect() {
            return Trouble::Slow(self.settings.timeout);
        }
        let mut reason: &dyn std::error::Error = error;
        while let Some(deeper) = reason.source() {
            reason = deeper;
        }
        let reason = self.clean(&reason.to_string());
        match error.is_connect() {
            true => Trouble::Unreachable(reason),
            false => Trouble::Broken(reason),
        }
    }

    fn clean(&self, words: &str) -> String {
        clean(words, self.settings.token.expose())
    }

    async fn read<T: DeserializeOwned>(
        &self,
        response: Response,
        limit: u64,
        held: &mut Held,
    ) -> Result<T, Trouble> {
        let status = response.status();
        if status.is_redirection() {
            let to = response.headers().get(LOCATION);
            let to = to.and_then(|to| to.to_str().ok());
            return Err(Trouble::Redirected {
                status: status.as_u16(),
                to: to.map(|to| self.clean(without_query(to))),
            });
        }
        if status != StatusCode::OK {
            return Err(self.refused(status, response, held).await);
        }
        let body = self.body(response, limit, held).await?;
        let answer: Answer<T> = serde_json::from_slice(&body).map_err(|error| {
            Trouble::NotGraphql(match error.classify() {
                serde_json::error::Category::Data => "its answer has another form",
                serde_json::error::Category::Syntax
                | serde_json::error::Category::Eof
                | serde_json::error::Category::Io => "its answer is not JSON",
            })
        })?;
        if !answer.errors.is_empty() {
            return Err(Trouble::Errors(self.words(&answer.errors)));
        }
        answer.data.ok_or(Trouble::NotGraphql(
            "its answer holds neither data nor errors",
        ))
    }

    /// What an answer with another status than 200 says.
    async fn refused(&self, status: StatusCode, response: Response, held: &mut Held) -> Trouble {
        let after = response.headers().get(RETRY_AFTER);
        let after = after.and_then(|after| after.to_str().ok()?.trim().parse().ok());
        let after = after.map(Duration::from_secs);
        if status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::SERVICE_UNAVAILABLE && after.is_some())
        {
            return Trouble::Throttled(after);
        }
        // Without its body, the status says enough.
        let body = self.body(response, MAX_WORDS, held).await;
        let body = body.unwrap_or_default();
        let answer: Option<Answer<Value>> = serde_json::from_slice(&body).ok();
        let words = answer.filter(|answer| !answer.errors.is_empty());
        let words = words.map(|answer| self.words(&answer.errors));
        match status {
            StatusCode::UNAUTHORIZED => Trouble::TokenRefused(words),
            StatusCode::FORBIDDEN => Trouble::Forbidden(words),
            StatusCode::NOT_FOUND => Trouble::NotGraphql("nothing is there (404)"),
            _ => Trouble::Status {
                status: status.as_u16(),
                words,
            },
        }
    }

    fn words(&self, errors: &[Said]) -> String {
        let words: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
        self.clean(&words.join("; "))
    }

    async fn body(
        &self,
        mut response: Response,
        limit: u64,
        held: &mut Held,
    ) -> Result<Vec<u8>, Trouble> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.trouble(&e))? {
            let length = (body.len() + chunk.len()) as u64;
            if length > limit {
                return Err(Trouble::TooLarge(limit));
            }
            held.grow_to(length).map_err(Trouble::NoRoom)?;
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// An address without what may be private in it.
fn without_query(address: &str) -> &str {
    address.split(['?', '#']).next().unwrap_or(address)
}

/// An answer of a GraphQL API. GitLab gives the errors of its own, as 401, the same form.
#[derive(Deserialize)]
struct Answer<T> {
    data: Option<T>,
    #[serde(default)]
    errors: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    message: String,
}
