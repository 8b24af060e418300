//! What users do with their own account, from the website: `account/…`, in JSON.
//!
//! What a workspace serves runs on the platform's own origin, so whoever is signed in may not be who asks: what gives something away, or
//! changes it for good, takes the current password.

pub mod shares;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::asked::Asked;
use super::basic::Credentials;
use super::endpoint::{Endpoint, Known, Unknown, now, seconds};
use super::{password, store};
use crate::machine::files::Tree;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// The most that is sent here, in bytes.
const BODY_MAX: usize = 16 * 1024;

/// What users see of their own account.
#[derive(Debug, Clone)]
pub struct Account {
    /// A folder for each user with what a workspace has of the services, where there is one.
    pub credentials: Option<PathBuf>,
    /// A file for each user with what the user shares, where sharing is offered.
    pub shares: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Passwords {
    current: String,
    new: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Current {
    current: String,
}

/// An answer that says what is wrong.
pub(super) fn problem(status: StatusCode, text: impl Into<String>) -> Response {
    answer(status, json!({ "error": text.into() }))
}

pub(super) fn answer(status: StatusCode, value: Value) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], axum::Json(value)).into_response()
}

fn done() -> Response {
    (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "no-store")]).into_response()
}

/// What was sent.
///
/// # Errors
/// The answer to what cannot be read.
pub(super) async fn body<T: DeserializeOwned>(body: Body) -> Result<T, Response> {
    let bytes = to_bytes(body, BODY_MAX)
        .await
        .map_err(|_| problem(StatusCode::PAYLOAD_TOO_LARGE, "This is too much."))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        problem(
            StatusCode::BAD_REQUEST,
            format!("This cannot be read: {error}."),
        )
    })
}

impl Endpoint {
    /// What is at `account/` and below.
    pub(super) async fn account(
        &self,
        account: &Account,
        rest: &str,
        request: Request,
    ) -> Response {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, Body::empty());
        let asked = self.front.before(&request);
        let known = match self.who(&asked).await {
            Ok(known) => known,
            Err(unknown) => return refused(&unknown),
        };
        match (rest, &asked.method) {
            ("me", &Method::GET) => self.me(&known, &asked),
            ("signout", &Method::POST) => self.sign_out(&known, &asked).await,
            ("password", &Method::POST) => self.change_password(&known, &asked, body).await,
            ("credentials", &Method::POST) => self.credentials(account, &known, &asked, body).await,
            (rest, _) if rest == "shares" || rest.starts_with("shares/") => match &account.shares {
                Some(directory) => {
                    let name = rest["shares".len()..].trim_start_matches('/');
                    self.shares(directory, &known, &asked, name, body).await
                }
                None => problem(StatusCode::NOT_FOUND, "Nothing can be shared here."),
            },
            ("me" | "signout" | "password" | "credentials", _) => {
                problem(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here.")
            }
            _ => problem(StatusCode::NOT_FOUND, "There is nothing here."),
        }
    }

    fn me(&self, known: &Known, asked: &Asked<'_>) -> Response {
        let groups = known.pass.groups.to_str().unwrap_or_default().split(',');
        let groups: Vec<&str> = groups.filter(|group| !group.is_empty()).collect();
        let until = known.session.as_ref().map(|session| session.until);
        let me = json!({ "user": known.user, "groups": groups, "until": until });
        let mut response = answer(StatusCode::OK, me);
        let renewed = known
            .session
            .as_ref()
            .and_then(|session| self.sessions.renewed(session, asked, now()));
        if let Some(cookie) = renewed {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        response
    }

    async fn sign_out(&self, known: &Known, asked: &Asked<'_>) -> Response {
        let (sessions, user) = (Arc::clone(&self.sessions), known.user.clone());
        let ended = self
            .writing
            .of(&known.user, move || sessions.end(&user))
            .await;
        if let Err(error) = ended {
            eprintln!("auth: {error:#}");
            return problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "You cannot be signed out just now. Tell your operator.",
            );
        }
        eprintln!("auth: {} signed out", known.user);
        let mut response = done();
        if let Some(cookie) = self.sessions.forgotten(asked) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        response
    }

    /// Looks whether whoever is signed in knows the password.
    ///
    /// # Errors
    /// The answer to whoever does not.
    pub(super) async fn prove(
        &self,
        known: &Known,
        asked: &Asked<'_>,
        password: &str,
    ) -> Result<(), Response> {
        let credentials = Credentials {
            user: known.user.clone(),
            password: Secret::new(password),
        };
        match self.verified(credentials, asked).await {
            Ok(_) => Ok(()),
            Err(Unknown::Nobody | Unknown::Wrong) => Err(problem(
                StatusCode::FORBIDDEN,
                "That is not your current password.",
            )),
            Err(unknown) => Err(refused(&unknown)),
        }
    }

    async fn change_password(&self, known: &Known, asked: &Asked<'_>, sent: Body) -> Response {
        let changed = async {
            let Passwords { current, new } = body(sent).await?;
            self.prove(known, asked, &current).await?;
            let new = Secret::new(new);
            let hashed = tokio::task::spawn_blocking(move || password::hash(&new)).await;
            let hash = match hashed {
                Ok(Ok(hash)) => hash,
                Ok(Err(error)) => {
                    let text = format!("Choose another one: {error}.");
                    return Err(problem(StatusCode::UNPROCESSABLE_ENTITY, text));
                }
                Err(error) => return Err(failed(&error.to_string())),
            };
            let (directory, user) = (self.directories.htpasswd.clone(), known.user.clone());
            self.writing
                .of(&known.user, move || {
                    store::replace(&directory, &user, &hash)
                })
                .await
                .map_err(|error| failed(&format!("{error:#}")))
        };
        if let Err(response) = changed.await {
            return response;
        }
        eprintln!("auth: {} has a new password", known.user);
        let mut response = done();
        // It has ended all of the user's sessions; here one begins.
        if known.session.is_some()
            && let Ok(Some(cookie)) = self.begin(&known.user, asked).await
        {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        response
    }

    async fn credentials(
        &self,
        account: &Account,
        known: &Known,
        asked: &Asked<'_>,
        sent: Body,
    ) -> Response {
        let proved = async {
            let Current { current } = body(sent).await?;
            self.prove(known, asked, &current).await
        };
        if let Err(response) = proved.await {
            return response;
        }
        match account.variables(&known.user) {
            Ok(Some(variables)) => answer(StatusCode::OK, json!({ "variables": variables })),
            Ok(None) => problem(
                StatusCode::NOT_FOUND,
                "There are no services with accounts here.",
            ),
            Err(error) => failed(&error.to_string()),
        }
    }
}

impl Account {
    /// A user's variables, as a workspace has them; `None` where there are none.
    fn variables(&self, user: &UserName) -> io::Result<Option<Vec<Value>>> {
        let Some(directory) = &self.credentials else {
            return Ok(None);
        };
        let tree = Tree::open(directory).map_err(io::Error::other)?;
        let path = PathBuf::from(format!("{user}/services.env"));
        let Some(bytes) = tree.read(&path).map_err(io::Error::other)? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).map_err(io::Error::other)?;
        Ok(Some(
            text.lines()
                .filter_map(variable)
                .map(|(name, value)| json!({ "name": name, "value": value }))
                .collect(),
        ))
    }
}

/// A line of what a shell reads: `NAME=value` or `NAME='value'`, as we write it.
fn variable(line: &str) -> Option<(&str, String)> {
    let (name, value) = line.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let bare = value
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    is_name.then(|| (name, bare.unwrap_or(value).replace("'\\''", "'")))
}

fn failed(why: &str) -> Response {
    eprintln!("auth: {why}");
    problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        "This does not work just now. Tell your operator.",
    )
}

/// What is said here to whoever is not known.
pub(super) fn refused(unknown: &Unknown) -> Response {
    match unknown {
        Unknown::Nobody | Unknown::Wrong => problem(StatusCode::UNAUTHORIZED, "Sign in."),
        Unknown::Slow(wait) => {
            let wait = seconds(*wait);
            let text = format!("There were too many wrong passwords. Try again in {wait} s.");
            let later = [(RETRY_AFTER, HeaderValue::from(wait))];
            (later, problem(StatusCode::TOO_MANY_REQUESTS, text)).into_response()
        }
        Unknown::Busy => problem(StatusCode::SERVICE_UNAVAILABLE, "Try again in a moment."),
        // The operator was told of the file.
        Unknown::Broken => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Your account cannot be read. Tell your operator.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_as_a_shell_reads_them() {
        let read = |line| variable(line).map(|(name, value)| format!("{name} is {value}"));
        assert_eq!(read("A_B='c d'").as_deref(), Some("A_B is c d"));
        assert_eq!(read("A=1=2").as_deref(), Some("A is 1=2"));
        assert_eq!(read("A='it'\\''s'").as_deref(), Some("A is it's"));
        for none in ["# A=1", "", "=x", "export A=1"] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
