//! `account/shares`: what a user shares, seen, made and ended.

use std::path::Path;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::asked::Asked;
use super::super::endpoint::{Endpoint, Known, now};
use super::super::shares::{self, Refused, Share, Wanted};
use super::{answer, body, done, failed, problem};
use crate::spec::names::{ShareName, UserName};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    port: u16,
    #[serde(default)]
    public: bool,
    days: u32,
    current: String,
}

/// A share as programs and the website are told of it; `base` is where the platform begins.
pub fn shown(share: &Share, user: &UserName, base: &str) -> Value {
    json!({
        "name": share.name,
        "port": share.port,
        "public": share.token.is_none(),
        "until": share.ends(),
        "url": format!("{base}{}", share.path(user)),
    })
}

impl Endpoint {
    /// What is at `shares` and below.
    pub(super) async fn shares(
        &self,
        directory: &Path,
        known: &Known,
        asked: &Asked<'_>,
        rest: &str,
        sent: Body,
    ) -> Response {
        let user = &known.user;
        match (rest, &asked.method) {
            ("", &Method::GET) => match shares::of(directory, user, now()) {
                Ok(shares) => {
                    let shares: Vec<Value> = shares
                        .iter()
                        .map(|share| shown(share, user, &self.base))
                        .collect();
                    answer(StatusCode::OK, json!({ "shares": shares }))
                }
                Err(error) => failed(&format!("{error:#}")),
            },
            ("", &Method::POST) => {
                let made = self.share(directory, known, asked, sent).await;
                made.unwrap_or_else(|refused| refused)
            }
            (name, &Method::DELETE) if !name.is_empty() => {
                let Ok(name) = name.parse::<ShareName>() else {
                    return problem(StatusCode::NOT_FOUND, "Nothing of that name is shared.");
                };
                let (at, whose, what) = (directory.to_owned(), user.clone(), name.clone());
                let removed = self
                    .writing
                    .of(user, move || shares::remove(&at, &whose, &what, now()))
                    .await;
                match removed {
                    Ok(true) => {
                        eprintln!("auth: {user} shares {name} no more");
                        done()
                    }
                    Ok(false) => problem(StatusCode::NOT_FOUND, "Nothing of that name is shared."),
                    Err(error) => failed(&format!("{error:#}")),
                }
            }
            _ => problem(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here."),
        }
    }

    async fn share(
        &self,
        directory: &Path,
        known: &Known,
        asked: &Asked<'_>,
        sent: Body,
    ) -> Result<Response, Response> {
        let New {
            name,
            port,
            public,
            days,
            current,
        } = body(sent).await?;
        let unfit = |rule: String| problem(StatusCode::UNPROCESSABLE_ENTITY, format!("{rule}."));
        let name = name
            .parse::<ShareName>()
            .map_err(|error| unfit(error.to_string()))?;
        self.prove(known, asked, &current).await?;
        let user = &known.user;
        let wanted = Wanted {
            name,
            port,
            public,
            days,
        };
        let (at, whose) = (directory.to_owned(), user.clone());
        let added = self
            .writing
            .of(user, move || shares::add(&at, &whose, wanted, now()))
            .await;
        let (share, token) = added.map_err(|error| match error.downcast::<Refused>() {
            Ok(Refused::Taken) => problem(
                StatusCode::CONFLICT,
                "You share something of that name already.",
            ),
            Ok(Refused::Unfit(rule)) => unfit(rule),
            Err(error) => failed(&format!("{error:#}")),
        })?;
        eprintln!("auth: {user} shares port {port} as {}", share.name);
        let mut value = shown(&share, user, &self.base);
        let origin = asked.origin().unwrap_or_default();
        let link = share.link(user, token.as_ref());
        value["link"] = json!(format!("{origin}{}{link}", self.base));
        Ok(answer(StatusCode::CREATED, value))
    }
}
