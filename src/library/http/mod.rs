//! The library over HTTP: GraphQL at its endpoint, the files themselves below it, and the server's own health.

mod files;
mod graphql;
mod metrics;
mod origin;
mod playground;
mod process;
mod running;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use self::graphql::{Outcome, respond};
use self::metrics::Kind;
pub use self::playground::Playground;
use self::running::Running;
pub use self::running::Traffic;
use super::answer::Answers;
use super::gate::Gate;
use super::log::Log;
use super::room::Room;
use super::source::Source;

/// Answers as long as the process can answer at all.
pub const HEALTHZ: &str = "/healthz";
/// Answers while the library can be read.
pub const READYZ: &str = "/readyz";
/// Tells what was counted.
pub const METRICS: &str = "/metrics";

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
    /// What all requests may bring together at a time, and of that each.
    pub room: Room,
    /// The page that questions can be asked on.
    pub playground: Playground,
    /// Whether whoever reaches the server may know what it has counted.
    pub shows_metrics: bool,
    /// What is going on.
    pub traffic: Arc<Traffic>,
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
        METRICS if service.shows_metrics => return service.traffic.metrics.respond(),
        _ => {}
    }
    let below = request.uri().path().strip_prefix(service.path.as_str());
    let kind = match below {
        Some("" | "/") if service.playground.is_wanted(&request) => Kind::Playground,
        Some("" | "/") => Kind::Graphql,
        Some(rest) if rest == files::PREFIX || rest.starts_with(files::BELOW) => Kind::Files,
        Some(rest) if service.playground.has(rest) => Kind::Playground,
        Some(_) | None => Kind::Other,
    };
    let mut running = Running::begin(&service, kind);
    let viewer = match service.gate.viewer(request.headers()) {
        Ok(viewer) => viewer,
        Err(denied) => {
            let outcome = Outcome::refused(denied.status, denied.code, denied.message);
            running.answered(Entry::of(&outcome));
            return respond(outcome);
        }
    };
    running.is_from(&viewer);
    match kind {
        Kind::Graphql => {
            let outcome = service.answer(&viewer, request).await;
            running.answered(Entry::of(&outcome));
            respond(outcome)
        }
        Kind::Files => {
            let method = request.method().clone();
            let request = running.receives(request);
            let (response, entry) = files::answer(&service, &viewer, request).await;
            running.sends(&method, response, entry)
        }
        Kind::Playground => {
            let (response, entry) = service.playground.answer(&request);
            running.answered(entry);
            response
        }
        Kind::Other => {
            let message = "nothing is served here";
            let outcome = Outcome::refused(StatusCode::NOT_FOUND, "NOT_FOUND", message);
            running.answered(Entry::of(&outcome));
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
