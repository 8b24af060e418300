//! The website's server: a few embedded files, `env.js` and `whoami`.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::assets::{self, Asset};
use serde::Serialize;

use crate::gate::{self, Proof};
use crate::secrets::Secret;
use crate::serve;
use crate::spec::names::{BasePath, UserName};

/// Nothing from elsewhere, nothing inline: a page that shows users' names and files runs no script but its own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'";

/// How the website is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A loopback address.
    pub listen: SocketAddr,
    /// The rendered `env.js`.
    pub env: PathBuf,
    /// Where the platform begins below its domain.
    pub base_path: BasePath,
    /// The file of the gateway's secret; `None` serves everyone who can connect, and believes nobody's name.
    pub gateway_secret_file: Option<PathBuf>,
}

/// Who is looking at the page, as the page is told.
#[derive(Default, Serialize)]
struct Visitor {
    /// The user's name; `None` where nobody says it who is believed.
    user: Option<UserName>,
    /// The groups that the user is in.
    groups: Vec<String>,
}

struct Website {
    env: PathBuf,
    base: String,
    secret: Option<Secret>,
    not_found: String,
}

/// Serves until stopped.
///
/// # Errors
/// When the secret cannot be read or the address cannot be listened on.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let base = settings.base_path.path("");
    let website = Website {
        env: settings.env,
        secret: settings
            .gateway_secret_file
            .as_deref()
            .map(gate::read_secret)
            .transpose()?,
        // A base path is letters, digits, '.', '_' and '-': nothing that HTML would take for its own.
        not_found: include_str!("../../website/not-found.html").replace("{base}", &base),
        base,
    };
    let app = Router::new().fallback(answer).with_state(Arc::new(website));
    serve::on_loopback("website", settings.listen, app).await
}

async fn answer(State(website): State<Arc<Website>>, request: Request) -> Response {
    let mut response = website.respond(&request.into_parts().0).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

impl Website {
    async fn respond(&self, request: &Parts) -> Response {
        let (path, headers) = (request.uri.path(), &request.headers);
        if path == "/healthz" {
            return "ready\n".into_response();
        }
        if let Some(secret) = &self.secret
            && gate::proof(headers, secret) != Proof::Right
        {
            return (StatusCode::FORBIDDEN, "Only the gateway may ask.\n").into_response();
        }
        if !matches!(request.method, Method::GET | Method::HEAD) {
            let allow = [(ALLOW, "GET, HEAD")];
            return (
                StatusCode::METHOD_NOT_ALLOWED,
                allow,
                "Only GET and HEAD.\n",
            )
                .into_response();
        }
        match path.strip_prefix(&self.base) {
            Some("") => {
                let to_the_page = [(LOCATION, format!("{}/", self.base))];
                (StatusCode::PERMANENT_REDIRECT, to_the_page).into_response()
            }
            Some("/") => file(&assets::INDEX, headers),
            Some("/env.js") => self.env().await,
            Some("/whoami") => axum::Json(self.visitor(headers)).into_response(),
            Some(rest) => match rest.strip_prefix("/static/").and_then(assets::find) {
                Some(asset) => file(asset, headers),
                None => self.not_found(),
            },
            None => self.not_found(),
        }
    }

    fn visitor(&self, headers: &HeaderMap) -> Visitor {
        match self.secret {
            Some(_) => Visitor {
                user: gate::user(headers),
                groups: gate::groups(headers),
            },
            None => Visitor::default(),
        }
    }

    async fn env(&self) -> Response {
        let script = [(CONTENT_TYPE, "text/javascript; charset=utf-8")];
        match tokio::fs::read(&self.env).await {
            Ok(text) => (script, text).into_response(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                eprintln!("website: {} is not there", self.env.display());
                self.not_found()
            }
            Err(error) => {
                eprintln!("website: {}: {error}", self.env.display());
                let text = "env.js cannot be read.\n";
                (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
            }
        }
    }

    fn not_found(&self) -> Response {
        let html = [(CONTENT_TYPE, "text/html; charset=utf-8")];
        (StatusCode::NOT_FOUND, html, self.not_found.clone()).into_response()
    }
}

/// A browser keeps the file and asks each time whether it is still the one: another version of the executable may have another.
fn file(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == asset.etag);
    let caching = [(ETAG, asset.etag.as_str()), (CACHE_CONTROL, "no-cache")];
    if known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(CONTENT_TYPE, asset.content_type)], asset.body).into_response()
}
