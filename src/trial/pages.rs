//! What stands at a workspace's address while no JupyterLab does.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, REFRESH};
use axum::response::{IntoResponse, Response};

use crate::page::{HTML, guard};

/// It is starting; the browser asks again by itself.
pub fn starting() -> Response {
    let mut response = page(
        StatusCode::SERVICE_UNAVAILABLE,
        "JupyterLab is starting",
        "<p>This page loads again by itself until it is there.</p>",
    );
    let headers = response.headers_mut();
    headers.insert(REFRESH, axum::http::HeaderValue::from_static("1"));
    response
}

/// There is none on this machine.
pub fn missing() -> Response {
    page(
        StatusCode::NOT_FOUND,
        "There is no JupyterLab on this machine",
        "<p>Install it, and start the trial again:</p>\n<pre>pip install jupyterlab</pre>\n\
         <p>One that is not on the PATH is named with <code>dtaas trial --jupyter PATH</code>.</p>",
    )
}

/// It could not start; `said` is the end of what it wrote.
pub fn failed(said: &str) -> Response {
    let body = format!(
        "<p>The last that it said:</p>\n<pre>{}</pre>\n<p>Put that right, and start the trial again. Another JupyterLab is named with \
         <code>dtaas trial --jupyter PATH</code>.</p>",
        escaped(said)
    );
    page(StatusCode::BAD_GATEWAY, "JupyterLab cannot start", &body)
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<h1>{title}</h1>\n{body}\n</html>\n"
    );
    let mut response = (status, [(CONTENT_TYPE, HTML)], text).into_response();
    guard(&mut response);
    response
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
