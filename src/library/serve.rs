//! Runs the server until it is told to stop.

use std::sync::Arc;

use tokio::net::TcpListener;

use crate::serve::{self, Ended, Stop};

use super::config::Settings;
use super::contain::Root;
use super::gate::Gate;
use super::http::{Playground, Service, router};
use super::local::Local;
use super::log::{Level, Log, say};
use super::schema::schema;
use super::source::Source;

/// The largest body of a request where nothing else is said, in bytes: v0.2's.
pub const MAX_BODY: u64 = 100 << 10;
/// The largest file that is read as text where nothing else is said, in bytes.
pub const MAX_FILE: u64 = 16 << 20;
/// What one request may bring together where nothing else is said, in bytes.
pub const MAX_ANSWER: u64 = 64 << 20;

/// What no `.env` file of v0.2 holds.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who may ask.
    pub gate: Gate,
    /// The largest body of a request, in bytes.
    pub max_body: u64,
    /// The largest file that is read as text, in bytes.
    pub max_file: u64,
    /// What one request may bring together, in bytes of text and names.
    pub max_answer: u64,
}

impl Options {
    /// What holds where nothing else is said.
    pub fn new(gate: Gate) -> Self {
        Self {
            gate,
            max_body: MAX_BODY,
            max_file: MAX_FILE,
            max_answer: MAX_ANSWER,
        }
    }
}

/// Serves the library until told to stop, then lets the requests in hand end.
///
/// # Errors
///
/// When the server breaks down.
pub async fn serve(
    settings: Settings,
    options: Options,
    listener: TcpListener,
) -> anyhow::Result<()> {
    let log = Log::new(settings.level);
    let stop = Stop::listen()?;
    let bound = listener.local_addr()?;

    if matches!(options.gate, Gate::Open) && !bound.ip().is_loopback() {
        let warning = "anyone who reaches this address reads the whole library (--no-auth)";
        log.write(Level::Warn, warning);
    }
    let (directory, path) = (settings.local_path.display(), &settings.path);
    let ready = || say(format_args!("serving {directory} at http://{bound}{path}"));
    let stopping = || log.event(Level::Info, "stopping");
    let mut service = service(&settings, &options);
    // Behind the gateway nobody but this machine asks; elsewhere the gateway's secret guards everything but this.
    service.shows_metrics = matches!(options.gate, Gate::Open) || bound.ip().is_loopback();
    let traffic = Arc::clone(&service.traffic);
    match serve::until_stopped(listener, router(service), stop, ready, stopping).await? {
        Ended::Whole => {}
        Ended::Cut => {
            let left = traffic.in_hand();
            let warning = "stopped before every request had ended";
            match left.is_empty() {
                true => log.event(Level::Warn, warning),
                false => log.event(Level::Warn, format_args!("{warning}: {}", left.join("; "))),
            }
        }
    }
    Ok(())
}

/// The library as these settings and options want it.
pub fn service(settings: &Settings, options: &Options) -> Service {
    let source: Arc<dyn Source> = Arc::new(Local::new(
        Root::new(&settings.local_path),
        options.max_file,
    ));
    Service {
        schema: schema(source.clone()),
        source,
        gate: options.gate.clone(),
        path: settings.path.clone(),
        max_body: usize::try_from(options.max_body).unwrap_or(usize::MAX),
        max_answer: options.max_answer,
        playground: Playground::new(settings.playground, &settings.path),
        shows_metrics: false,
        traffic: Arc::default(),
        log: Log::new(settings.level),
    }
}
