//! A page that questions can be asked on, whose files the executable carries.

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, VARY};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Entry;
use crate::page::{self, Asset, HTML, SCRIPT, STYLE};

/// Where its files are, below the endpoint.
const BELOW: &str = "/playground/";

static FILES: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    [
        Asset::new(
            "playground.js",
            SCRIPT,
            include_str!("../../../website/playground/playground.js"),
        ),
        Asset::new(
            "editor.js",
            SCRIPT,
            include_str!("../../../website/playground/editor.js"),
        ),
        Asset::new(
            "examples.js",
            SCRIPT,
            include_str!("../../../website/playground/examples.js"),
        ),
        Asset::new(
            "schema.js",
            SCRIPT,
            include_str!("../../../website/playground/schema.js"),
        ),
        Asset::new(
            "style.css",
            STYLE,
            include_str!("../../../website/playground/style.css"),
        ),
    ]
});

/// The playground, or none.
pub struct Playground {
    page: Option<String>,
}

impl Playground {
    /// The playground of an endpoint, where it is `wanted`.
    pub fn new(wanted: bool, endpoint: &str) -> Self {
        let page = include_str!("../../../website/playground/index.html");
        Self {
            // An endpoint's path is letters, digits, '.', '_' and '-': nothing that HTML would take for its own.
            page: wanted.then(|| page.replace("{base}", &format!("{endpoint}{BELOW}"))),
        }
    }

    /// Whether a request at the endpoint wants to see the page: it comes from a browser, and asks nothing.
    pub fn is_wanted(&self, request: &Request) -> bool {
        let asks = || {
            let query = request.uri().query().unwrap_or_default();
            query.split('&').any(|pair| pair.starts_with("query="))
        };
        let from_a_browser = || {
            request
                .headers()
                .get_all(ACCEPT)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(|list| list.split(','))
                .filter_map(|kind| kind.split(';').next())
                .any(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
        };
        self.page.is_some() && is_read(request.method()) && from_a_browser() && !asks()
    }

    /// Whether a path below the endpoint is one of the playground's.
    pub fn has(&self, below: &str) -> bool {
        self.page.is_some() && below.starts_with(BELOW)
    }

    /// Answers what [`Playground::is_wanted`] or [`Playground::has`] holds for.
    pub fn answer(&self, request: &Request) -> (Response, Entry) {
        let path = request.uri().path();
        let (name, mut response) = match path.rsplit_once(BELOW) {
            _ if !is_read(request.method()) => {
                let allow = [(ALLOW, "GET, HEAD")];
                let refused = (
                    StatusCode::METHOD_NOT_ALLOWED,
                    allow,
                    "Only GET and HEAD.\n",
                );
                ("-", refused.into_response())
            }
            None => {
                let headers = [(CONTENT_TYPE, HTML), (VARY, "accept")];
                let page = self.page.clone().unwrap_or_default();
                ("page", (headers, page).into_response())
            }
            Some((_, name)) => match FILES.iter().find(|file| file.name == name) {
                Some(file) => (file.name, file.send(request.headers())),
                None => (
                    "-",
                    (StatusCode::NOT_FOUND, "No such file.\n").into_response(),
                ),
            },
        };
        page::guard(&mut response);
        let entry = Entry {
            summary: format!("playground/{name}"),
            status: response.status(),
            error: None,
        };
        (response, entry)
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}
