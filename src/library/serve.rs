//! Runs the server until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::serve::{self, Ended, Stop};

use super::answer::Answers;
use super::changes::Writing;
use super::config::{Mode, Settings};
use super::contain::Root;
use super::gate::Gate;
use super::gitlab::Gitlab;
use super::http::{Playground, Service, router};
use super::local::Local;
use super::log::{Level, Log, say};
use super::origins::{self, Origin};
use super::room::Room;
use super::source::Source;
use super::stale;
use super::whose::Whose;

/// The largest body of a request where nothing else is said, in bytes: v0.2's.
pub const MAX_BODY: u64 = 100 << 10;
/// The largest file that is read as text where nothing else is said, in bytes.
pub const MAX_FILE: u64 = 16 << 20;
/// What one request may bring together where nothing else is said, in bytes.
pub const MAX_ANSWER: u64 = 64 << 20;

/// How many answers of the largest size there is memory for at a time; half of it is the most that one user has.
const LARGEST_AT_ONCE: u64 = 4;

/// What no `.env` file of v0.2 holds.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who may ask.
    pub gate: Gate,
    /// Names that the server is asked by besides those of this machine, where it serves this machine alone without a gateway.
    pub hosts: Vec<String>,
    /// Origins whose pages may read what is answered.
    pub origins: Vec<Origin>,
    /// The largest body of a request, in bytes.
    pub max_body: u64,
    /// The largest file that is read as text, in bytes.
    pub max_file: u64,
    /// What one request may bring together, in bytes of text and names as JSON has them.
    pub max_answer: u64,
    /// How much may be written; `None` where nothing may.
    pub writing: Option<Writing>,
}

/// How often it is looked for what was given up.
const SWEEP_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

impl Options {
    /// What holds where nothing else is said.
    pub fn new(gate: Gate) -> Self {
        Self {
            gate,
            hosts: Vec::new(),
            origins: Vec::new(),
            max_body: MAX_BODY,
            max_file: MAX_FILE,
            max_answer: MAX_ANSWER,
            writing: None,
        }
    }
}

/// Serves the library until told to stop, then lets the requests in hand end.
///
/// # Errors
///
/// When the server breaks down, or TLS towards GitLab cannot be set up.
pub async fn serve(
    settings: Settings,
    mut options: Options,
    listener: TcpListener,
) -> anyhow::Result<()> {
    let log = Log::new(settings.level);
    let stop = Stop::listen()?;
    let bound = listener.local_addr()?;

    if matches!(options.gate, Gate::Open) && bound.ip().is_loopback() {
        options.gate = Gate::Local(std::mem::take(&mut options.hosts));
    }
    if matches!(options.gate, Gate::Open) {
        let does = match options.writing {
            Some(_) => "reads and changes",
            None => "reads",
        };
        let warning =
            format!("anyone who reaches this address {does} the whole library (--no-auth)");
        log.write(Level::Warn, warning);
    }
    for warning in &settings.warnings {
        log.write(Level::Warn, warning);
    }
    if let (Mode::Gitlab(_), Some(_)) = (&settings.mode, &options.writing) {
        let warning = "--writable has no effect: a library in GitLab is changed through git";
        log.write(Level::Warn, warning);
    }
    let (mode, path) = (&settings.mode, &settings.path);
    let ready = || say(format_args!("serving {mode} at http://{bound}{path}"));
    let stopping = || log.event(Level::Info, "stopping");
    let mut service = service(&settings, &options)?;
    // A GitLab that does not answer is no reason not to start, and the operator is still there to be told.
    let first_look = service.source.clone();
    tokio::spawn(async move {
        if let Err(why) = first_look.ready().await {
            log.write(Level::Error, why);
        }
    });
    // Behind the gateway nobody but this machine asks; elsewhere the gateway's secret guards everything but this.
    service.shows_metrics = matches!(options.gate, Gate::Open) || bound.ip().is_loopback();
    let traffic = Arc::clone(&service.traffic);
    if let (Some(_), Some(local)) = (&options.writing, service.source.disk()) {
        tokio::spawn(sweep(local.clone(), log));
    }
    let app = origins::opened_to(router(service), &options.origins);
    match serve::until_stopped(listener, app, stop, ready, stopping).await {
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
///
/// # Errors
///
/// When TLS towards GitLab cannot be set up.
pub fn service(settings: &Settings, options: &Options) -> anyhow::Result<Service> {
    let log = Log::new(settings.level);
    let room = Room::new(options.max_answer.saturating_mul(LARGEST_AT_ONCE));
    let source: Arc<dyn Source> = match &settings.mode {
        Mode::Local(directory) => {
            let local = Local::new(Root::new(directory), options.max_file);
            match options.writing {
                Some(writing) => Arc::new(local.writable(writing)),
                None => Arc::new(local),
            }
        }
        Mode::Gitlab(gitlab) => {
            let (gitlab, max_file) = (gitlab.clone(), options.max_file);
            Arc::new(Gitlab::new(gitlab, max_file, room.clone(), log)?)
        }
    };
    Ok(Service {
        answers: Answers::new(source.clone()),
        source,
        gate: options.gate.clone(),
        path: settings.path.clone(),
        max_body: usize::try_from(options.max_body).unwrap_or(usize::MAX),
        max_answer: options.max_answer,
        room,
        playground: Playground::new(settings.playground, &settings.path),
        shows_metrics: false,
        traffic: Arc::default(),
        log,
    })
}

/// Clears away what was given up, now and again.
async fn sweep(local: Local, log: Log) {
    let mut times = tokio::time::interval(SWEEP_EVERY);
    loop {
        times.tick().await;
        match local.off_thread(Whose::SERVER, stale::sweep).await {
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
