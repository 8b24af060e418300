//! Requests as a fuzzer makes them up, answered by the library server in this process.

use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use dtaas::library::changes::Writing;
use dtaas::library::config::{Mode, Settings};
use dtaas::library::gate::Gate;
use dtaas::library::http::router;
use dtaas::library::log::Level;
use dtaas::library::serve::{Options, service};
use dtaas::secrets::Secret;
use tokio::runtime::{Builder, Runtime};
use tower_service::Service as _;

/// What the gateway of these runs knows.
pub const SECRET: &str = "between-gateway-and-library";

/// A request in alice's name, as [`bare_request`] reads it.
pub fn request(data: &[u8]) -> Option<Request> {
    let mut request = bare_request(data)?;
    for (name, value) in [("x-dtaas-gateway", SECRET), ("x-forwarded-user", "alice")] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    Some(request)
}

/// A request from lines as they go over the wire: method and address, headers, an empty line, the body. `None` where that is no request; the
/// server never sees it then.
pub fn bare_request(data: &[u8]) -> Option<Request> {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &data[..0]),
    };
    let mut lines = head.split(|&byte| byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, address) = first.split_once(' ')?;
    let mut request = Request::new(Body::from(body.to_vec()));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = address.parse().ok()?;
    let headers = request.headers_mut();
    for line in lines {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        headers.append(name, value);
    }
    Some(request)
}

/// A server of ours, in this process.
pub struct Server {
    router: Router,
    runtime: Runtime,
}

impl Server {
    /// Over a library that is only read.
    pub fn reading(root: &Path) -> Self {
        Self::new(root, None)
    }

    /// Over a library that may be written.
    pub fn writing(root: &Path) -> Self {
        let writing = Writing {
            max_upload: 1 << 16,
            quota: Some(1 << 20),
            patience: Duration::from_secs(1),
        };
        Self::new(root, Some(writing))
    }

    fn new(root: &Path, writing: Option<Writing>) -> Self {
        let settings = Settings {
            port: 0,
            mode: Mode::Local(root.to_owned()),
            path: "/lib".into(),
            level: Level::Silent,
            playground: true,
            warnings: Vec::new(),
        };
        let gate = Gate::Gateway(Secret::new(SECRET));
        let options = Options {
            writing,
            ..Options::new(gate)
        };
        Self::of(|| router(service(&settings, &options).unwrap()))
    }

    /// Over anything that answers.
    pub fn of(router: impl FnOnce() -> Router) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let router = runtime.block_on(async { router() });
        Self { router, runtime }
    }

    /// What is answered: the status, and everything else in one piece. A body that breaks off counts as far as it came.
    pub fn answer(&self, request: Request) -> (StatusCode, Vec<u8>) {
        self.runtime.block_on(async {
            let response = match self.router.clone().call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            let (parts, body) = response.into_parts();
            let mut all = Vec::new();
            for (name, value) in &parts.headers {
                all.extend_from_slice(name.as_str().as_bytes());
                all.extend_from_slice(value.as_bytes());
            }
            // Each piece is let go of, as a connection does: the next has room only then.
            let mut body = body;
            while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                all.extend_from_slice(&frame.into_data().unwrap_or_default());
            }
            (parts.status, all)
        })
    }
}
