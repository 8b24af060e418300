pub mod protocol;
use crate::machine::event::Event;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;
pub struct Agent;
pub struct Options {
    pub binary: Option<PathBuf>,
    pub install_docker: bool,
    pub pulling_within: Duration,
    pub can_ask: bool,
}
pub struct Target {
    pub name: String,
    pub host: String,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub key: Option<PathBuf>,
    pub known_hosts: Option<PathBuf>,
    pub jump: Option<String>,
    pub config: Option<PathBuf>,
    pub root: PathBuf,
}
impl Agent {
    pub async fn start(
        _t: Target,
        _o: Options,
        _n: &(dyn Fn(&str) + Sync),
    ) -> anyhow::Result<Self> {
        Ok(Agent)
    }
    pub async fn ask(
        &mut self,
        _r: protocol::Request,
        _e: &(dyn Fn(Event) + Sync),
        _n: &(dyn Fn(&str) + Sync),
        _s: watch::Receiver<bool>,
    ) -> anyhow::Result<protocol::Reply> {
        anyhow::bail!("x")
    }
    pub async fn purge(
        &mut self,
        _n: &(dyn Fn(&str) + Sync),
        _s: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        Ok(())
    }
    pub fn unexpected(&self, _r: &protocol::Reply) -> anyhow::Error {
        anyhow::anyhow!("x")
    }
}
