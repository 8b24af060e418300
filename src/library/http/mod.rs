//! The library over HTTP: GraphQL at its endpoint, the files themselves below it, and the server's own health.

mod files;
mod graphql;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use self::graphql::{Outcome, respond};
use super::answer::Answers;
use super::gate::Gate;
use super::log::{Level, Log};
use super::path::Viewer;
use super::source::Source;

/// Answers as long as the process can answer at all.
pub const HEALTHZ: &str = "/healthz";
/// Answers while the library can be read.
pub const READYZ: &str = "/readyz";

/// What the server needs to answer.
pub struct Service {
    /// Answers GraphQL.
    pub answers: Answers,
    /// The source, for readiness.
    pub source: Arc<dyn Source>,
    /// Who may ask.
    pub gate: Gate,
    /// Where the endpoint is: empty, or with a slash in front and none behind.
    pub path: String,
    /// The largest body of a request, in bytes.
    pub max_body: usize,
    /// What one request may bring together, in bytes.
    pub max_answer: u64,
    /// Where requests are logged.
    pub log: Log,
}

/// The service as a router. One handler for all, so that an endpoint at any path is answered alike.
pub fn router(service: Service) -> Router {
    Router::new().fallback(handle).with_state(Arc::new(service))
}

async fn handle(State(service): State<Arc<Service>>, request: Request) -> Response {
    match request.uri().path() {
        HEALTHZ => return health(Ok(())),
        READYZ => return health(service.source.ready().await),
        _ => {}
    }
    let begun = Instant::now();
    let viewer = match service.gate.viewer(request.headers()) {
        Ok(viewer) => viewer,
        Err(denied) => {
            let outcome = Outcome::refused(denied.status, denied.code, denied.message);
            service.record(None, &Entry::of(&outcome), begun.elapsed());
            return respond(outcome);
        }
    };
    let below = request.uri().path().strip_prefix(service.path.as_str());
    match below {
        Some("" | "/") => {
            let outcome = service.answer(&viewer, request).await;
            service.record(Some(&viewer), &Entry::of(&outcome), begun.elapsed());
            respond(outcome)
        }
        Some(rest) if rest == files::PREFIX || rest.starts_with(files::BELOW) => {
            let (response, entry) = files::answer(&service, &viewer, request).await;
            service.record(Some(&viewer), &entry, begun.elapsed());
            response
        }
        Some(_) | None => {
            let message = "nothing is served here";
            let outcome = Outcome::refused(StatusCode::NOT_FOUND, "NOT_FOUND", message);
            service.record(Some(&viewer), &Entry::of(&outcome), begun.elapsed());
            respond(outcome)
        }
    }
}

/// What the access log says of a request.
pub struct Entry {
    /// What was asked for: GraphQL fields, or a method and a path.
    summary: String,
    /// The status of the answer.
    status: StatusCode,
    /// Code and message of what went wrong.
    error: Option<(String, String)>,
}

impl Entry {
    fn of(outcome: &Outcome) -> Self {
        Self {
            summary: outcome.summary.clone(),
            status: outcome.status,
            error: outcome.error.clone(),
        }
    }
}

fn health(state: Result<(), String>) -> Response {
    let (status, text) = match state {
        Ok(()) => (StatusCode::OK, "ok\n"),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the library cannot be read\n",
        ),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

impl Service {
    fn record(&self, viewer: Option<&Viewer>, entry: &Entry, took: Duration) {
        let level = match entry.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Level::Warn,
            status if status.is_server_error() => Level::Error,
            _ => Level::Info,
        };
        if !self.log.wants(level) {
            return;
        }
        let user = match viewer {
            Some(Viewer::User { name, .. }) => name.as_str(),
            Some(Viewer::Everyone) | None => "-",
        };
        let (summary, status) = (&entry.summary, entry.status.as_u16());
        let code = match &entry.error {
            Some((code, _)) => format!(" {code}"),
            None => String::new(),
        };
        let millis = took.as_secs_f64() * 1e3;
        self.log.write(
            level,
            format_args!("{user} {summary} {status}{code} {millis:.1} ms"),
        );
        if let Some((_, message)) = &entry.error {
            self.log.write(Level::Debug, format_args!("{message:?}"));
        }
    }
}
