//! Runs the server until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::serve::{self, Ended};

use super::changes::Writing;
use super::config::Settings;
use super::contain::Root;
use super::gate::Gate;
use super::http::{Service, router};
use super::local::Local;
use super::log::{Level, Log, say};
use super::schema::schema;
use super::source::Source;
use super::stale;

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
    /// How much may be written; `None` where nothing may.
    pub writing: Option<Writing>,
}

/// How often it is looked for what was given up.
const SWEEP_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// Serves the library until SIGTERM or SIGINT, then lets the requests in hand end.
///
/// # Errors
///
/// A failure when the address cannot be listened on.
pub async fn serve(settings: Settings, options: Options) -> anyhow::Result<()> {
    let log = Log::new(settings.level);
    let address = options
        .listen
        .unwrap_or(SocketAddr::from(([127, 0, 0, 1], settings.port)));
    let listener = serve::listen("the library server", address).await?;
    let bound = listener.local_addr()?;

    if matches!(options.gate, Gate::Open) && !bound.ip().is_loopback() {
        let does = match options.writing {
            Some(_) => "reads and changes",
            None => "reads",
        };
        let warning =
            format!("anyone who reaches this address {does} the whole library (--no-auth)");
        log.write(Level::Warn, warning);
    }
    if settings.playground {
        let warning = "GRAPHQL_PLAYGROUND='true' has no effect: this version has no playground yet";
        log.write(Level::Warn, warning);
    }

    let mut local = Local::new(Root::new(&settings.local_path), options.max_file);
    if let Some(writing) = options.writing {
        local = local.writable(writing);
        tokio::spawn(sweep(local.clone(), log));
    }
    let source: Arc<dyn Source> = Arc::new(local);
    let service = Service {
        schema: schema(source.clone()),
        source,
        gate: options.gate,
        path: settings.path.clone(),
        max_body: usize::try_from(options.max_body).unwrap_or(usize::MAX),
        max_answer: options.max_answer,
        log,
    };
    let (directory, path) = (settings.local_path.display(), &settings.path);
    let ready = || say(format_args!("serving {directory} at http://{bound}{path}"));
    let stopping = || log.write(Level::Info, "stopping");
    match serve::until_stopped(listener, router(service), ready, stopping).await? {
        Ended::Whole => {}
        Ended::Cut => log.write(Level::Warn, "stopped before every request had ended"),
    }
    Ok(())
}

/// Clears away what was given up, now and again.
async fn sweep(local: Local, log: Log) {
    let mut times = tokio::time::interval(SWEEP_EVERY);
    loop {
        times.tick().await;
        match local.off_thread(stale::sweep).await {
            Some(Ok(0)) => {}
            Some(Ok(cleared)) => {
                let line =
                    format_args!("cleared away what was given up: {cleared} uploads or removals");
                log.write(Level::Info, line);
            }
            Some(Err(error)) => {
                let line = format_args!("cannot look for what was given up: {error}");
                log.write(Level::Warn, line);
            }
            None => return,
        }
    }
}
