//! WebSockets to workspaces: they pass through here, so that they end with the session that they were opened in.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, COOKIE, UPGRADE};
use axum::http::uri::PathAndQuery;
use axum::response::Response;

use super::endpoint::{Endpoint, Required, Unknown, plain};
use super::sessions::Unreadable;
use crate::proxy::{Proxy, Upstream};
use crate::spec::names::UserName;

/// Whether a request asks for a WebSocket (RFC 6455, 4.1).
pub(super) fn is_socket(request: &Request) -> bool {
    request
        .headers()
        .get(UPGRADE)
        .is_some_and(|kind| kind.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

impl Endpoint {
    /// A WebSocket to a user's workspace, for that user alone.
    pub(super) async fn socket(
        self: &Arc<Self>,
        proxy: &Proxy,
        user: UserName,
        mut request: Request,
    ) -> Response {
        // Before the question whether it may be opened: what ends between the two has ended it as well.
        let standing = self.sessions.standing(&user);
        let admitted = {
            let asked = self.front.before(&request);
            self.admit(&Required::This(user.clone()), &asked).await
        };
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(refused) => return refused,
        };
        let standing = match standing {
            Ok(standing) => standing,
            Err(Unreadable) => return self.refusal(&Unknown::Broken, &self.front.before(&request)),
        };
        let workspace = standing.and_then(|standing| Some((standing.workspace?, standing)));
        let Some((workspace, standing)) = workspace else {
            return plain(StatusCode::NOT_FOUND, "There is no workspace here.\n");
        };
        let path_and_query = request.uri().path_and_query().cloned();
        let upstream = Upstream {
            address: workspace,
            path_and_query: path_and_query.unwrap_or(PathAndQuery::from_static("/")),
        };
        let headers = request.headers_mut();
        for name in [AUTHORIZATION, COOKIE] {
            headers.remove(name);
        }
        headers.extend(admitted.identity);
        let end = Arc::clone(&self.sessions).over(user, standing);
        proxy.pass(request, upstream, end).await
    }
}
