//! What stands in front of the website and the library, and does what the gateway does on a platform: asks who it is, drops what
//! visitors say about themselves, and passes on what is known instead.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use tower::ServiceExt;

use crate::auth::door::Door;
use crate::auth::endpoint::{Endpoint, Required};
use crate::gate::{GATEWAY_HEADER, GROUPS_HEADER, USER_HEADER};
use crate::secrets::Secret;
use crate::trial::workspaces::Workspaces;

/// Where the library is.
pub const LIBRARY: &str = "/lib";

/// Headers that count only when they are ours. Nobody stands between a visitor and us, so nobody can say where one comes from.
const OURS: [HeaderName; 4] = [
    USER_HEADER,
    GROUPS_HEADER,
    GATEWAY_HEADER,
    HeaderName::from_static("x-forwarded-for"),
];

/// Who decides, and what is behind.
pub struct Passage {
    /// Knows the users.
    pub endpoint: Arc<Endpoint>,
    /// Where they sign in, and what they do with their accounts.
    pub door: Door,
    /// What each user alone may open, where there is any.
    pub workspaces: Option<Arc<Workspaces>>,
    /// Everything but the library.
    pub website: Router,
    /// What is at [`LIBRARY`] and below.
    pub library: Router,
    /// What the two behind know us by.
    pub secret: Secret,
}

struct Gate {
    endpoint: Arc<Endpoint>,
    door: Door,
    workspaces: Option<Arc<Workspaces>>,
    website: Router,
    library: Router,
    secret: HeaderValue,
}

/// Everything behind the gate.
///
/// # Errors
/// When the secret cannot be sent in a header.
pub fn router(passage: Passage) -> anyhow::Result<Router> {
    let mut secret = HeaderValue::from_str(passage.secret.expose())?;
    secret.set_sensitive(true);
    let gate = Gate {
        endpoint: passage.endpoint,
        door: passage.door,
        workspaces: passage.workspaces,
        website: passage.website,
        library: passage.library,
        secret,
    };
    Ok(Router::new().fallback(pass).with_state(Arc::new(gate)))
}

async fn pass(State(gate): State<Arc<Gate>>, mut request: Request) -> Result<Response, Infallible> {
    let headers = request.headers_mut();
    for name in OURS {
        headers.remove(name);
    }
    let all = gate.workspaces.as_ref();
    let workspace = all.and_then(|all| Some((all, all.owner(request.uri().path())?)));
    if workspace.is_none() && gate.door.opens(&request) {
        return Ok(gate.door.open(request).await);
    }
    let asked = gate.endpoint.front.before(&request);
    let required = match &workspace {
        Some((_, user)) => Required::This(user.clone()),
        None => Required::Anyone,
    };
    let admitted = match gate.endpoint.admit(&required, &asked).await {
        Ok(admitted) => admitted,
        Err(refused) => return Ok(refused),
    };
    let headers = request.headers_mut();
    headers.remove(AUTHORIZATION);
    headers.remove(COOKIE);
    headers.extend(admitted.identity);
    let mut response = match workspace {
        Some((all, user)) => {
            let end = gate.endpoint.over(&user);
            all.answer(&user, request, end).await
        }
        None => {
            headers.insert(GATEWAY_HEADER, gate.secret.clone());
            let behind = match is_librarys(request.uri().path()) {
                true => &gate.library,
                false => &gate.website,
            };
            behind.clone().oneshot(request).await?
        }
    };
    if let Some(cookie) = admitted.renewed {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn is_librarys(path: &str) -> bool {
    path.strip_prefix(LIBRARY)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_has_whole_segments() {
        for (path, expected) in [
            ("/lib", true),
            ("/lib/", true),
            ("/lib/files/alice/x", true),
            ("/library", false),
            ("/", false),
            ("/x/lib", false),
            ("/%6cib", false),
        ] {
            assert_eq!(is_librarys(path), expected, "{path}");
        }
    }
}
