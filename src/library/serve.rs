//! Runs the server until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::serve::{self, Ended};

use super::config::{Mode, Settings};
use super::contain::Root;
use super::gate::Gate;
use super::gitlab::Gitlab;
use super::http::{Service, router};
use super::local::Local;
use super::log::{Level, Log, say};
use super::schema::schema;
use super::source::Source;

/// What no `.env` file of v0.2 holds.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; by default `127.0.0.1` and the settings' port. Port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Who may ask.
    pub gate: Gate,
    /// The largest body of a request, in bytes.
    pub max_body: u64,
    /// The largest file that is read as text, in bytes.
    pub max_file: u64,
    /// What one request may bring together, in bytes of text and names.
    pub max_answer: u64,
}

/// Serves the library until SIGTERM or SIGINT, then lets the requests in hand end.
///
/// # Errors
///
/// A failure when the address cannot be listened on, or TLS towards GitLab not be set up.
pub async fn serve(settings: Settings, options: Options) -> anyhow::Result<()> {
    let log = Log::new(settings.level);
    let address = options
        .listen
        .unwrap_or(SocketAddr::from(([127, 0, 0, 1], settings.port)));
    let listener = serve::listen("the library server", address).await?;
    let bound = listener.local_addr()?;

    if matches!(options.gate, Gate::Open) && !bound.ip().is_loopback() {
        let warning = "anyone who reaches this address reads the whole library (--no-auth)";
        log.write(Level::Warn, warning);
    }
    if settings.playground {
        let warning = "GRAPHQL_PLAYGROUND='true' has no effect: this version has no playground yet";
        log.write(Level::Warn, warning);
    }

    for warning in &settings.warnings {
        log.write(Level::Warn, warning);
    }

    let (source, shown) = source(settings.mode, options.max_file, log)?;
    // A GitLab that does not answer is no reason not to start, and the operator is still there to be told.
    let first_look = source.clone();
    tokio::spawn(async move {
        if let Err(why) = first_look.ready().await {
            log.write(Level::Error, why);
        }
    });
    let service = Service {
        schema: schema(source.clone()),
        source,
        gate: options.gate,
        path: settings.path.clone(),
        max_body: usize::try_from(options.max_body).unwrap_or(usize::MAX),
        max_answer: options.max_answer,
        log,
    };
    let path = &settings.path;
    let ready = || say(format_args!("serving {shown} at http://{bound}{path}"));
    let stopping = || log.write(Level::Info, "stopping");
    match serve::until_stopped(listener, router(service), ready, stopping).await? {
        Ended::Whole => {}
        Ended::Cut => log.write(Level::Warn, "stopped before every request had ended"),
    }
    Ok(())
}

/// The source of the library, and what it is called.
fn source(mode: Mode, max_file: u64, log: Log) -> anyhow::Result<(Arc<dyn Source>, String)> {
    Ok(match mode {
        Mode::Local(directory) => {
            let source = Local::new(Root::new(&directory), max_file);
            (Arc::new(source), directory.display().to_string())
        }
        Mode::Gitlab(settings) => {
            let shown = format!("the group {} of {}", settings.group, settings.url);
            (Arc::new(Gitlab::new(settings, max_file, log)?), shown)
        }
    })
}
