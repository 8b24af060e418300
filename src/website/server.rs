//! The website's server: a few embedded files, `env.js` and `whoami`.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::build::Build;
use super::{assets, markdown};
use crate::error::Failure;
use crate::gate::{self, Proof};
use crate::page;
use crate::secrets::Secret;
use crate::serve;
use crate::spec::names::{BasePath, UserName};

/// How the website is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A loopback address.
    pub listen: SocketAddr,
    /// The rendered `env.js`.
    pub env: Env,
    /// The zip of another website, which is served in place of ours.
    pub build: Option<PathBuf>,
    /// Where the platform begins below its domain.
    pub base_path: BasePath,
    /// The file of the gateway's secret; `None` serves everyone who can connect, and believes nobody's name.
    pub gateway_secret_file: Option<PathBuf>,
}

/// Where `env.js` comes from.
#[derive(Debug, Clone)]
pub enum Env {
    /// From a file, read anew at each request.
    File(PathBuf),
    /// From here.
    Text(String),
}

/// Who is looking at the page, as the page is told.
#[derive(Default, Serialize)]
struct Visitor {
    /// The user's name; `None` where nobody says it who is believed.
    user: Option<UserName>,
    /// The groups that the user is in.
    groups: Vec<String>,
}

/// So many texts are rendered at a time; each keeps a processor busy for some milliseconds.
const RENDERS: usize = 2;

struct Website {
    env: Env,
    build: Option<Build>,
    base: String,
    secret: Option<Secret>,
    not_found: String,
    renders: Arc<Semaphore>,
}

/// Serves until stopped.
///
/// # Errors
/// When the secret cannot be read or the address cannot be listened on.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let secret = settings
        .gateway_secret_file
        .as_deref()
        .map(gate::read_secret)
        .transpose()?;
    let build = settings.build.as_deref().map(opened).transpose()?;
    let app = router_of(settings.env, &settings.base_path, secret, build);
    serve::on_loopback("website", settings.listen, app).await
}

/// The website that a zip holds.
fn opened(path: &Path) -> anyhow::Result<Build> {
    let shown = path.display();
    let bytes = std::fs::read(path)
        .with_context(|| Failure::usage(format!("website: {shown} cannot be read")))?;
    Build::read(&bytes).map_err(|unfit| {
        Failure::usage(format!("website: {shown} cannot be served: {unfit}")).into()
    })
}

/// The website below a base path. With a secret it answers only those who bring it, and believes what they say about the
/// user; without, it serves everyone, and believes nobody's name.
pub fn router(env: Env, base_path: &BasePath, secret: Option<Secret>) -> Router {
    router_of(env, base_path, secret, None)
}

fn router_of(
    env: Env,
    base_path: &BasePath,
    secret: Option<Secret>,
    build: Option<Build>,
) -> Router {
    let base = base_path.path("");
    let website = Website {
        env,
        build,
        secret,
        // A base path is letters, digits, '.', '_' and '-': nothing that HTML would take for its own.
        renders: Arc::new(Semaphore::new(RENDERS)),
        not_found: include_str!("../../website/not-found.html").replace("{base}", &base),
        base,
    };
    Router::new().fallback(answer).with_state(Arc::new(website))
}

/// A text in Markdown as HTML that the page may show.
async fn rendered(text: Body, places: Arc<Semaphore>) -> Response {
    let Ok(bytes) = to_bytes(text, markdown::LONGEST).await else {
        let text = "This text is too long to be shown.\n";
        return (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
    };
    let Ok(text) = String::from_utf8(bytes.into()) else {
        return (StatusCode::UNPROCESSABLE_ENTITY, "This is no text.\n").into_response();
    };
    // A long one takes a while, and what has begun goes on when nobody waits for it any more: only so many at a time.
    let Ok(place) = places.acquire_owned().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    match tokio::task::spawn_blocking(move || {
        let _place = place;
        markdown::rendered(&text)
    })
    .await
    {
        // As text: it is the page that makes it a part of itself, and an address of its own it is not.
        Ok(html) => html.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn answer(State(website): State<Arc<Website>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = website.respond(&parts, body).await;
    page::guard(&mut response);
    response
}

impl Website {
    async fn respond(&self, request: &Parts, body: Body) -> Response {
        let (path, headers) = (request.uri.path(), &request.headers);
        if path == "/healthz" {
            return "ready\n".into_response();
        }
        if let Some(secret) = &self.secret
            && gate::proof(headers, secret) != Proof::Right
        {
            return (StatusCode::FORBIDDEN, "Only the gateway may ask.\n").into_response();
        }
        if request.method == Method::POST && path.strip_prefix(&self.base) == Some("/render") {
            return rendered(body, Arc::clone(&self.renders)).await;
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
            Some("/") if self.build.is_none() => assets::INDEX.send(headers),
            Some("/env.js") => self.env().await,
            Some("/whoami") => axum::Json(self.visitor(headers)).into_response(),
            Some(rest) => {
                let found = match &self.build {
                    Some(build) => rest
                        .strip_prefix('/')
                        .and_then(|path| build.answer(path, headers)),
                    None => rest
                        .strip_prefix("/static/")
                        .and_then(assets::find)
                        .map(|asset| asset.send(headers)),
                };
                found.unwrap_or_else(|| self.not_found())
            }
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
        let script = [(CONTENT_TYPE, page::SCRIPT)];
        let file = match &self.env {
            Env::Text(text) => return (script, text.clone()).into_response(),
            Env::File(file) => file,
        };
        match tokio::fs::read(file).await {
            Ok(text) => (script, text).into_response(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                eprintln!("website: {} is not there", file.display());
                self.not_found()
            }
            Err(error) => {
                eprintln!("website: {}: {error}", file.display());
                let text = "env.js cannot be read.\n";
                (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
            }
        }
    }

    fn not_found(&self) -> Response {
        let html = [(CONTENT_TYPE, page::HTML)];
        (StatusCode::NOT_FOUND, html, self.not_found.clone()).into_response()
    }
}
