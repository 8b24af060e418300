//! `auth serve`: the process that the gateway asks, and to which it leads for signing in, users' accounts, what users share, and WebSockets to
//! workspaces.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::account::Account;
use super::endpoint::{Endpoint, Options, SIGN_IN, plain};
use super::shares::served::{Place, Shared};
use super::socket::is_socket;
use crate::error::Failure;
use crate::page;
use crate::proxy::Proxy;
use crate::serve::{self, Secure};
use crate::spec::names::UserName;

/// Where users see to their accounts, below the base path.
const ACCOUNT: &str = "/account";

/// How it is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A loopback address.
    pub listen: SocketAddr,
    /// Another one, where the gateway asks over TLS.
    pub listen_tls: Option<SocketAddr>,
    /// What decides.
    pub options: Options,
    /// What users see of their own account.
    pub account: Account,
}

/// What answers at the platform's own pages of this process.
pub struct Door {
    endpoint: Arc<Endpoint>,
    account: Account,
    proxy: Proxy,
    shared: Option<Arc<Shared>>,
}

/// Serves until stopped.
///
/// # Errors
/// When a directory is not there, the realm cannot be sent in a header, or the address cannot be listened on.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let Settings {
        listen,
        listen_tls,
        options,
        account,
    } = settings;
    let directories = &options.directories;
    let known = [&directories.htpasswd, &directories.users, &options.sessions];
    for directory in known.into_iter().chain(&account.shares) {
        if !directory.is_dir() {
            let message = format!("auth: {} is not a directory", directory.display());
            return Err(Failure::usage(message).into());
        }
    }
    let app = router(options, account)?;
    let Some(address) = listen_tls else {
        return serve::on_loopback("auth", listen, app).await;
    };
    serve::require_loopback("auth", address)?;
    let secure = Secure::listen("auth:", address).await?;
    tokio::select! {
        ended = serve::on_loopback("auth", listen, app.clone()) => ended,
        () = secure.serve(app) => Ok(()),
    }
}

/// All that is answered here.
///
/// # Errors
/// When the realm cannot be sent in a header, or the key for Grafana cannot be read.
pub fn router(options: Options, account: Account) -> anyhow::Result<Router> {
    let door = Door::new(Arc::new(Endpoint::new(options)?), account);
    Ok(Router::new().fallback(serve_one).with_state(Arc::new(door)))
}

async fn serve_one(State(door): State<Arc<Door>>, request: Request) -> Response {
    let path = request.uri().path();
    if path == "/healthz" {
        return plain(StatusCode::OK, "ready\n");
    }
    if path == "/vis" || path.starts_with("/authz") {
        return door.endpoint.answer(path, request.headers()).await;
    }
    match door.opens(&request) {
        true => door.open(request).await,
        false => plain(StatusCode::NOT_FOUND, "No such page.\n"),
    }
}

/// What is at an address of ours.
enum Page {
    SignIn,
    Account,
    Shared,
    Socket(UserName),
}

impl Door {
    /// One that stands where this endpoint decides.
    pub fn new(endpoint: Arc<Endpoint>, account: Account) -> Self {
        let proxy = Proxy::default();
        let shared = account
            .shares
            .clone()
            .map(|directory| Arc::new(Shared::new(directory, proxy.clone())));
        Self {
            endpoint,
            account,
            proxy,
            shared,
        }
    }

    fn page(&self, request: &Request) -> Option<Page> {
        let below = request.uri().path().strip_prefix(&self.endpoint.base)?;
        let is = |page| {
            let rest = below.strip_prefix(page);
            rest.is_some_and(|rest: &str| rest.is_empty() || rest.starts_with('/'))
        };
        if is(SIGN_IN) {
            return Some(Page::SignIn);
        }
        if is(ACCOUNT) {
            return Some(Page::Account);
        }
        if self.shared.is_some() && Place::of(below).is_some() {
            return Some(Page::Shared);
        }
        if !is_socket(request) {
            return None;
        }
        let user = below.strip_prefix('/')?.split('/').next()?;
        user.parse().ok().map(Page::Socket)
    }

    /// Whether a request is for one of our pages. These decide by themselves who may see them.
    pub fn opens(&self, request: &Request) -> bool {
        self.page(request).is_some()
    }

    /// The answer to a request for a page of ours.
    pub async fn open(&self, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let below = |page: &str| {
            let start = self.endpoint.base.len() + page.len();
            path.get(start..).unwrap_or_default()
        };
        match (self.page(&request), &self.shared) {
            (Some(Page::SignIn), _) => self.endpoint.sign_in(below(SIGN_IN), request).await,
            (Some(Page::Account), _) => {
                let rest = below(ACCOUNT).trim_start_matches('/');
                let mut response = self.endpoint.account(&self.account, rest, request).await;
                page::guard(&mut response);
                response
            }
            (Some(Page::Shared), Some(shared)) => shared.serve(&self.endpoint, request).await,
            (Some(Page::Socket(user)), _) => self.endpoint.socket(&self.proxy, user, request).await,
            (Some(Page::Shared), None) | (None, _) => {
                plain(StatusCode::NOT_FOUND, "No such page.\n")
            }
        }
    }
}
