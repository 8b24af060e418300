//! Requests as a fuzzer makes them up, answered by the library server in this process.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use tower_service::Service as _;

/// What the gateway of these runs knows.
pub const SECRET: &str = "between-gateway-and-library";

/// A request in alice's name from lines as they go over the wire: method and address, headers, an empty line, the body.
/// `None` where that is no request; the server never sees it then.
pub fn request(data: &[u8]) -> Option<Request> {
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
    for (name, value) in [
        ("x-dtaas-gateway", SECRET),
        ("x-forwarded-user", "alice"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Some(request)
}

/// What is answered: the status, and everything else in one piece. A body that breaks off counts as far as it came.
pub async fn answer(router: &Router, request: Request) -> (StatusCode, Vec<u8>) {
    let response = match router.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, body) = response.into_parts();
    let mut all = Vec::new();
    for (name, value) in &parts.headers {
        all.extend_from_slice(name.as_str().as_bytes());
        all.extend_from_slice(value.as_bytes());
    }
    all.extend_from_slice(&to_bytes(body, 1 << 24).await.unwrap_or_default());
    (parts.status, all)
}
