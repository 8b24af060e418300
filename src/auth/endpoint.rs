//! The auth endpoint: what the gateway's `forwardAuth` asks before it lets a request through.
//!
//! Who is required stands in the address that is asked, `/authz/<user>` for what is one user's, `/authz` for what any user
//! may open, and `/vis` for Grafana, which is told who it is. Nothing that a visitor sends but the credentials has a say in it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, COOKIE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

pub use super::gatekeeper::Directories;

use super::gatekeeper::{Answer, Gatekeeper};
use super::vis::Signer;
use super::{basic, cookies};
use crate::error::Failure;
use crate::gate::{ASSERTION_HEADER, GROUPS_HEADER, USER_HEADER};
use crate::serve;
use crate::spec::names::UserName;

/// The header in which the gateway says whose request it asks about.
const ADDRESS_HEADER: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What is asked for whoever goes to Grafana.
const VIS: &str = "/vis";

/// How the endpoint is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A loopback address.
    pub listen: SocketAddr,
    /// Where users' files lie.
    pub directories: Directories,
    /// What the browser's password window is headed with.
    pub realm: String,
    /// The key for the gateway's word to Grafana, where there is a Grafana.
    pub vis_key: Option<PathBuf>,
}

/// Serves until stopped.
///
/// # Errors
/// When a directory is not there, the realm cannot be sent in a header, or the address cannot be listened on.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let Settings {
        listen,
        directories,
        realm,
        vis_key,
    } = settings;
    let signer = vis_key.as_deref().map(Signer::open).transpose()?;
    for directory in [&directories.htpasswd, &directories.users] {
        if !directory.is_dir() {
            let message = format!("auth: {} is not a directory", directory.display());
            return Err(Failure::usage(message).into());
        }
    }
    let app = Router::new()
        .fallback(answer)
        .with_state(Arc::new(Endpoint::new(directories, &realm, signer)?));
    serve::on_loopback("auth", listen, app).await
}

/// What decides about requests.
pub struct Endpoint {
    challenge: HeaderValue,
    gatekeeper: Gatekeeper,
    signer: Option<Signer>,
}

fn challenge(realm: &str) -> anyhow::Result<HeaderValue> {
    let unfit = |c: char| !(c == ' ' || c.is_ascii_graphic()) || matches!(c, '"' | '\\');
    if let Some(c) = realm.chars().find(|c| unfit(*c)) {
        let message = format!("auth: {c:?} cannot stand in a realm");
        return Err(Failure::usage(message)
            .hint("use ASCII letters, digits and signs other than \" and \\")
            .into());
    }
    let text = format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
    Ok(HeaderValue::from_str(&text)?)
}

/// Who may pass.
pub enum Required {
    /// Any user.
    Anyone,
    /// This user alone.
    This(UserName),
}

/// Takes the path as it was sent: what would have to be decoded or resolved names no user.
fn required(path: &str) -> Option<Required> {
    match path.strip_prefix("/authz")? {
        "" => Some(Required::Anyone),
        rest => rest.strip_prefix('/')?.parse().ok().map(Required::This),
    }
}

/// Who sent the request that the gateway asks about: the last address, which is the one that the gateway saw itself.
fn sender(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(ADDRESS_HEADER).iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

async fn answer(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    let path = request.uri().path();
    if path == "/healthz" {
        return plain(StatusCode::OK, "ready\n");
    }
    if let (VIS, Some(signer)) = (path, &endpoint.signer) {
        return match endpoint.admit(&Required::Anyone, request.headers()).await {
            Ok(identity) => signed(signer, identity),
            Err(refused) => refused,
        };
    }
    let Some(required) = required(path) else {
        return plain(StatusCode::NOT_FOUND, "No such page.\n");
    };
    match endpoint.admit(&required, request.headers()).await {
        Ok(identity) => (identity, plain(StatusCode::OK, "")).into_response(),
        Err(refused) => refused,
    }
}

/// The same with the gateway's word for Grafana.
fn signed(signer: &Signer, mut identity: HeaderMap) -> Response {
    let user = identity
        .get(USER_HEADER)
        .and_then(|user| user.to_str().ok());
    match user.map(|user| signer.says(user)) {
        Some(Ok(word)) => {
            identity.insert(ASSERTION_HEADER, word);
            (identity, plain(StatusCode::OK, "")).into_response()
        }
        Some(Err(_)) | None => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The way to Grafana cannot be signed.\n",
        ),
    }
}

impl Endpoint {
    /// One that knows the users of these directories; `realm` is what the browser's password window is headed with.
    ///
    /// # Errors
    /// When the realm cannot be sent in a header.
    pub fn new(
        directories: Directories,
        realm: &str,
        signer: Option<Signer>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            challenge: challenge(realm)?,
            gatekeeper: Gatekeeper::new(directories),
            signer,
        })
    }

    /// The headers that a request goes on with in place of its own credentials: who it is from, and the cookies that are not the
    /// platform's.
    ///
    /// # Errors
    /// The answer to a request that does not go on.
    pub async fn admit(
        &self,
        required: &Required,
        headers: &HeaderMap,
    ) -> Result<HeaderMap, Response> {
        let unauthorized = || {
            let challenge = [(WWW_AUTHENTICATE, self.challenge.clone())];
            (challenge, plain(StatusCode::UNAUTHORIZED, "Sign in.\n")).into_response()
        };
        let Some(credentials) = basic::credentials(headers) else {
            return Err(unauthorized());
        };
        let allowed = match required {
            Required::Anyone => true,
            Required::This(user) => *user == credentials.user,
        };
        match self.gatekeeper.ask(credentials, sender(headers)).await {
            Answer::Pass(pass) if allowed => {
                let mut identity = HeaderMap::new();
                identity.insert(USER_HEADER, pass.user.clone());
                identity.insert(GROUPS_HEADER, pass.groups.clone());
                if let Some(cookies) = cookies::passed_on(headers) {
                    identity.insert(COOKIE, cookies);
                }
                Ok(identity)
            }
            Answer::Pass(_) => Err(plain(StatusCode::FORBIDDEN, "This is another user's.\n")),
            Answer::Wrong => Err(unauthorized()),
            Answer::Busy => {
                let later = [(RETRY_AFTER, "2")];
                let busy = plain(StatusCode::SERVICE_UNAVAILABLE, "Too busy; try again.\n");
                Err((later, busy).into_response())
            }
            Answer::Broken => Err(plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The account cannot be read.\n",
            )),
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_says_who_is_required() {
        assert!(matches!(required("/authz"), Some(Required::Anyone)));
        let alice: UserName = "alice".parse().unwrap();
        assert!(matches!(required("/authz/alice"), Some(Required::This(user)) if user == alice));
        for path in [
            "/",
            "/authzalice",
            "/authz/",
            "/authz//",
            "/authz/alice/",
            "/authz/alice/x",
            "/authz/../alice",
            "/authz/%61lice",
            "/authz/%2e%2e",
            "/authz/Alice",
            "//authz",
        ] {
            assert!(required(path).is_none(), "{path}");
        }
    }

    #[test]
    fn the_sender_is_whom_the_gateway_saw() {
        let sent = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(ADDRESS_HEADER, HeaderValue::from_static(value));
            }
            sender(&headers).map(|address| address.to_string())
        };
        assert_eq!(sent(&["192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(sent(&["10.9.9.9, 192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(
            sent(&["10.9.9.9", "192.0.2.1"]).as_deref(),
            Some("192.0.2.1")
        );
        assert_eq!(sent(&["2001:db8::1"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(sent(&["unknown"]), None);
        assert_eq!(sent(&[]), None);
    }

    #[test]
    fn a_realm_cannot_leave_its_quotes() {
        assert_eq!(
            challenge("foo.com's DTaaS").unwrap(),
            "Basic realm=\"foo.com's DTaaS\", charset=\"UTF-8\""
        );
        for realm in ["a\"b", "a\\b", "a\nb", "ä"] {
            assert!(challenge(realm).is_err(), "{realm:?}");
        }
    }
}
