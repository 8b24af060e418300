//! A GitLab for the tests: a server that answers from a part of GitLab's published GraphQL schema, and refuses what the real one
//! refuses. It is a stand-in, made from GitLab's documentation and source; no test here has seen a real GitLab.

mod certificates;
mod complexity;
mod projects;
mod schema;
mod variables;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_graphql::{Request as Question, Variables};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;

pub use self::certificates::Authority;
use self::certificates::TlsListener;
use self::projects::Project;
use self::schema::{GitlabSchema, INTERNAL, SignedIn, schema};

/// The one token that is valid.
pub const TOKEN: &str = "glpat-known-to-two-servers";
/// "Maximum query size: 10,000 characters per query or mutation."
const MAX_QUERY: usize = 10_000;

/// What there is, and how the server behaves.
pub struct World {
    /// The full path of the group.
    pub group: String,
    /// By their path in the group.
    pub projects: Mutex<BTreeMap<String, Project>>,
    /// Whether the path of a directory among `blobs(paths:)` gives a blob without contents, or nothing.
    pub directories_are_blobs: Mutex<bool>,
    behaviour: Mutex<Behaviour>,
    under_way: watch::Sender<UnderWay>,
    seen: Mutex<Vec<Seen>>,
}

/// How requests are answered.
#[derive(Clone)]
pub enum Behaviour {
    /// As GitLab does.
    Right,
    /// Never.
    Silent,
    /// As GitLab does, once this is dropped.
    Held(watch::Receiver<()>),
    /// With this status, header and body.
    With(u16, Option<(&'static str, String)>, String),
    /// With a body that has no end.
    Endless,
    /// With half a body.
    CutOff,
}

/// How many requests have come and are not answered.
#[derive(Default)]
pub struct UnderWay {
    pub now: usize,
    pub at_most: usize,
}

/// A request that has come and is not answered.
struct Counted<'a>(&'a watch::Sender<UnderWay>);

impl<'a> Counted<'a> {
    fn new(under_way: &'a watch::Sender<UnderWay>) -> Self {
        under_way.send_modify(|count| {
            count.now += 1;
            count.at_most = count.at_most.max(count.now);
        });
        Self(under_way)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| count.now -= 1);
    }
}

/// A request as it came.
#[derive(Clone)]
pub struct Seen {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub query: String,
    pub variables: Value,
}

/// The running server. It has a thread of its own, and ends with the test.
pub struct Gitlab {
    pub world: Arc<World>,
    pub address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    running: Option<Running>,
}

struct Running {
    stop: tokio::sync::oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Gitlab {
    /// A GitLab with a group of that path, without projects.
    pub fn start(group: &str) -> Self {
        Self::start_with(group, None)
    }

    /// The same behind https, with a certificate of that authority for `gitlab.test` and this machine.
    pub fn start_tls(group: &str, authority: &Authority) -> Self {
        Self::start_with(group, Some(authority.certify()))
    }

    fn start_with(group: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let world = Arc::new(World {
            group: group.to_owned(),
            projects: Mutex::default(),
            directories_are_blobs: Mutex::new(false),
            behaviour: Mutex::new(Behaviour::Right),
            under_way: watch::Sender::default(),
            seen: Mutex::default(),
        });
        let mut gitlab = Self {
            world,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls,
            running: None,
        };
        gitlab.start_again();
        gitlab
    }

    /// Listens, where it did before if it did.
    pub fn start_again(&mut self) {
        let listener = std::net::TcpListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.address = listener.local_addr().unwrap();
        let app = router(self.world.clone());
        let tls = self.tls.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let serving = async {
                    match tls {
                        Some(tls) => axum::serve(TlsListener::new(listener, tls), app).await,
                        None => axum::serve(listener, app).await,
                    }
                };
                tokio::select! {
                    ended = serving => ended.unwrap(),
                    _ = stopped => {}
                }
            });
            // Its connections end with the runtime.
        });
        self.running = Some(Running { stop, thread });
    }

    /// Ends, with all its connections. Its port is free then, and nobody answers there.
    pub fn stop(&mut self) {
        if let Some(Running { stop, thread }) = self.running.take() {
            drop(stop);
            thread.join().unwrap();
        }
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/api/graphql", self.address)
    }

    /// Changes a project, which is made where it is not there.
    pub fn project(&self, path: &str, change: impl FnOnce(&mut Project)) {
        let mut projects = self.world.projects.lock().unwrap();
        change(projects.entry(path.to_owned()).or_default());
    }

    pub fn behave(&self, behaviour: Behaviour) {
        *self.world.behaviour.lock().unwrap() = behaviour;
    }

    /// How many requests have come and are not answered.
    pub fn under_way(&self) -> watch::Receiver<UnderWay> {
        self.world.under_way.subscribe()
    }

    /// The requests since this was asked last, but for those about readiness.
    pub fn seen(&self) -> Vec<Seen> {
        let seen = std::mem::take(&mut *self.world.seen.lock().unwrap());
        let about_readiness = |seen: &Seen| seen.query.starts_with("query Ready(");
        seen.into_iter().filter(|s| !about_readiness(s)).collect()
    }

    /// All requests since this was asked last.
    pub fn seen_with_readiness(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.world.seen.lock().unwrap())
    }
}

impl Drop for Gitlab {
    fn drop(&mut self) {
        self.stop();
    }
}

fn router(world: Arc<World>) -> Router {
    let schema = schema(world.clone());
    Router::new().fallback(handle).with_state((world, schema))
}

async fn handle(
    State((world, schema)): State<(Arc<World>, GitlabSchema)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    world.seen.lock().unwrap().push(Seen {
        method: method.clone(),
        uri: uri.clone(),
        headers: headers.clone(),
        query: asked["query"].as_str().unwrap_or_default().to_owned(),
        variables: asked["variables"].clone(),
    });
    let _counted = Counted::new(&world.under_way);
    let behaviour = world.behaviour.lock().unwrap().clone();
    match behaviour {
        Behaviour::Right => {}
        Behaviour::Silent => std::future::pending().await,
        // An error says that the other end is dropped.
        Behaviour::Held(mut until) => while until.changed().await.is_ok() {},
        Behaviour::With(status, header, body) => {
            let mut response = Response::builder().status(status);
            if let Some((name, value)) = header {
                response = response.header(name, value);
            }
            return response.body(Body::from(body)).unwrap();
        }
        Behaviour::Endless => {
            let chunk = Bytes::from(vec![b' '; 1 << 16]);
            let chunks = futures_util::stream::repeat_with(move || Ok::<_, String>(chunk.clone()));
            return Response::new(Body::from_stream(chunks));
        }
        Behaviour::CutOff => {
            let half = Bytes::from_static(b"{\"data\":{\"pro");
            let chunks = [Ok(half), Err("cut off")];
            return Response::new(Body::from_stream(futures_util::stream::iter(chunks)));
        }
    }
    if uri.path() != "/api/graphql" {
        return refused(StatusCode::NOT_FOUND, "Not found!");
    }
    let signed_in = match token(&headers, &uri).as_deref() {
        Some(TOKEN) => true,
        Some(_) => return refused(StatusCode::UNAUTHORIZED, "Invalid token"),
        None => false,
    };
    if headers
        .get(CONTENT_TYPE)
        .is_none_or(|kind| kind != "application/json")
    {
        return answered(json!({"errors": [{"message": "Unexpected end of document"}]}));
    }
    execute(&schema, asked, signed_in).await
}

/// The token of a request, in each of the ways that GitLab takes.
fn token(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let header = |name| headers.get(name)?.to_str().ok();
    let bearer = header(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    let parameter = uri
        .query()
        .and_then(|query| query.strip_prefix("private_token="));
    let token = bearer.or(header("private-token")).or(parameter);
    token.map(str::to_owned)
}

async fn execute(schema: &GitlabSchema, asked: Value, signed_in: bool) -> Response {
    let Some(query) = asked["query"].as_str() else {
        return answered(json!({"errors": [{"message": "No query string was present"}]}));
    };
    if query.chars().count() > MAX_QUERY {
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "Query too large");
    }
    if let Ok(document) = async_graphql::parser::parse_query(query) {
        let (complexity, depth) = complexity::of(&document, &asked["variables"]);
        let who = usize::from(signed_in);
        let (limit, deepest) = (complexity::LIMITS[who], complexity::DEPTHS[who]);
        let mut wrong = Vec::new();
        if complexity > limit {
            wrong.push(format!(
                "Query has complexity of {complexity}, which exceeds max complexity of {limit}"
            ));
        }
        if depth > deepest {
            wrong.push(format!(
                "Query has depth of {depth}, which exceeds max depth of {deepest}"
            ));
        }
        wrong.extend(variables::mismatches(&document));
        if !wrong.is_empty() {
            let errors = wrong.iter().map(|message| json!({"message": message}));
            return answered(json!({"errors": errors.collect::<Vec<_>>()}));
        }
    }
    let mut question = Question::new(query)
        .variables(Variables::from_json(asked["variables"].clone()))
        .data(SignedIn(signed_in));
    if let Some(operation) = asked["operationName"].as_str() {
        question = question.operation_name(operation);
    }
    let answer = schema.execute(question).await;
    let internal = answer.errors.iter().any(|error| {
        let code = error.extensions.as_ref().and_then(|e| e.get("code"));
        code == Some(&INTERNAL.into())
    });
    match internal {
        true => refused(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"),
        false => answered(serde_json::to_value(&answer).unwrap()),
    }
}

fn answered(body: Value) -> Response {
    json_response(StatusCode::OK, body)
}

/// GitLab's own errors have the form of GraphQL's.
fn refused(status: StatusCode, message: &str) -> Response {
    json_response(status, json!({"errors": [{"message": message}]}))
}

fn json_response(status: StatusCode, body: Value) -> Response {
    let response = Response::builder().status(status);
    response
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .body(Body::from(body.to_string()))
        .unwrap()
}

impl Behaviour {
    /// As GitLab throttles: plain text, and a header that says how long.
    pub fn throttle(seconds: Option<u64>) -> Self {
        let header = seconds.map(|seconds| (RETRY_AFTER.as_str(), seconds.to_string()));
        // rack-attack's answer.
        Behaviour::With(429, header, "Retry later\n".into())
    }

    pub fn redirect(to: String) -> Self {
        Behaviour::With(302, Some((LOCATION.as_str(), to)), String::new())
    }

    /// With an error in GitLab's form.
    pub fn refuse(status: u16, message: &str) -> Self {
        let body = json!({"errors": [{"message": message}]});
        Behaviour::With(status, None, body.to_string())
    }
}
