//! Readiness as data: containers are probed until they answer, and one that ends meanwhile is not waited for.

mod broker;

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::StreamExt;

use crate::error::Failure;
use crate::machine::docker::Engine;
use crate::machine::event::{Event, StepFailure};
use crate::machine::observed::{ContainerState, Run};
use crate::platform::desired::{Container, Probe, Question, Scheme, sha256};
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
            match until_ready(engine, &name, probe).await {
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

/// Whether each of these containers answers just now, in their order; one without a probe does. A certificate that is yet to be
/// taken over does not count: `up` and `cert` have to do with that.
pub async fn answers_now<'a>(containers: impl Iterator<Item = &'a Container>) -> Vec<bool> {
    let asked = containers.map(|container| async move {
        let Some(mut probe) = container.ready.clone() else {
            return true;
        };
        for question in &mut probe.questions {
            question.certificate = None;
        }
        answers(&probe).await.is_ok()
    });
    futures_util::stream::iter(asked)
        .buffered(SIDE_BY_SIDE)
        .collect()
        .await
}

/// Waits until a container answers.
pub(super) async fn until_ready(engine: &Engine, name: &str, probe: &Probe) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(probe.deadline_seconds);
    tokio::select! {
        answer = until_it_answers(engine, name, probe, end) => match answer? {
            Ok(()) => Ok(()),
            Err(wrong) => Err(silent(engine, name, probe, &wrong).await),
        },
        how = until_ended(engine, name) => Err(how?),
    }
}

/// Ends when this very container has answered: what answers while it starts again, or has ended, is something else.
async fn until_it_answers(
    engine: &Engine,
    name: &str,
    probe: &Probe,
    end: Instant,
) -> Result<Result<(), Wrong>> {
    let look = async || engine.container(name, &Secret::new("")).await;
    let mut before = look().await?;
    loop {
        if let Err(wrong) = until_answer(probe, end).await {
            return Ok(Err(wrong));
        }
        let after = look().await?;
        if stayed(before.as_ref(), after.as_ref()) {
            return Ok(Ok(()));
        }
        if Instant::now() >= end {
            return Ok(Err(Wrong {
                question: probe.questions.first().map(ToString::to_string),
                answer: "was answered by something else, for the container does not stay up"
                    .to_owned(),
            }));
        }
        before = after;
        tokio::time::sleep(LONGEST).await;
    }
}

/// Whether a container ran all the while between two looks at it.
fn stayed(before: Option<&ContainerState>, after: Option<&ContainerState>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => {
            (before.run, after.run) == (Run::Running, Run::Running)
                && before.id == after.id
                && before.restarts == after.restarts
        }
        (None, _) | (_, None) => false,
    }
}

/// The first question that was not answered as it should be, and what came instead.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wrong {
    question: Option<String>,
    answer: String,
}

/// Asks until all is answered as it should be, or time is up.
async fn until_answer(probe: &Probe, end: Instant) -> Result<(), Wrong> {
    let mut pause = SHORTEST;
    loop {
        match answers(probe).await {
            Ok(()) => return Ok(()),
            Err(wrong) if Instant::now() + pause >= end => return Err(wrong),
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(LONGEST);
    }
}

async fn answers(probe: &Probe) -> Result<(), Wrong> {
    for question in &probe.questions {
        answer(question).await.map_err(|answer| Wrong {
            question: Some(question.to_string()),
            answer,
        })?;
    }
    Ok(())
}

/// Asks once; the error is what came instead of a good answer.
async fn answer(question: &Question) -> Result<(), String> {
    match question.scheme {
        Scheme::Http | Scheme::Https => answer_by_http(question).await,
        Scheme::Tcp => in_time(broker::listens(question)).await,
        Scheme::Amqps => in_time(broker::amqp(question)).await,
        Scheme::Mqtts => in_time(broker::mqtt(question)).await,
    }
}

async fn in_time(answer: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    tokio::time::timeout(ONE_PROBE, answer)
        .await
        .unwrap_or_else(|_| Err(nothing_in_time()))
}

fn nothing_in_time() -> String {
    format!("gave nothing within {} s", ONE_PROBE.as_secs())
}

async fn answer_by_http(question: &Question) -> Result<(), String> {
    let client = client(question).map_err(|error| format!("cannot be asked: {error}"))?;
    let mut request = client.get(question.url());
    if let Some(host) = numeric(question) {
        let at = Question {
            host: None,
            ..question.clone()
        };
        request = client
            .get(at.url())
            .header("Host", format!("{host}:{}", question.address.port()));
    }
    match request.send().await {
        Ok(answer) => {
            let status = answer.status();
            let good = |range: &RangeInclusive<u16>| range.contains(&status.as_u16());
            if !question.wanted.iter().any(good) {
                return Err(format!("gave {status}, not {}", wanted(question)));
            }
            match &question.certificate {
                Some(wanted) if shown(&answer).as_ref() != Some(wanted) => {
                    Err("shows another certificate than the one that was written".to_owned())
                }
                Some(_) | None => Ok(()),
            }
        }
        Err(error) if error.is_timeout() => Err(nothing_in_time()),
        Err(error) => {
            // The first error names the URL once more, the last the reason.
            let mut reason: &dyn std::error::Error = &error;
            while let Some(deeper) = reason.source() {
                reason = deeper;
            }
            Err(format!("gave nothing: {reason}"))
        }
    }
}

/// The certificate that came with an answer, as [`Question::certificate`] has it.
fn shown(answer: &reqwest::Response) -> Option<String> {
    let tls = answer.extensions().get::<reqwest::tls::TlsInfo>()?;
    tls.peer_certificate().map(sha256)
}

/// The host where it is an address itself, and would be asked instead of the one to ask.
fn numeric(question: &Question) -> Option<&str> {
    let host = question.host.as_deref()?;
    host.parse::<Ipv4Addr>().is_ok().then_some(host)
}

fn wanted(question: &Question) -> String {
    let ranges: Vec<String> = question
        .wanted
        .iter()
        .map(|good| match good.start() == good.end() {
            true => good.start().to_string(),
            false => format!("{}-{}", good.start(), good.end()),
        })
        .collect();
    ranges.join(", ")
}

/// Asks the address itself, whatever proxy the environment names and wherever the name leads.
fn client(question: &Question) -> reqwest::Result<reqwest::Client> {
    // Refused when there is one already: it is this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_danger_accept_invalid_certs(true)
        .tls_info(true)
        .timeout(ONE_PROBE);
    match &question.host {
        Some(host) => builder.resolve(host, question.address.into()),
        None => builder,
    }
    .build()
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

async fn silent(engine: &Engine, name: &str, probe: &Probe, wrong: &Wrong) -> anyhow::Error {
    with_log(engine, name, late(name, probe, wrong)).await
}

fn late(name: &str, probe: &Probe, wrong: &Wrong) -> String {
    format!(
        "container {name} did not answer as it should within {} s: {} {}",
        probe.deadline_seconds,
        wrong.question.as_deref().unwrap_or(name),
        wrong.answer
    )
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

#[cfg(test)]
mod tests;
