//! Serves what is shared: from the gateway to that port of that workspace, with nothing of whoever looks at it, and as a page that is not
//! the platform's.
//!
//! A shared program is somebody else's script on the platform's origin. So its pages are sandboxed (their origin is nobody's), which keeps
//! them from acting as whoever is signed in; cookies go neither way; and the token stands in the path (`~…`), where a page's own relative
//! addresses carry it on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN,
    REFERRER_POLICY, SET_COOKIE, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::super::endpoint::{Endpoint, now};
use super::super::sessions::Unreadable;
use super::places::Places;
use super::{Share, of};
use crate::gate;
use crate::proxy::{Proxy, Upstream};
use crate::spec::names::{ShareName, UserName};

/// How often an open exchange's share is looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// Scripts and forms may run, as a page of nobody's.
const SANDBOX: &str = "sandbox allow-scripts allow-forms allow-popups allow-downloads allow-modals allow-pointer-lock";

const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What a shared program must not say for the platform's origin: what browsers keep for it, send for it, or ask people in its name.
const NOT_ITS_OWN: [HeaderName; 20] = [
    SET_COOKIE,
    STRICT_TRANSPORT_SECURITY,
    // A password window would say that it is the platform that asks.
    WWW_AUTHENTICATE,
    HeaderName::from_static("accept-ch"),
    HeaderName::from_static("activate-storage-access"),
    HeaderName::from_static("alt-svc"),
    HeaderName::from_static("authentication-info"),
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("critical-ch"),
    HeaderName::from_static("expect-ct"),
    HeaderName::from_static("nel"),
    HeaderName::from_static("observe-browsing-topics"),
    HeaderName::from_static("origin-agent-cluster"),
    HeaderName::from_static("public-key-pins"),
    HeaderName::from_static("report-to"),
    HeaderName::from_static("reporting-endpoints"),
    HeaderName::from_static("secure-session-challenge"),
    HeaderName::from_static("secure-session-registration"),
    HeaderName::from_static("service-worker-allowed"),
    HeaderName::from_static("set-login"),
];

/// What is shared by everybody, and how it is reached.
pub struct Shared {
    directory: PathBuf,
    proxy: Proxy,
    places: Places,
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
    let value = gate::only(headers, &AUTHORIZATION)?.to_str().ok()?;
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
            places: Places::default(),
        }
    }

    /// What is shared under a name; `None` where nothing is.
    ///
    /// # Errors
    /// When the user's file cannot be read: why.
    fn find(&self, user: &UserName, name: &ShareName) -> Result<Option<Share>, String> {
        let shares = of(&self.directory, user, now()).map_err(|error| format!("{error:#}"))?;
        Ok(shares.into_iter().find(|share| share.name == *name))
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
        let standing = endpoint
            .sessions
            .standing(&user)
            .map_err(|Unreadable| broken())?
            .ok_or_else(nothing)?;
        let workspace = standing.workspace.ok_or_else(nothing)?;
        let share = self.find(&user, &name).map_err(|problem| {
            endpoint.complaints.say(problem);
            broken()
        })?;
        let share = share.ok_or_else(nothing)?;
        let start = format!("{}{}", endpoint.base, share.path(&user));
        let Way { prefix, bare } =
            way(&share, &start, token, rest, &request).map_err(|refused| *refused)?;
        let query = request.uri().query().unwrap_or_default();
        if rest.is_empty() {
            return Ok(to(StatusCode::PERMANENT_REDIRECT, prefix, query));
        }
        let asks = ACCESS_CONTROL_REQUEST_METHOD;
        if request.method() == Method::OPTIONS && request.headers().contains_key(asks) {
            return Ok(preflight(request.headers()));
        }
        let path_and_query = match query {
            "" => rest.to_owned(),
            query => format!("{rest}?{query}"),
        };
        let upstream = Upstream {
            address: (workspace.ip(), share.port).into(),
            path_and_query: path_and_query.parse().map_err(|_| nothing())?,
        };
        let from = endpoint.front.before(&request).from;
        let taken = (user, name);
        let seat = self.places.take(&taken, from).await.ok_or_else(|| {
            let text = "Too many people are here at the moment. Try again later.";
            words(StatusCode::SERVICE_UNAVAILABLE, text)
        })?;
        let request = stripped(request, bare, &prefix, endpoint);
        let port = share.port;
        let over = Arc::clone(self).over(Arc::clone(endpoint), taken.0, share);
        let end = async move {
            let _seat = seat;
            over.await;
        };
        let mut response = self.proxy.pass(request, upstream, end).await;
        if response.status() == StatusCode::BAD_GATEWAY {
            let text = format!(
                "Nothing answers at port {port} of the workspace. The program there must be running, and listen on all addresses (0.0.0.0)."
            );
            return Err(words(StatusCode::BAD_GATEWAY, text));
        }
        relocate(response.headers_mut(), &prefix);
        Ok(response)
    }

    /// Ends when something is shared no more, or its user is shut out. While the files cannot be read, what they said last counts: a process
    /// that is out of descriptors cuts nobody off.
    async fn over(self: Arc<Self>, endpoint: Arc<Endpoint>, user: UserName, share: Share) {
        loop {
            tokio::time::sleep(GLANCE).await;
            let other = match self.find(&user, &share.name) {
                Ok(found) => found.as_ref() != Some(&share),
                Err(_) => !share.is_open(now()),
            };
            if other || matches!(endpoint.sessions.standing(&user), Ok(None)) {
                return;
            }
        }
    }
}

/// How a request may come in.
struct Way {
    /// Where the program's own root is, for whoever comes this way.
    prefix: String,
    /// Whether the token stands in a header, which the program need not see.
    bare: bool,
}

impl Way {
    fn to(prefix: String, bare: bool) -> Self {
        Self { prefix, bare }
    }
}

/// How a request comes in.
///
/// # Errors
/// The answer to whoever may not come in, or is sent on first.
fn way(
    share: &Share,
    start: &str,
    token: Option<&str>,
    rest: &str,
    request: &Request,
) -> Result<Way, Box<Response>> {
    if share.token.is_none() {
        return match token {
            None => Ok(Way::to(start.to_owned(), false)),
            Some(_) => Err(Box::new(nothing())),
        };
    }
    let query = request.uri().query().unwrap_or_default();
    match (token, bearer(request.headers()), from_query(query)) {
        (Some(token), _, _) if share.takes(token) => {
            Ok(Way::to(format!("{start}~{token}/"), false))
        }
        (None, Some(token), _) if share.takes(token) => Ok(Way::to(start.to_owned(), true)),
        (None, _, Some((token, others))) if share.takes(&token) => {
            let rest = rest.trim_start_matches('/');
            let inside = format!("{start}~{token}/{rest}");
            Err(Box::new(to(StatusCode::SEE_OTHER, inside, &others)))
        }
        _ => {
            let text = "This opens with the whole link that you were given, and no other.";
            Err(Box::new(words(StatusCode::UNAUTHORIZED, text)))
        }
    }
}

fn nothing() -> Response {
    words(
        StatusCode::NOT_FOUND,
        "Nothing is shared here, or not any more.",
    )
}

fn broken() -> Response {
    words(
        StatusCode::INTERNAL_SERVER_ERROR,
        "What is shared here cannot be read just now.",
    )
}

fn to(status: StatusCode, mut address: String, query: &str) -> Response {
    if !query.is_empty() {
        address = format!("{address}?{query}");
    }
    match HeaderValue::from_str(&address) {
        Ok(address) => {
            let kept = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
            (status, [(LOCATION, address), kept]).into_response()
        }
        Err(_) => nothing(),
    }
}

/// The request as the program gets it: without cookies and credentials; what its own pages send comes from its own origin.
fn stripped(mut request: Request, bare: bool, prefix: &str, endpoint: &Endpoint) -> Request {
    let origin = endpoint.front.before(&request).origin();
    let headers = request.headers_mut();
    headers.remove(COOKIE);
    // A browser may send what it knows along without its user's doing: a password, a proof of one. A page's own token is the program's.
    if bare || bearer(headers).is_none() {
        headers.remove(AUTHORIZATION);
    }
    // Sandboxed pages come from nobody's origin; what another site's page sends does not pass for theirs.
    let is_nobodys = gate::only(headers, &ORIGIN).is_some_and(|origin| origin == "null");
    if is_nobodys
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
