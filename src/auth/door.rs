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
use crate::gate::{self, GATEWAY_HEADER, Proof};
use crate::page;
use crate::proxy::Proxy;
use crate::secrets::Secret;
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
    /// What only the gateway knows; `None` where anybody on this machine may pass for it.
    pub gateway: Option<Secret>,
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
        gateway,
    } = settings;
    let directories = &options.directories;
    let known = [&directories.htpasswd, &directories.users, &options.sessions];
    for directory in known.into_iter().chain(&account.shares) {
        if !directory.is_dir() {
            let message = format!("auth: {} is not a directory", directory.display());
            return Err(Failure::usage(message).into());
        }
    }
    let door = Door::new(Arc::new(Endpoint::new(options)?), account);
    let both = Entrance {
        door: Arc::new(door),
        gateway: gateway.map(Arc::new),
        part: Part::Both,
    };
    let Some(address) = listen_tls else {
        return serve::on_loopback("auth", listen, both.router()).await;
    };
    serve::require_loopback("auth", address)?;
    let secure = Secure::listen("auth:", address).await?;
    let (pages, questions) = (both.only(Part::Pages), both.only(Part::Questions));
    tokio::select! {
        ended = serve::on_loopback("auth", listen, pages.router()) => ended,
        () = secure.serve(questions.router()) => Ok(()),
    }
}

/// All that is answered here, at one address at which anybody passes for the gateway.
///
/// # Errors
/// When the realm cannot be sent in a header, or the key for Grafana cannot be read.
pub fn router(options: Options, account: Account) -> anyhow::Result<Router> {
    let door = Door::new(Arc::new(Endpoint::new(options)?), account);
    let both = Entrance {
        door: Arc::new(door),
        gateway: None,
        part: Part::Both,
    };
    Ok(both.router())
}

/// What is answered at an address.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// The gateway's own questions. To these no visitor's request may lead, as the answers say who somebody is.
    Questions,
    /// The pages to which the gateway leads visitors.
    Pages,
    /// Both, where there is one address.
    Both,
}

/// An address at which the gateway comes.
#[derive(Clone)]
struct Entrance {
    door: Arc<Door>,
    gateway: Option<Arc<Secret>>,
    part: Part,
}

impl Entrance {
    fn only(&self, part: Part) -> Self {
        Self {
            part,
            ..self.clone()
        }
    }

    fn router(self) -> Router {
        Router::new().fallback(serve_one).with_state(self)
    }
}

/// Whether a path is one of the gateway's questions: whole segments, as pages may be called `/authz-lab`.
fn is_question(path: &str) -> bool {
    let rest = path.strip_prefix("/authz");
    path == "/vis" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn serve_one(State(entrance): State<Entrance>, mut request: Request) -> Response {
    let Entrance {
        door,
        gateway,
        part,
    } = entrance;
    let path = request.uri().path();
    if path == "/healthz" {
        return plain(StatusCode::OK, "ready\n");
    }
    // Who is on this machine could say of itself what only the gateway knows of its visitors.
    if let Some(secret) = &gateway
        && gate::proof(request.headers(), secret) != Proof::Right
    {
        return plain(
            StatusCode::FORBIDDEN,
            "Only the gateway is answered here.\n",
        );
    }
    let is_question = match part {
        Part::Questions => true,
        Part::Pages => false,
        Part::Both => is_question(path),
    };
    if is_question {
        return door.endpoint.answer(path, request.headers()).await;
    }
    // It is no workspace's to know.
    request.headers_mut().remove(GATEWAY_HEADER);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_whole_segments() {
        for path in ["/authz", "/authz/alice", "/authz/", "/vis"] {
            assert!(is_question(path), "{path}");
        }
        for path in [
            "/authzoe/lab",
            "/authz-lab/signin",
            "/visitor",
            "/vis/",
            "/x/authz",
        ] {
            assert!(!is_question(path), "{path}");
        }
    }
}
