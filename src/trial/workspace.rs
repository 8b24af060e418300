//! One user's JupyterLab: asleep until somebody asks for it, then started, then passed on to.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use rustix::process::Pid;
use tokio::process::Child;
use tokio::sync::watch;

use super::jupyter::{Home, Jupyter};
use super::keeper::descends;
use super::pages;
use crate::machine::listening::listening;
use crate::proxy::{Proxy, Upstream};
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// Between two questions whether it is there.
const GLANCE: Duration = Duration::from_millis(200);

/// How long it may take to be there.
const STARTING: Duration = Duration::from_secs(120);

/// How long the end of all its processes may take. They are killed long before.
const ENDING: Duration = Duration::from_secs(10);

/// What is shown of what one said that could not start, in lines.
const LINES: usize = 20;

enum State {
    Asleep,
    Starting,
    Ready(Place),
    Failed(String),
}

/// Where one that runs is, and what it knows us by: each start has its own.
#[derive(Clone)]
struct Place {
    address: SocketAddr,
    token: Secret,
}

/// What watches over one that was started.
pub type Watching = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A workspace.
pub struct Workspace {
    user: UserName,
    jupyter: Jupyter,
    library: PathBuf,
    directory: PathBuf,
    proxy: Proxy,
    over: watch::Receiver<bool>,
    state: Mutex<State>,
}

impl Workspace {
    /// One that is not running yet. All open exchanges and the program end when `over` becomes true.
    pub fn new(
        user: UserName,
        jupyter: Jupyter,
        library: PathBuf,
        directory: PathBuf,
        proxy: Proxy,
        over: watch::Receiver<bool>,
    ) -> Self {
        Self {
            user,
            jupyter,
            library,
            directory,
            proxy,
            over,
            state: Mutex::new(State::Asleep),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// JupyterLab's answer, or a page where it does not run. `start` is given what watches over one that is started now.
    pub async fn answer(
        self: &Arc<Self>,
        path_and_query: PathAndQuery,
        request: Request,
        start: impl FnOnce(Watching),
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Response {
        let place = {
            let mut state = self.state();
            match &*state {
                State::Ready(place) => place.clone(),
                State::Failed(said) => return pages::failed(said),
                State::Starting => return pages::starting(),
                State::Asleep => {
                    let (next, page) = match self.spawn() {
                        Ok((child, place)) => {
                            start(Box::pin(Arc::clone(self).watch(child, place)));
                            (State::Starting, pages::starting())
                        }
                        Err(error) => {
                            let page = pages::failed(&error.to_string());
                            (State::Failed(error.to_string()), page)
                        }
                    };
                    *state = next;
                    return page;
                }
            }
        };
        self.pass(&place, path_and_query, request, end).await
    }

    fn spawn(&self) -> std::io::Result<(Child, Place)> {
        let place = Place {
            address: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?,
            token: Secret::generate(40),
        };
        let child = self.jupyter.start(&Home {
            user: &self.user,
            library: &self.library,
            directory: &self.directory,
            port: place.address.port(),
            token: &place.token,
        })?;
        Ok((child, place))
    }

    async fn pass(
        &self,
        place: &Place,
        path_and_query: PathAndQuery,
        mut request: Request,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Response {
        let Ok(mut token) = HeaderValue::from_str(&format!("token {}", place.token.expose()))
        else {
            return pages::failed("its token cannot be sent");
        };
        token.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, token);
        let upstream = Upstream {
            address: place.address,
            path_and_query,
        };
        let mut over = self.over.clone();
        let end = async move {
            tokio::select! {
                // Where nobody can say it any more, it is over as well.
                _ = over.wait_for(|over| *over) => {}
                () = end => {}
            }
        };
        self.proxy.pass(request, upstream, end).await
    }

    async fn watch(self: Arc<Self>, mut child: Child, place: Place) {
        // Waiting for a child would close it.
        let sign = child.stdin.take();
        let mut over = self.over.clone();
        let keeper = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let there = async {
            let comes = self.comes(&place, keeper);
            let there = tokio::time::timeout(STARTING, comes).await;
            if there.is_ok() {
                *self.state() = State::Ready(place.clone());
            }
            there.is_ok()
        };
        let lives = tokio::select! {
            there = there => there,
            _ = child.wait() => false,
            _ = over.wait_for(|over| *over) => true,
        };
        if lives {
            tokio::select! {
                _ = child.wait() => {}
                _ = over.wait_for(|over| *over) => {}
            }
        }
        // Its keeper takes this for the sign to end everything.
        drop(sign);
        if tokio::time::timeout(ENDING, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
        *self.state() = match lives {
            true => State::Asleep,
            false => State::Failed(self.said(&place.token)),
        };
    }

    /// Ends when it answers to its token, which nobody else is told who took its port before it.
    async fn comes(&self, place: &Place, keeper: Option<Pid>) {
        let Ok(path) = PathAndQuery::try_from(format!("/{}/api/status", self.user)) else {
            return;
        };
        loop {
            if !keeper.is_some_and(|keeper| is_held_by(place.address, keeper)) {
                tokio::time::sleep(GLANCE).await;
                continue;
            }
            let mut request = Request::new(Body::empty());
            let host = HeaderValue::from_static("localhost");
            request.headers_mut().insert(HOST, host);
            let answer = self
                .pass(place, path.clone(), request, std::future::pending())
                .await;
            if answer.status() == StatusCode::OK {
                return;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The end of what it wrote.
    fn said(&self, token: &Secret) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LINES)..];
        last.join("\n").replace(token.expose(), "…")
    }
}

/// Whether it is a process below this one that listens at an address.
fn is_held_by(address: SocketAddr, keeper: Pid) -> bool {
    listening()
        .iter()
        .filter(|one| one.port == address.port())
        .filter_map(|one| Pid::from_raw(one.process()?))
        .any(|process| descends(process, keeper))
}
