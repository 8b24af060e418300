//! Readiness as data: containers are probed until they answer, and one that ends meanwhile is not waited for.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::StreamExt;

use crate::error::Failure;
use crate::machine::docker::Engine;
use crate::machine::event::{Event, StepFailure};
use crate::machine::observed::{ContainerState, Run};
use crate::platform::desired::{Container, Probe};
use crate::secrets::Secret;

/// The first pause between two probes; each is twice as long as the one before, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(250);
/// How long one probe may take.
const ONE_PROBE: Duration = Duration::from_secs(5);
/// How often the engine is asked whether the container still runs.
const LOOK: Duration = Duration::from_millis(500);
/// So many restarts within a wait are a crash loop.
const CRASHES: i64 = 3;
/// How many lines of a container's log an error carries.
const LINES: usize = 20;
/// How many are probed side by side.
const SIDE_BY_SIDE: usize = 64;

/// Waits until all of these containers answer; answers with those that do not, and why.
pub async fn ready(
    engine: &Engine,
    containers: &[&Container],
    cancel: &tokio::sync::watch::Receiver<bool>,
    events: &(dyn Fn(Event) + Sync),
) -> Vec<(String, StepFailure)> {
    let waits = containers.iter().filter_map(|container| {
        let probe = container.ready.as_ref()?;
        Some(async move {
            let name = container.name.clone();
            events(Event::Waiting {
                container: name.clone(),
            });
            let begun = Instant::now();
            match until_ready(engine, &name, probe, cancel.clone()).await {
                Ok(()) => {
                    events(Event::Ready {
                        container: name,
                        millis: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                    });
                    None
                }
                Err(error) => {
                    let failure = StepFailure::of(&error);
                    events(Event::NotReady {
                        container: name.clone(),
                        failure: failure.clone(),
                    });
                    Some((name, failure))
                }
            }
        })
    });
    futures_util::stream::iter(waits)
        .buffer_unordered(SIDE_BY_SIDE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// Whether each of these containers answers just now, in their order; one without a probe does.
pub async fn answers_now<'a>(containers: impl Iterator<Item = &'a Container>) -> Vec<bool> {
    let client = client();
    let asked = containers.map(|container| {
        let client = client.clone();
        async move {
            match &container.ready {
                Some(probe) => answers(&client, probe).await,
                None => true,
            }
        }
    });
    futures_util::stream::iter(asked)
        .buffered(SIDE_BY_SIDE)
        .collect()
        .await
}

/// How long a container gets.
fn deadline(probe: &Probe) -> Duration {
    match probe {
        Probe::Http {
            deadline_seconds, ..
        } => Duration::from_secs(*deadline_seconds),
    }
}

async fn until_ready(
    engine: &Engine,
    name: &str,
    probe: &Probe,
    mut cancel: tokio::sync::watch::Receiver<bool>,
) -> Result<()> {
    let limit = deadline(probe);
    let answered = tokio::time::timeout(limit, until_answer(probe));
    let ended = until_ended(engine, name);
    let interrupted = async {
        if cancel.wait_for(|stop| *stop).await.is_err() {
            // Whoever could interrupt is gone.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        answer = answered => match answer {
            Ok(()) => Ok(()),
            Err(_) => Err(silent(engine, name, probe, limit).await),
        },
        how = ended => Err(how?),
        () = interrupted => Err(Failure::new(format!("{name} was not waited for: interrupted")).into()),
    }
}

/// Ends when the probe is answered.
async fn until_answer(probe: &Probe) {
    let client = client();
    let mut pause = SHORTEST;
    while !answers(&client, probe).await {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Asks the address itself, whatever proxy the environment names.
fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ONE_PROBE)
        .build()
        .unwrap_or_default()
}

async fn answers(client: &reqwest::Client, probe: &Probe) -> bool {
    match probe {
        Probe::Http { address, path, .. } => client
            .get(format!("http://{address}{path}"))
            .send()
            .await
            .is_ok_and(|answer| answer.status().as_u16() < 500),
    }
}

/// Ends when the container has ended or keeps crashing, with an error that says so.
async fn until_ended(engine: &Engine, name: &str) -> Result<anyhow::Error> {
    let mut before = None;
    loop {
        let Some(state) = engine.container(name, &Secret::new("")).await? else {
            return Ok(Failure::new(format!("container {name} is gone"))
                .hint("run this again to make it")
                .into());
        };
        let restarts = *before.get_or_insert(state.restarts);
        let how = match state.run {
            Run::Created | Run::Running | Run::Restarting
                if state.restarts - restarts >= CRASHES =>
            {
                Some("keeps crashing")
            }
            Run::Created | Run::Running | Run::Restarting => None,
            Run::Paused => Some("is paused"),
            Run::Exited | Run::Dead => Some("has ended"),
        };
        if let Some(how) = how {
            return Ok(gone(engine, name, how, &state).await);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn gone(engine: &Engine, name: &str, how: &str, state: &ContainerState) -> anyhow::Error {
    let reason = match (state.error.as_deref(), state.exit_code) {
        (Some(error), _) => format!(": {error}"),
        (None, Some(code)) => format!(" (exit code {code})"),
        (None, None) => String::new(),
    };
    with_log(engine, name, format!("container {name} {how}{reason}")).await
}

async fn silent(engine: &Engine, name: &str, probe: &Probe, limit: Duration) -> anyhow::Error {
    let place = match probe {
        Probe::Http { address, path, .. } => format!("http://{address}{path}"),
    };
    let message = format!(
        "container {name} did not answer at {place} within {} s",
        limit.as_secs()
    );
    with_log(engine, name, message).await
}

async fn with_log(engine: &Engine, name: &str, message: String) -> anyhow::Error {
    let lines = engine.last_lines(name, LINES).await.unwrap_or_default();
    let log = if lines.is_empty() {
        "; it wrote nothing".to_owned()
    } else {
        format!("; its last lines:\n  {}", lines.join("\n  "))
    };
    Failure::new(message + &log)
        .hint(format!("see all it wrote with: docker logs {name}"))
        .into()
}
