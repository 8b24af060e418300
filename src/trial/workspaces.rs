//! The users' workspaces in a trial: a JupyterLab of this machine for each, started when it is first asked for.
//!
//! All of them run under the account that started the trial: who may open which is decided as on a platform, but what one user's notebook
//! does is not kept from the others' files.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse, Redirect, Response};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::jupyter::Jupyter;
use super::pages;
use super::workspace::Workspace;
use crate::proxy::Proxy;
use crate::spec::names::UserName;

/// All of them.
pub struct Workspaces {
    /// `None` where there is no JupyterLab.
    each: HashMap<UserName, Option<Arc<Workspace>>>,
    running: Mutex<JoinSet<()>>,
    over: watch::Sender<bool>,
}

impl Workspaces {
    /// One for each of these users, of the folders of a library; `directory` is for what Jupyter writes besides.
    pub fn new(
        jupyter: Option<&Jupyter>,
        users: impl Iterator<Item = UserName>,
        library: &std::path::Path,
        directory: PathBuf,
    ) -> Self {
        let (over, ends) = watch::channel(false);
        let proxy = Proxy::default();
        let each = users
            .map(|user| {
                let workspace = jupyter.map(|jupyter| {
                    let own = directory.join(user.as_str());
                    let (proxy, ends) = (proxy.clone(), ends.clone());
                    Workspace::new(
                        user.clone(),
                        jupyter.clone(),
                        library.into(),
                        own,
                        proxy,
                        ends,
                    )
                });
                (user, workspace.map(Arc::new))
            })
            .collect();
        Self {
            each,
            running: Mutex::default(),
            over,
        }
    }

    /// Whose workspace an address belongs to. Whole segments count, as they were sent.
    pub fn owner(&self, path: &str) -> Option<UserName> {
        let first = path.strip_prefix('/')?.split('/').next()?;
        let (user, _) = self.each.get_key_value(&first.parse::<UserName>().ok()?)?;
        Some(user.clone())
    }

    /// The answer to a request that may be sent to its user's workspace. What is open is cut when `end` is over.
    pub async fn answer(
        &self,
        user: &UserName,
        request: Request,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Response {
        let path_and_query = request.uri().path_and_query().cloned();
        let path_and_query = path_and_query.unwrap_or(PathAndQuery::from_static("/"));
        if !path_and_query.path()[1..].contains('/') {
            return Redirect::to(&format!("/{user}/lab")).into_response();
        }
        match self.each.get(user).and_then(Option::as_ref) {
            None => pages::missing().into_response(),
            Some(workspace) => {
                let start = |task| {
                    self.tasks().spawn(task);
                };
                workspace.answer(path_and_query, request, start, end).await
            }
        }
    }

    /// Cuts what is open to them and tells them to end.
    pub fn end(&self) {
        self.over.send_replace(true);
    }

    /// Done when all have ended.
    pub async fn ended(&self) {
        self.end();
        let mut all = std::mem::take(&mut *self.tasks());
        while all.join_next().await.is_some() {}
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
