//! A small reverse proxy: passes a request to one address, WebSockets included, and can end what is open at any moment, which the gateway
//! cannot.

mod ending;
mod moving;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONNECTION, UPGRADE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, Version};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{self, OnUpgrade};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::copy_bidirectional;

use ending::Ending;
use moving::{Moving, still};

/// How long a connection may take; the program is on this machine.
const CONNECTING: Duration = Duration::from_secs(5);

/// How long a program may think before it begins to answer, counted from when it last took something of the request. Some compute, so more
/// than people wait.
const THINKING: Duration = Duration::from_secs(300);

/// What is kept of an answer's head, in bytes.
const HEAD: usize = 64 * 1024;

/// Connections that are kept for the next request, for each address.
const IDLE: usize = 8;

/// How long one is kept that nobody uses.
const KEPT: Duration = Duration::from_secs(30);

/// Headers that are about one connection and not about what goes over it (RFC 9110, 7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("te"),
    HeaderName::from_static("transfer-encoding"),
    UPGRADE,
];

/// Passes requests on. Cheap to clone; the clones share their connections.
#[derive(Debug, Clone)]
pub struct Proxy {
    client: Client<HttpConnector, Body>,
    thinking: Duration,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// The address that is connected to, and no other.
    pub address: SocketAddr,
    /// What is asked for there.
    pub path_and_query: PathAndQuery,
}

impl Default for Proxy {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECTING));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE)
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .http1_max_buf_size(HEAD)
            // The visitor's own is passed on.
            .set_host(false)
            .build(connector);
        Self {
            client,
            thinking: THINKING,
        }
    }
}

impl Proxy {
    /// Passes a request on, its headers as they are but for those of a connection, and gives the answer. What is open between the two,
    /// a WebSocket or an answer that is still coming, is cut as soon as `end` is over.
    ///
    /// Answers 502 where nobody is at the address or what comes is no HTTP, and 504 where nothing comes.
    pub async fn pass(
        &self,
        mut request: Request,
        upstream: Upstream,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Response {
        let wanted = protocol(request.headers());
        let visitor = wanted.is_some().then(|| upgrade::on(&mut request));
        let Ok(uri) = Uri::builder()
            .scheme("http")
            .authority(upstream.address.to_string())
            .path_and_query(upstream.path_and_query)
            .build()
        else {
            return words(
                StatusCode::BAD_REQUEST,
                "This address cannot be passed on.\n",
            );
        };
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        let headers = request.headers_mut();
        strip(headers);
        if let Some(protocol) = wanted {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, protocol);
        }
        let mut end = Box::pin(end);
        let (parts, body) = request.into_parts();
        let (body, moved) = Moving::new(body);
        let request = Request::from_parts(parts, Body::new(body));
        let answered = tokio::select! {
            answered = self.client.request(request) => answered,
            () = still(moved, self.thinking) => {
                let text = "What is behind this address does not answer in time.\n";
                return words(StatusCode::GATEWAY_TIMEOUT, text);
            }
            () = &mut end => return words(StatusCode::FORBIDDEN, "This is open no more.\n"),
        };
        let Ok(mut answer) = answered else {
            let text = "Nobody answers behind this address.\n";
            return words(StatusCode::BAD_GATEWAY, text);
        };
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            strip(answer.headers_mut());
            return answer.map(|body| Body::new(Ending::new(body, end)));
        }
        let (Some(visitor), Some(protocol)) = (visitor, protocol(answer.headers())) else {
            let text = "What is behind this address says what nobody asked for.\n";
            return words(StatusCode::BAD_GATEWAY, text);
        };
        tokio::spawn(join(visitor, upgrade::on(&mut answer), end));
        let headers = answer.headers_mut();
        strip(headers);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
        answer.map(|_| Body::empty())
    }
}

/// Carries bytes both ways until one side or the other ends, or it has to.
async fn join(visitor: OnUpgrade, program: OnUpgrade, end: impl Future<Output = ()>) {
    let both = async {
        // Where one of the two is gone by now, so is the other.
        let (Ok(visitor), Ok(program)) = tokio::join!(visitor, program) else {
            return;
        };
        let (mut visitor, mut program) = (TokioIo::new(visitor), TokioIo::new(program));
        // A connection that breaks off ends the other with it: there is nobody to tell.
        let _ = copy_bidirectional(&mut visitor, &mut program).await;
    };
    tokio::select! {
        () = both => {}
        () = end => {}
    }
}

/// Which protocol a head wants to change to.
fn protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let named = headers.get_all(CONNECTION).iter().any(|value| {
        let names = value.to_str().unwrap_or_default().split(',');
        names
            .into_iter()
            .any(|name| name.trim().eq_ignore_ascii_case("upgrade"))
    });
    named.then(|| headers.get(UPGRADE).cloned()).flatten()
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn words(status: StatusCode, text: &'static str) -> Response {
    (status, text).into_response()
}
