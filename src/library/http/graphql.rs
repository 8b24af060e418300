//! GraphQL over HTTP, as v0.2 speaks it: POST with JSON, GET with `?query=`, arrays of questions.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{ServerError, Variables};
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use futures_util::StreamExt;
use serde_json::{Map, Value, json};

use super::super::allowance::Allowance;
use super::super::answer::{Answer, Asked as Question, MayChange, Told};
use super::super::path::Viewer;
use super::super::question;
use super::super::whose::Whose;
use super::Service;
use super::origin::{CROSS_SITE, is_from_here};
use crate::serve::Scarce;

/// The code of a request that is no question.
const BAD_REQUEST: &str = "BAD_REQUEST";
/// Questions in one array.
const MAX_BATCH: usize = 50;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How long an answer may take to be found.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// An answer, and what the log says about it.
pub struct Outcome {
    /// The status of the answer.
    pub status: StatusCode,
    /// JSON.
    body: Vec<u8>,
    /// The fields asked for.
    pub summary: String,
    /// The first error's code and message.
    pub error: Option<(String, String)>,
    /// The methods that are answered, where this one is not.
    allow: &'static str,
    /// What the answer takes room of until it is sent.
    held: Option<Arc<Allowance>>,
}

impl Outcome {
    fn new(status: StatusCode, body: Vec<u8>) -> Self {
        Self {
            status,
            body,
            summary: String::from("-"),
            error: None,
            allow: "GET, POST",
            held: None,
        }
    }

    /// A request that is turned away.
    pub fn refused(status: StatusCode, code: &str, message: &str) -> Self {
        Self::wrong(status, &[question::error(code, message, None)])
    }

    /// A request that was not executed: errors and no data.
    fn wrong(status: StatusCode, errors: &[ServerError]) -> Self {
        let body = json!({ "errors": errors }).to_string().into_bytes();
        Self {
            error: errors.first().map(told),
            ..Self::new(status, body)
        }
    }
}

/// The code and the message of an error.
fn told(error: &ServerError) -> (String, String) {
    let code = error.extensions.as_ref().and_then(|all| all.get("code"));
    let code = match code {
        Some(async_graphql::Value::String(code)) => code.clone(),
        Some(_) | None => String::from("-"),
    };
    (code, error.message.clone())
}

/// The answer as HTTP has it.
pub fn respond(outcome: Outcome) -> Response {
    let bytes = outcome.held.as_ref().map(|allowance| allowance.holds());
    let body = match outcome.held {
        Some(allowance) => Bytes::from_owner(Held {
            body: outcome.body,
            _allowance: allowance,
        }),
        None => Bytes::from(outcome.body),
    };
    let mut response = Response::new(Body::from(body));
    if let Some(bytes) = bytes {
        response.extensions_mut().insert(Scarce { bytes });
    }
    *response.status_mut() = outcome.status;
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(CONTENT_TYPE, json);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    if outcome.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static(outcome.allow));
    }
    if outcome.status == StatusCode::UNAUTHORIZED {
        // Who is turned away must be told what is missing (RFC 9110, 15.5.2): the gateway's proof, which nobody types in.
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Dtaas-Gateway"));
    }
    response
}

/// An answer that takes room until its last byte is sent.
struct Held {
    body: Vec<u8>,
    _allowance: Arc<Allowance>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Service {
    /// What one request may bring together.
    pub fn allowance(&self, whose: Whose) -> Allowance {
        Allowance::new(self.max_answer, self.room.clone(), whose)
    }

    /// Answers a question, or an array of them.
    pub async fn answer(&self, viewer: &Viewer, request: Request) -> Outcome {
        let may_change = match request.method() == Method::GET {
            true => MayChange::NotInAnAddress,
            false if is_from_here(request.headers()) => MayChange::Yes,
            false => MayChange::NotFromElsewhere,
        };
        let asked = match *request.method() {
            Method::GET => read_get(request.uri()).map_err(bad_request),
            Method::POST => self.read_post(request).await,
            _ => Err(Outcome::refused(
                StatusCode::METHOD_NOT_ALLOWED,
                BAD_REQUEST,
                "questions are asked with GET or POST",
            )),
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(outcome) => return outcome,
        };
        let asker = Asker {
            viewer,
            allowance: Arc::new(self.allowance(Whose::of(viewer))),
            may_change,
        };
        match tokio::time::timeout(ANSWER_TIME, self.execute_all(&asker, asked)).await {
            Ok(outcome) => Outcome {
                held: (asker.allowance.holds() > 0).then_some(asker.allowance),
                ..outcome
            },
            Err(_) => Outcome::refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "TIMEOUT",
                "the answer took too long",
            ),
        }
    }

    async fn read_post(&self, request: Request) -> Result<Asked, Outcome> {
        // Anything else could be sent by a form on another site, with the user's credentials.
        if !is_json(request.headers()) {
            return Err(Outcome::refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                BAD_REQUEST,
                "send the question as application/json",
            ));
        }
        let reading = read_body(request.into_body(), self.max_body);
        let body = match tokio::time::timeout(BODY_TIME, reading).await {
            Ok(body) => body?,
            Err(_) => {
                let message = "the body did not arrive in time";
                return Err(Outcome::refused(
                    StatusCode::REQUEST_TIMEOUT,
                    BAD_REQUEST,
                    message,
                ));
            }
        };
        let value: Value =
            serde_json::from_slice(&body).map_err(|_| bad_request("the body is not JSON"))?;
        match value {
            Value::Array(list) if list.is_empty() => Err(bad_request("the array is empty")),
            Value::Array(list) if list.len() > MAX_BATCH => Err(bad_request(&format!(
                "an array holds at most {MAX_BATCH} questions"
            ))),
            Value::Array(list) => Ok(Asked::Many(list)),
            one => Ok(Asked::One(one)),
        }
    }

    async fn execute_all(&self, asker: &Asker<'_>, asked: Asked) -> Outcome {
        match asked {
            Asked::One(one) => self.execute(asker, one).await,
            Asked::Many(list) => {
                let summary = format!("array of {}", list.len());
                let mut body = Vec::new();
                for one in list {
                    body.push(if body.is_empty() { b'[' } else { b',' });
                    body.extend_from_slice(&self.execute(asker, one).await.body);
                }
                body.push(b']');
                Outcome {
                    summary,
                    ..Outcome::new(StatusCode::OK, body)
                }
            }
        }
    }

    async fn execute(&self, asker: &Asker<'_>, asked: Value) -> Outcome {
        let Asker {
            viewer,
            allowance,
            may_change,
        } = asker;
        let question = match members(asked, *may_change) {
            Ok(question) => question,
            Err(message) => return bad_request(message),
        };
        let Answer { summary, told } = self.answers.answer(viewer, allowance, question).await;
        let outcome = match told {
            Told::Json(body, error) => Outcome {
                error: error.as_ref().map(self::told),
                ..Outcome::new(StatusCode::OK, body)
            },
            Told::Wrong(errors) => Outcome::wrong(StatusCode::BAD_REQUEST, &errors),
            // An address must not change anything: it is followed by whoever comes upon it.
            Told::FromElsewhere => {
                Outcome::refused(CROSS_SITE.status, CROSS_SITE.code, CROSS_SITE.message)
            }
            Told::WantsPost => Outcome {
                allow: "POST",
                ..Outcome::refused(
                    StatusCode::METHOD_NOT_ALLOWED,
                    BAD_REQUEST,
                    "mutations are sent with POST",
                )
            },
        };
        match summary {
            Some(summary) => Outcome { summary, ..outcome },
            None => outcome,
        }
    }
}

/// Who asks, what all their questions may bring together, and how they ask.
struct Asker<'a> {
    viewer: &'a Viewer,
    allowance: Arc<Allowance>,
    may_change: MayChange,
}

/// One question, or an array of them.
enum Asked {
    One(Value),
    Many(Vec<Value>),
}

fn bad_request(message: &str) -> Outcome {
    Outcome::refused(StatusCode::BAD_REQUEST, BAD_REQUEST, message)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

async fn read_body(body: Body, limit: usize) -> Result<Vec<u8>, Outcome> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| bad_request("the body broke off"))?;
        if chunk.len() > limit.saturating_sub(bytes.len()) {
            let message = format!("the request is larger than {limit} bytes");
            return Err(Outcome::refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                "TOO_LARGE",
                &message,
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn read_get(uri: &Uri) -> Result<Asked, &'static str> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| "the address holds no question")?;
    let mut asked = Map::new();
    for (name, value) in pairs {
        let value = match name.as_str() {
            "query" | "operationName" => Value::String(value),
            "variables" if value.is_empty() => Value::Null,
            "variables" => {
                serde_json::from_str(&value).map_err(|_| "the variables are not JSON")?
            }
            _ => continue,
        };
        asked.insert(name, value);
    }
    Ok(Asked::One(Value::Object(asked)))
}

/// The text, the operation's name and the variables of a question.
fn members(asked: Value, may_change: MayChange) -> Result<Question, &'static str> {
    let Value::Object(mut asked) = asked else {
        return Err("a question is an object with a \"query\"");
    };
    let text = match asked.remove("query") {
        Some(Value::String(text)) if !text.trim().is_empty() => text,
        Some(Value::String(_) | Value::Null) | None => return Err("there is no \"query\""),
        Some(_) => return Err("\"query\" is not a string"),
    };
    let operation = match asked.remove("operationName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) if name.is_empty() => None,
        Some(Value::String(name)) => Some(name),
        Some(_) => return Err("\"operationName\" is not a string"),
    };
    let variables = match asked.remove("variables") {
        None | Some(Value::Null) => Variables::default(),
        Some(variables @ Value::Object(_)) => Variables::from_json(variables),
        Some(_) => return Err("\"variables\" is not an object"),
    };
    Ok(Question {
        text,
        operation,
        variables,
        may_change,
    })
}
