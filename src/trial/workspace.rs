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
use tokio::process::Child;
use tokio::sync::watch;

use super::jupyter::{Home, Jupyter};
use super::pages;
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
    Ready(SocketAddr),
    Failed(String),
}

/// What watches over one that was started.
pub type Watching = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A workspace.
pub struct Workspace {
    user: UserName,
    jupyter: Jupyter,
    library: PathBuf,
    directory: PathBuf,
    token: Secret,
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
            token: Secret::generate(40),
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
        let address = {
            let mut state = self.state();
            match &*state {
                State::Ready(address) => *address,
                State::Failed(said) => return pages::failed(said),
                State::Starting => return pages::starting(),
                State::Asleep => {
                    let (next, page) = match self.spawn() {
                        Ok((child, address)) => {
                            start(Box::pin(Arc::clone(self).watch(child, address)));
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
        self.pass(address, path_and_query, request, end).await
    }

    fn spawn(&self) -> std::io::Result<(Child, SocketAddr)> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let child = self.jupyter.start(&Home {
            user: &self.user,
            library: &self.library,
            directory: &self.directory,
            port: free.port(),
            token: &self.token,
        })?;
        Ok((child, free))
    }

    async fn pass(
        &self,
        address: SocketAddr,
        path_and_query: PathAndQuery,
        mut request: Request,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Response {
        let Ok(mut token) = HeaderValue::from_str(&format!("token {}", self.token.expose())) else {
            return pages::failed("its token cannot be sent");
        };
        token.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, token);
        let upstream = Upstream {
            address,
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

    async fn watch(self: Arc<Self>, mut child: Child, address: SocketAddr) {
        // Waiting for a child would close it.
        let sign = child.stdin.take();
        let mut over = self.over.clone();
        let there = async {
            let there = tokio::time::timeout(STARTING, self.comes(address)).await;
            if there.is_ok() {
                *self.state() = State::Ready(address);
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
            false => State::Failed(self.said()),
        };
    }

    /// Ends when it answers to its token.
    async fn comes(&self, address: SocketAddr) {
        let Ok(path) = PathAndQuery::try_from(format!("/{}/api/status", self.user)) else {
            return;
        };
        loop {
            let mut request = Request::new(Body::empty());
            let host = HeaderValue::from_static("localhost");
            request.headers_mut().insert(HOST, host);
            let answer = self
                .pass(address, path.clone(), request, std::future::pending())
                .await;
            if answer.status() == StatusCode::OK {
                return;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The end of what it wrote.
    fn said(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LINES)..];
        last.join("\n").replace(self.token.expose(), "…")
    }
}
