//! Serves what is shared: from the gateway to that port of that workspace, with nothing of whoever looks at it, and as a page that is not
//! the platform's.
//!
//! A shared program is somebody else's script on the platform's origin. So its pages are sandboxed (their origin is nobody's), which keeps
//! them from acting as whoever is signed in; cookies go neither way; and the token stands in the path (`~…`), where a page's own relative
//! addresses carry it on.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    AUTHORIZATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN,
    REFERRER_POLICY, SET_COOKIE, STRICT_TRANSPORT_SECURITY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::super::endpoint::{Endpoint, now};
use super::{Share, of};
use crate::proxy::{Proxy, Upstream};
use crate::spec::names::{ShareName, UserName};

/// How often an open exchange's share is looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// The most requests and WebSockets at a time of one share: enough for people, too few to wear the gateway out.
const MOST: usize = 128;

/// Scripts and forms may run, as a page of nobody's.
const SANDBOX: &str = "sandbox allow-scripts allow-forms allow-popups allow-downloads allow-modals allow-pointer-lock";

const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What a shared program must not say for the platform's origin.
const NOT_ITS_OWN: [HeaderName; 4] = [
    SET_COOKIE,
    STRICT_TRANSPORT_SECURITY,
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("service-worker-allowed"),
];

/// What is shared by everybody, and how it is reached.
pub struct Shared {
    directory: PathBuf,
    proxy: Proxy,
    places: Mutex<HashMap<(UserName, ShareName), Arc<Semaphore>>>,
}

/// Where a request goes, from its path below the base path.
#[derive(Debug, PartialEq, Eq)]
pub struct Place<'a> {
    user: UserName,
    name: ShareName,
    token: Option<&'a str>,
    /// From its slash on; empty where that is missing.
    rest: &'a str,
}

impl<'a> Place<'a> {
    /// Takes a path apart: `/alice/services/twin/~token/index.html`. `None` where it is none of these.
    pub fn of(path: &'a str) -> Option<Self> {
        let (user, rest) = path.strip_prefix('/')?.split_once("/services/")?;
        let user = user.parse().ok()?;
        let cut = |text: &'a str| match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let (name, rest) = cut(rest);
        let name = name.parse().ok()?;
        match rest.strip_prefix("/~") {
            Some(rest) => {
                let (token, rest) = cut(rest);
                Some(Self {
                    user,
                    name,
                    token: Some(token),
                    rest,
                })
            }
            None => Some(Self {
                user,
                name,
                token: None,
                rest,
            }),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The token in a query, and the query without it.
fn from_query(query: &str) -> Option<(String, String)> {
    let is_token = |part: &&str| part.starts_with("token=");
    let token = query.split('&').find(is_token)?["token=".len()..].to_owned();
    let rest: Vec<&str> = query.split('&').filter(|part| !is_token(part)).collect();
    Some((token, rest.join("&")))
}

fn words(status: StatusCode, text: impl Into<String>) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, headers, text.into() + "\n").into_response()
}

impl Shared {
    /// What the files in a directory say.
    pub fn new(directory: PathBuf, proxy: Proxy) -> Self {
        Self {
            directory,
            proxy,
            places: Mutex::default(),
        }
    }

    fn find(&self, user: &UserName, name: &ShareName) -> Option<Share> {
        let shares = of(&self.directory, user, now()).ok()?;
        shares.into_iter().find(|share| share.name == *name)
    }

    fn places(&self, user: &UserName, name: &ShareName) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody is at those that are held here alone.
        places.retain(|_, place| Arc::strong_count(place) > 1);
        let place = places
            .entry((user.clone(), name.clone()))
            .or_insert_with(|| Arc::new(Semaphore::new(MOST)));
        Arc::clone(place)
    }

    /// The answer to a request at a place.
    pub async fn serve(self: &Arc<Self>, endpoint: &Arc<Endpoint>, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let below = path.strip_prefix(&endpoint.base).unwrap_or_default();
        let answered = match Place::of(below) {
            Some(place) => self.at(endpoint, place, request).await,
            None => Err(nothing()),
        };
        let mut response = answered.unwrap_or_else(|refused| refused);
        guard(response.headers_mut());
        response
    }

    async fn at(
        self: &Arc<Self>,
        endpoint: &Arc<Endpoint>,
        place: Place<'_>,
        request: Request,
    ) -> Result<Response, Response> {
        let Place {
            user,
            name,
            token,
            rest,
        } = place;
        let standing = endpoint.sessions.standing(&user).ok_or_else(nothing)?;
        let workspace = standing.workspace.ok_or_else(nothing)?;
        let share = self.find(&user, &name).ok_or_else(nothing)?;
        let start = format!("{}{}", endpoint.base, share.path(&user));
        let query = request.uri().query().unwrap_or_default();
        let mut bare = None;
        let mut prefix = start.clone();
        if share.token.is_some() {
            match (token, bearer(request.headers()), from_query(query)) {
                (Some(token), _, _) if share.takes(token) => prefix = format!("{start}~{token}/"),
                (None, Some(token), _) if share.takes(token) => bare = Some(AUTHORIZATION),
                (None, _, Some((token, others))) if share.takes(&token) => {
                    let rest = rest.trim_start_matches('/');
                    let query = if others.is_empty() {
                        String::new()
                    } else {
                        format!("?{others}")
                    };
                    return Ok(to(format!("{start}~{token}/{rest}{query}")));
                }
                _ => {
                    let text = "This opens with the whole link that you were given, and no other.";
                    return Err(words(StatusCode::UNAUTHORIZED, text));
                }
            }
        } else if token.is_some() {
            return Err(nothing());
        }
        if rest.is_empty() {
            return Ok(to(prefix));
        }
        if request.method() == Method::OPTIONS
            && request
                .headers()
                .contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return Ok(preflight(request.headers()));
        }
        let places = self.places(&user, &name);
        let permit = places.try_acquire_owned().map_err(|_| {
            let text = "Too many people are here at the moment. Try again later.";
            words(StatusCode::SERVICE_UNAVAILABLE, text)
        })?;
        let path_and_query = match query {
            "" => rest.to_owned(),
            query => format!("{rest}?{query}"),
        };
        let upstream = Upstream {
            address: (workspace.ip(), share.port).into(),
            path_and_query: path_and_query.parse().map_err(|_| nothing())?,
        };
        let request = stripped(request, bare, &prefix, endpoint);
        let end = {
            let (shared, endpoint) = (Arc::clone(self), Arc::clone(endpoint));
            let share = share.clone();
            async move {
                let _permit = permit;
                loop {
                    tokio::time::sleep(GLANCE).await;
                    let same = shared.find(&user, &name).is_some_and(|now| now == share);
                    if !same || endpoint.sessions.standing(&user).is_none() {
                        return;
                    }
                }
            }
        };
        let mut response = self.proxy.pass(request, upstream, end).await;
        if response.status() == StatusCode::BAD_GATEWAY {
            let text = format!(
                "Nothing answers at port {} of the workspace. The program there must be running, and listen on all addresses (0.0.0.0).",
                share.port
            );
            return Err(words(StatusCode::BAD_GATEWAY, text));
        }
        relocate(response.headers_mut(), &prefix);
        Ok(response)
    }
}

fn nothing() -> Response {
    words(
        StatusCode::NOT_FOUND,
        "Nothing is shared here, or not any more.",
    )
}

fn to(address: String) -> Response {
    match HeaderValue::from_str(&address) {
        Ok(address) => (StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response(),
        Err(_) => nothing(),
    }
}

/// The request as the program gets it: without cookies and credentials, and as if the page were its own.
fn stripped(
    mut request: Request,
    bare: Option<HeaderName>,
    prefix: &str,
    endpoint: &Endpoint,
) -> Request {
    let origin = endpoint.front.before(&request).origin();
    let headers = request.headers_mut();
    headers.remove(COOKIE);
    // Whoever has an account may send its password along without knowing.
    let is_basic = headers
        .get(AUTHORIZATION)
        .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"basic"));
    if bare.is_some() || is_basic {
        headers.remove(AUTHORIZATION);
    }
    if headers.contains_key(ORIGIN)
        && let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(&origin).ok())
    {
        headers.insert(ORIGIN, origin);
    }
    if let Ok(prefix) = HeaderValue::from_str(prefix.trim_end_matches('/')) {
        headers.insert(PREFIX, prefix);
    }
    request
}

/// Where a program sends somebody on, from its own root: below the prefix, here.
fn relocate(headers: &mut HeaderMap, prefix: &str) {
    let Some(location) = headers.get(LOCATION).and_then(|value| value.to_str().ok()) else {
        return;
    };
    if location.starts_with('/') && !location.starts_with("//") && !location.starts_with(prefix) {
        let moved = format!("{prefix}{}", location.trim_start_matches('/'));
        if let Ok(moved) = HeaderValue::from_str(&moved) {
            headers.insert(LOCATION, moved);
        }
    }
}

fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"),
    );
    if let Some(wanted) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// What every answer from here bears.
fn guard(headers: &mut HeaderMap) {
    for name in NOT_ITS_OWN {
        headers.remove(name);
    }
    // Beside a policy of its own: both count.
    headers.append(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    for (name, value) in [
        // The page's origin is nobody's, so even its own data come from elsewhere.
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        // Its address may hold the token.
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.remove("access-control-allow-credentials");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_whose_what_and_with_which_token() {
        let place = |path: &'static str| {
            Place::of(path).map(|place| {
                let Place {
                    user,
                    name,
                    token,
                    rest,
                } = place;
                (user.to_string(), name.to_string(), token, rest)
            })
        };
        let twin = |token, rest| Some(("alice".to_owned(), "twin".to_owned(), token, rest));
        assert_eq!(place("/alice/services/twin"), twin(None, ""));
        assert_eq!(place("/alice/services/twin/"), twin(None, "/"));
        assert_eq!(place("/alice/services/twin/a/~b"), twin(None, "/a/~b"));
        assert_eq!(place("/alice/services/twin/~T0k"), twin(Some("T0k"), ""));
        assert_eq!(
            place("/alice/services/twin/~T0k/a"),
            twin(Some("T0k"), "/a")
        );
        for path in [
            "/alice/services/",
            "/alice/services//",
            "/alice/services/../x",
            "/Alice/services/twin/",
            "/a/b/services/twin/",
            "/alice/lab",
            "//services/twin",
        ] {
            assert_eq!(place(path), None, "{path}");
        }
    }

    #[test]
    fn a_token_leaves_the_query() {
        let pair = |token: &str, rest: &str| Some((token.to_owned(), rest.to_owned()));
        assert_eq!(from_query("token=T"), pair("T", ""));
        assert_eq!(from_query("a=b&token=T&c=d"), pair("T", "a=b&c=d"));
        assert_eq!(from_query("tokens=T"), None);
        assert_eq!(from_query(""), None);
    }

    #[test]
    fn a_program_at_its_own_root_sends_on_to_below_ours() {
        let sent = |location: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, HeaderValue::from_static(location));
            relocate(&mut headers, "/alice/services/twin/");
            headers[LOCATION].to_str().unwrap().to_owned()
        };
        assert_eq!(sent("/next"), "/alice/services/twin/next");
        assert_eq!(sent("next"), "next");
        assert_eq!(
            sent("/alice/services/twin/next"),
            "/alice/services/twin/next"
        );
        assert_eq!(sent("https://foo.com/"), "https://foo.com/");
    }
}
