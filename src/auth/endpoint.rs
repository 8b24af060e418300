//! Who may pass: decided for the gateway's `forwardAuth`, which asks about each request before it lets it through, and for our own pages.
//!
//! Whoever shows a session's cookie, or a name and a password in the header that programs send, is known; and what is required stands in the
//! address that is asked, `/authz/<user>` for what is one user's, `/authz` for what any user may open, `/vis` for Grafana, which is told
//! who it is. Nothing else that a visitor sends has a say in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::header::{
    CACHE_CONTROL, COOKIE, LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

pub use super::gatekeeper::Directories;

use super::asked::{ADDRESS_MAX, Asked, Front};
use super::cache::Pass;
use super::complaints::Complaints;
use super::gatekeeper::{Answer, Gatekeeper};
use super::sessions::{Session, Sessions};
use super::vis::Signer;
use super::writing::Writing;
use super::{basic, cookies};
use crate::error::Failure;
use crate::gate::{ASSERTION_HEADER, GROUPS_HEADER, USER_HEADER};
use crate::secrets::Secret;
use crate::spec::names::{BasePath, UserName};

/// Where people sign in, below the base path.
pub const SIGN_IN: &str = "/signin";

/// What decides about a platform's visitors.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where users' files lie.
    pub directories: Directories,
    /// Where it is written down that a user has signed out everywhere.
    pub sessions: PathBuf,
    /// What sessions are signed with.
    pub key: Secret,
    /// The platform's name, for the cookie's.
    pub platform: String,
    /// Where the platform begins below its domain.
    pub base_path: BasePath,
    /// What a program's password window is headed with.
    pub realm: String,
    /// Who stands between visitors and us.
    pub front: Front,
    /// The key for the gateway's word to Grafana, where there is a Grafana.
    pub vis_key: Option<PathBuf>,
}

/// It.
pub struct Endpoint {
    challenge: HeaderValue,
    gatekeeper: Gatekeeper,
    pub(super) sessions: Arc<Sessions>,
    pub(super) complaints: Arc<Complaints>,
    pub(super) writing: Writing,
    signer: Option<Signer>,
    pub(super) base: String,
    /// Who stands between visitors and us.
    pub front: Front,
    pub(super) directories: Directories,
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

/// Who a visitor turned out to be.
pub struct Known {
    /// The name.
    pub user: UserName,
    /// What the user is called by behind the gateway.
    pub pass: Arc<Pass>,
    /// The session, where it is not a name and a password.
    pub session: Option<Session>,
}

/// Why a visitor is nobody.
pub enum Unknown {
    /// Nothing was shown that could be anybody's.
    Nobody,
    /// A name and a password that are not a user's.
    Wrong,
    /// There were too many wrong ones; how long to wait.
    Slow(Duration),
    /// Too many others wait to be verified.
    Busy,
    /// The account's file cannot be read.
    Broken,
}

/// A visitor who may pass.
pub struct Admitted {
    /// The headers that the request goes on with in place of its own credentials: who it is from, and the cookies that are not the
    /// platform's.
    pub identity: HeaderMap,
    /// Who it is.
    pub user: UserName,
    /// A cookie to set in place of the one that was shown.
    pub renewed: Option<HeaderValue>,
}

/// The time, in seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl Endpoint {
    /// One that knows the users of these directories.
    ///
    /// # Errors
    /// When the realm cannot be sent in a header, or the key for Grafana cannot be read.
    pub fn new(options: Options) -> anyhow::Result<Self> {
        let Options {
            directories,
            sessions,
            key,
            platform,
            base_path,
            realm,
            front,
            vis_key,
        } = options;
        let sessions = Sessions::new(directories.clone(), sessions, key, &platform);
        let complaints = Arc::clone(&sessions.complaints);
        Ok(Self {
            challenge: challenge(&realm)?,
            gatekeeper: Gatekeeper::new(directories.clone(), Arc::clone(&complaints)),
            sessions: Arc::new(sessions),
            complaints,
            writing: Writing::default(),
            signer: vis_key.as_deref().map(Signer::open).transpose()?,
            base: base_path.path(""),
            front,
            directories,
        })
    }

    /// The answer to the gateway's question at this path.
    pub async fn answer(&self, path: &str, headers: &HeaderMap) -> Response {
        let asked = self.front.about(headers);
        if let ("/vis", Some(signer)) = (path, &self.signer) {
            return match self.admit(&Required::Anyone, &asked).await {
                Ok(admitted) => signed(signer, admitted),
                Err(refused) => refused,
            };
        }
        let Some(required) = required(path) else {
            return plain(StatusCode::NOT_FOUND, "No such page.\n");
        };
        match self.admit(&required, &asked).await {
            Ok(admitted) => passed(admitted),
            Err(refused) => refused,
        }
    }

    /// Who sends a request.
    ///
    /// # Errors
    /// When it is nobody who is known.
    pub async fn who(&self, asked: &Asked<'_>) -> Result<Known, Unknown> {
        // What a browser adds by itself says nothing when another page had it sent.
        if !asked.is_willing() {
            return Err(Unknown::Nobody);
        }
        if let Some(session) = self.sessions.shown(asked, now()) {
            return Ok(Known {
                user: session.user.clone(),
                pass: Arc::clone(&session.pass),
                session: Some(session),
            });
        }
        let credentials = basic::credentials(asked.headers).ok_or(Unknown::Nobody)?;
        self.verified(credentials, asked).await
    }

    /// Whose a name and a password are.
    ///
    /// # Errors
    /// When they are nobody's.
    pub async fn verified(
        &self,
        credentials: basic::Credentials,
        asked: &Asked<'_>,
    ) -> Result<Known, Unknown> {
        let user = credentials.user.clone();
        match self.gatekeeper.ask(credentials, asked.from).await {
            Answer::Pass(pass) => Ok(Known {
                user,
                pass,
                session: None,
            }),
            Answer::Wrong => Err(Unknown::Wrong),
            Answer::Slow(wait) => Err(Unknown::Slow(wait)),
            Answer::Busy => Err(Unknown::Busy),
            Answer::Broken => Err(Unknown::Broken),
        }
    }

    /// A cookie for a user who has just proved to be one; `None` where the account was closed meanwhile.
    ///
    /// # Errors
    /// When the user's files cannot be read or written, or it cannot be signed.
    pub(super) async fn begin(
        &self,
        user: &UserName,
        asked: &Asked<'_>,
    ) -> anyhow::Result<Option<HeaderValue>> {
        let (sessions, name) = (Arc::clone(&self.sessions), user.clone());
        self.writing.of(user, move || sessions.open(&name)).await?;
        self.sessions.begin(user, asked, now())
    }

    /// Is over when everything ends that is open in a user's name: by signing out, another password, or a closed account.
    pub fn over(&self, user: &UserName) -> impl Future<Output = ()> + Send + 'static {
        let sessions = Arc::clone(&self.sessions);
        let user = user.clone();
        async move {
            if let Ok(Some(standing)) = sessions.standing(&user) {
                sessions.over(user, standing).await;
            }
        }
    }

    /// Lets a request pass, or not.
    ///
    /// # Errors
    /// The answer to a request that does not go on.
    pub async fn admit(
        &self,
        required: &Required,
        asked: &Asked<'_>,
    ) -> Result<Admitted, Response> {
        let known = match self.who(asked).await {
            Ok(known) => known,
            Err(unknown) => return Err(self.refusal(&unknown, asked)),
        };
        let allowed = match required {
            Required::Anyone => true,
            Required::This(user) => *user == known.user,
        };
        if !allowed {
            return Err(plain(StatusCode::FORBIDDEN, "This is another user's.\n"));
        }
        let mut identity = HeaderMap::new();
        identity.insert(USER_HEADER, known.pass.user.clone());
        identity.insert(GROUPS_HEADER, known.pass.groups.clone());
        if let Some(cookies) = cookies::passed_on(asked.headers) {
            identity.insert(COOKIE, cookies);
        }
        let renewed = known
            .session
            .and_then(|session| self.sessions.renewed(&session, asked, now()));
        Ok(Admitted {
            identity,
            user: known.user,
            renewed,
        })
    }

    /// What somebody is told who is not known: people go to the page where they sign in, programs are asked for a password.
    pub(super) fn refusal(&self, unknown: &Unknown, asked: &Asked<'_>) -> Response {
        match unknown {
            Unknown::Nobody if asked.wants_page() => {
                // Whoever comes back from the page comes back to the start where the address would not fit into another.
                let page = match asked.uri.len() <= ADDRESS_MAX {
                    true => {
                        let to = utf8_percent_encode(&asked.uri, NON_ALPHANUMERIC);
                        format!("{}{SIGN_IN}?to={to}", self.base)
                    }
                    false => format!("{}{SIGN_IN}", self.base),
                };
                let headers = [(LOCATION, page), (CACHE_CONTROL, "no-store".to_owned())];
                (StatusCode::SEE_OTHER, headers).into_response()
            }
            // A browser would open its password window.
            Unknown::Nobody if asked.is_browsers() => plain(StatusCode::UNAUTHORIZED, "Sign in.\n"),
            Unknown::Nobody | Unknown::Wrong => {
                let challenge = [(WWW_AUTHENTICATE, self.challenge.clone())];
                (challenge, plain(StatusCode::UNAUTHORIZED, "Sign in.\n")).into_response()
            }
            Unknown::Slow(wait) => {
                let later = [(RETRY_AFTER, HeaderValue::from(seconds(*wait)))];
                let slow = plain(
                    StatusCode::TOO_MANY_REQUESTS,
                    "Too many wrong passwords; wait a little.\n",
                );
                (later, slow).into_response()
            }
            Unknown::Busy => {
                let later = [(RETRY_AFTER, "2")];
                let busy = plain(StatusCode::SERVICE_UNAVAILABLE, "Too busy; try again.\n");
                (later, busy).into_response()
            }
            Unknown::Broken => plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The account cannot be read.\n",
            ),
        }
    }
}

/// A time to wait in whole seconds, rounded up.
pub(super) fn seconds(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
}

fn passed(admitted: Admitted) -> Response {
    let mut response = (admitted.identity, plain(StatusCode::OK, "")).into_response();
    if let Some(cookie) = admitted.renewed {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// The same with the gateway's word for Grafana.
fn signed(signer: &Signer, mut admitted: Admitted) -> Response {
    match signer.says(admitted.user.as_str()) {
        Ok(word) => {
            admitted.identity.insert(ASSERTION_HEADER, word);
            passed(admitted)
        }
        Err(_) => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The way to Grafana cannot be signed.\n",
        ),
    }
}

pub(super) fn plain(status: StatusCode, text: &'static str) -> Response {
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
