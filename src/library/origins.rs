//! Pages of other origins: which of them a browser lets read what the library answers (the Fetch standard, "CORS protocol"). v0.2 let all;
//! here none may unless told so.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH, LAST_MODIFIED, ORIGIN, RANGE,
};
use axum::http::{HeaderValue, Method};
use tower::ServiceExt;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser keeps what it was told.
const KEPT: Duration = Duration::from_secs(600);

/// Who may read: `*`, or an origin such as `https://lab.foo.com:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Any page.
    Any,
    /// Pages of this one.
    This(HeaderValue),
}

/// Why a text is no origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoOrigin(String);

impl fmt::Display for NoOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no origin: write * or scheme://host[:port] without a slash at the end, such as https://lab.foo.com",
            self.0
        )
    }
}

impl std::error::Error for NoOrigin {}

impl FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        if text == "*" {
            return Ok(Origin::Any);
        }
        let refuse = || NoOrigin(text.to_owned());
        let authority = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or_else(refuse)?;
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(is_part) {
            return Err(refuse());
        }
        // As browsers write it (the URL standard, "origin"): without the port that the scheme has anyway.
        let url = reqwest::Url::parse(text).map_err(|_| refuse())?;
        HeaderValue::from_str(&url.origin().ascii_serialization())
            .map(Origin::This)
            .map_err(|_| refuse())
    }
}

/// The same service, which tells browsers that pages of these origins may ask and read. Nothing is changed for other clients, and
/// nothing can be changed in the library from another origin. Of OPTIONS only preflights are answered here.
pub fn opened_to(app: Router, origins: &[Origin]) -> Router {
    if origins.is_empty() {
        return app;
    }
    let these = origins.iter().filter_map(|origin| match origin {
        Origin::Any => None,
        Origin::This(origin) => Some(origin.clone()),
    });
    let allowed = match origins.contains(&Origin::Any) {
        true => AllowOrigin::any(),
        false => AllowOrigin::list(these),
    };
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers([CONTENT_TYPE, RANGE, IF_NONE_MATCH])
        .expose_headers([
            ACCEPT_RANGES,
            CONTENT_DISPOSITION,
            CONTENT_RANGE,
            ETAG,
            LAST_MODIFIED,
        ])
        .max_age(KEPT);
    let opened = app.clone().layer(layer);
    Router::new().fallback(move |request: Request| {
        let chosen = match is_answered_by_the_service(&request) {
            true => app.clone(),
            false => opened.clone(),
        };
        chosen.oneshot(request)
    })
}

/// Whether a request asks what the service itself can do: OPTIONS that is no preflight (the Fetch standard, "CORS-preflight request").
/// The layer would take it for one.
fn is_answered_by_the_service(request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && !(headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;

    use super::*;

    /// What a page of an origin is allowed by a service that is opened to some.
    async fn allowed(origins: &[&str], page: &str) -> Option<String> {
        let origins: Vec<Origin> = origins.iter().map(|text| text.parse().unwrap()).collect();
        let app = Router::new().fallback(|| async { "a model" });
        let request = Request::get("/lib")
            .header(ORIGIN, page)
            .body(Body::empty());
        let answer = opened_to(app, &origins)
            .oneshot(request.unwrap())
            .await
            .unwrap();
        let header = answer.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN)?;
        Some(header.to_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn nobody_else_may_read_unless_told_so() {
        assert_eq!(allowed(&[], "https://a.com").await, None);
        assert_eq!(allowed(&["https://b.com"], "https://a.com").await, None);
        assert_eq!(
            allowed(&["https://b.com", "http://a.com:8080"], "http://a.com:8080").await,
            Some("http://a.com:8080".to_owned())
        );
        assert_eq!(allowed(&["*"], "https://a.com").await, Some("*".to_owned()));
    }

    #[tokio::test]
    async fn a_port_that_goes_without_saying_is_not_said_by_browsers() {
        for (told, page) in [
            ("https://a.com:443", "https://a.com"),
            ("http://a.com:80", "http://a.com"),
            ("http://a.com:443", "http://a.com:443"),
            ("https://[0:0::1]:8443", "https://[::1]:8443"),
        ] {
            let may = allowed(&[told], page).await;
            assert_eq!(may.as_deref(), Some(page), "{told}");
        }
    }

    #[tokio::test]
    async fn what_is_no_preflight_goes_to_the_service() {
        let app = Router::new().fallback(|| async { StatusCode::NO_CONTENT });
        let app = opened_to(app, &[Origin::Any]);
        let asked = async |headers: &[(&str, &str)]| {
            let mut request = Request::options("/lib");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(Body::empty()).unwrap();
            app.clone().oneshot(request).await.unwrap().status()
        };
        let preflight = [
            ("Origin", "https://a.com"),
            ("Access-Control-Request-Method", "POST"),
        ];
        assert_eq!(asked(&preflight).await, StatusCode::OK);
        for no_preflight in [&preflight[..1], &preflight[1..], &[]] {
            assert_eq!(asked(no_preflight).await, StatusCode::NO_CONTENT);
        }
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for wrong in [
            "",
            "a.com",
            "ftp://a.com",
            "https://a.com/",
            "https://",
            "https://A.com",
            "https://a.com:443:443",
            "https://a.com:65536",
            "null",
        ] {
            assert_eq!(wrong.parse::<Origin>(), Err(NoOrigin(wrong.to_owned())));
        }
    }
}
