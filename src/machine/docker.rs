//! The docker engine: every call to it is in this room.
//!
//! Nothing that came with an interface later than 1.41 (engine 20.10) is used.

mod abilities;
mod containers;
mod create;
mod exec;
mod images;
mod logs;
mod networks;
mod stats;
mod still;
mod terminal;

use std::collections::HashMap;
use std::future::Future;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use bollard::models::{SystemInfo, SystemVersion};
use bollard::{ClientVersion, Docker};

use crate::error::Failure;
use crate::machine::observed::{Facts, Owner};
use crate::platform::desired::label;

pub use abilities::Abilities;
pub use containers::{Found, TO_END as SECONDS_TO_END};
pub use create::LOG;
pub use exec::Ended;
pub use stats::Sample;

/// The oldest interface that is spoken: engine 20.10's.
const OLDEST: (u64, u64) = (1, 41);
/// How long the engine may take to answer a question.
const TO_ANSWER: Duration = Duration::from_secs(60);
/// How long it may take to start, stop or remove something.
const TO_ACT: Duration = Duration::from_secs(180);
/// How long a pull may stand still, unless more or less is asked for. A large layer is checked without a word.
pub const TO_PULL: Duration = Duration::from_secs(120);
const SOCKET: &str = "/var/run/docker.sock";

/// A connection to an engine that is known to be one we work with.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
    facts: Facts,
    to_pull: Duration,
}

impl Engine {
    /// Connects to the engine behind a unix socket: the one given, the one that `DOCKER_HOST` names if that begins with
    /// `unix://`, or `/var/run/docker.sock`.
    ///
    /// # Errors
    ///
    /// [`Failure`]s with a remedy: no engine, no permission, too old, or of a kind that is refused (rootless, Podman,
    /// userns-remap, Docker Desktop).
    pub async fn connect(socket: Option<&Path>) -> Result<Self> {
        let socket = match socket {
            Some(path) => path.to_owned(),
            None => socket_from(docker_host().as_deref())?,
        };
        let unreachable = |error| not_reachable(&socket, error);
        let address = format!("unix://{}", socket.display());
        let newest_used = ClientVersion {
            major_version: OLDEST.0 as usize,
            minor_version: OLDEST.1 as usize,
        };
        let docker = Docker::connect_with_unix(&address, TO_ACT.as_secs(), &newest_used)
            .map_err(unreachable)?;
        // bollard asks without a version in the path, so the engine answers as its newest interface does; only
        // whether that is new enough has to be looked at.
        let both = async { tokio::try_join!(docker.version(), docker.info()) };
        let (version, info) = match tokio::time::timeout(TO_ANSWER, both).await {
            Ok(answers) => answers.map_err(unreachable)?,
            Err(_) => return Err(no_answer("asking which engine it is")),
        };
        refuse(&version, &info)?;
        Ok(Self {
            docker,
            to_pull: TO_PULL,
            facts: Facts {
                engine: version.version.unwrap_or_default(),
                api: version.api_version.unwrap_or_default(),
                processors: info.ncpu.and_then(|n| u64::try_from(n).ok()).unwrap_or(1),
                memory: info
                    .mem_total
                    .and_then(|n| u64::try_from(n).ok())
                    .unwrap_or(u64::MAX),
                root: info.docker_root_dir.unwrap_or_default().into(),
            },
        })
    }

    /// Whether anything is there to connect to: without a socket there is no engine, and so nothing that it runs.
    pub fn is_there() -> bool {
        socket_from(docker_host().as_deref()).map_or(true, |path| path.exists())
    }

    /// The same engine, with so long a time in which a pull may stand still.
    #[must_use]
    pub fn pulling_within(self, to_pull: Duration) -> Self {
        Self { to_pull, ..self }
    }

    /// What is known of the engine and the machine below it.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Asks the engine something; `doing` is what an error says was being done.
    async fn ask<T>(
        &self,
        doing: &str,
        call: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T> {
        within(TO_ANSWER, doing, call).await
    }

    /// Has the engine do something.
    async fn act<T>(
        &self,
        doing: &str,
        call: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T> {
        within(TO_ACT, doing, call).await
    }
}

async fn within<T>(
    limit: Duration,
    doing: &str,
    call: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer.map_err(|error| failed(doing, error)),
        Err(_) => Err(no_answer(doing)),
    }
}

/// What `DOCKER_HOST` is; bytes that are no text are no address either, and are shown as well as can be.
fn docker_host() -> Option<String> {
    Some(
        std::env::var_os("DOCKER_HOST")?
            .to_string_lossy()
            .into_owned(),
    )
}

/// The socket that `DOCKER_HOST` names.
fn socket_from(host: Option<&str>) -> Result<PathBuf> {
    match host.map(str::trim) {
        None | Some("") => Ok(PathBuf::from(SOCKET)),
        Some(host) => match host.strip_prefix("unix://") {
            Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
            Some(_) | None => Err(Failure::new(format!(
                "DOCKER_HOST is {host:?}, and only engines behind a unix socket are worked with, such as unix://{SOCKET}"
            ))
            .hint("unset DOCKER_HOST; for another machine name it in the profile instead")
            .into()),
        },
    }
}

/// A future that yields `None` when the engine says that there is no such thing.
async fn if_there<T>(
    call: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<Option<T>, bollard::errors::Error> {
    match call.await {
        Ok(found) => Ok(Some(found)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whose a container or network is, taken out of its labels.
fn owner(labels: &mut HashMap<String, String>) -> Owner {
    Owner {
        deployment: labels.remove(label::DEPLOYMENT),
        instance: labels.remove(label::INSTANCE),
    }
}

/// What the engine answered with, if it answered.
fn status(error: &bollard::errors::Error) -> Option<u16> {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        // The many other kinds are bollard's own, and none of them is an answer.
        _ => None,
    }
}

/// Whether the engine said that something of that name is there already.
pub(super) fn is_conflict(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<Conflict>())
}

/// Stands below the failure when the engine answered with a conflict, so that it can be told from others.
#[derive(Debug, thiserror::Error)]
#[error("the name is taken")]
struct Conflict;

fn failed(doing: &str, error: bollard::errors::Error) -> anyhow::Error {
    match error {
        bollard::errors::Error::DockerResponseServerError {
            message,
            status_code,
        } => {
            let message = message.trim();
            let failure = answered(doing, message);
            if status_code == 409 {
                anyhow::Error::new(Conflict).context(failure)
            } else {
                failure.into()
            }
        }
        bollard::errors::Error::DockerStreamError { error } => {
            answered(doing, error.trim()).into()
        }
        bollard::errors::Error::RequestTimeoutError => no_answer(doing),
        other => anyhow::Error::new(other).context(
            Failure::new(format!("the docker engine broke off while {doing}")).hint(
                "see what it says (journalctl -u docker), start it (systemctl start docker), then run this again",
            ),
        ),
    }
}

/// The engine's own words, and what to do about them.
fn answered(doing: &str, message: &str) -> Failure {
    Failure::new(format!("{doing} failed: {message}")).hint(
        remedy(message).unwrap_or(
            "see what else it says (journalctl -u docker), mend that, then run this again",
        ),
    )
}

/// What to do about answers that operators do meet.
fn remedy(message: &str) -> Option<&'static str> {
    const KNOWN: &[(&str, &str)] = &[
        (
            "Pool overlaps",
            "set network.pool in dtaas.yaml to addresses that nothing on this machine uses (docker network ls, ip route)",
        ),
        (
            "bind source path does not exist",
            "make that directory, or take the mount out of dtaas.yaml",
        ),
        (
            "has active endpoints",
            "something else is attached to it: see docker network inspect, and detach it with docker network disconnect -f",
        ),
        (
            "device or resource busy",
            "the workspace uses more memory than the new limit: choose a higher one, or restart it first",
        ),
        (
            "no space left on device",
            "make room on the disk (docker system df), then run this again",
        ),
        (
            "invalid reference format",
            "mend the image's name in dtaas.yaml or in the user's file; images.prefix stands before each",
        ),
        (
            "ptables",
            "restart the engine so that it makes its rules anew (systemctl restart docker), then run this again",
        ),
    ];
    KNOWN
        .iter()
        .find(|(part, _)| message.contains(part))
        .map(|(_, hint)| *hint)
}

fn no_answer(doing: &str) -> anyhow::Error {
    Failure::new(format!("the docker engine did not answer while {doing}"))
        .hint("see what it says (journalctl -u docker), restart it (systemctl restart docker), then run this again")
        .into()
}

fn not_reachable(socket: &Path, error: bollard::errors::Error) -> anyhow::Error {
    let place = socket.display();
    // bollard hides the cause behind several layers; the socket itself tells it plainly.
    let failure = match std::os::unix::net::UnixStream::connect(socket) {
        Err(cause) if cause.kind() == ErrorKind::PermissionDenied => {
            let failure = Failure::new(format!(
                "no permission to talk to the docker engine at {place}"
            ))
            .hint("run this as root: sudo dtaas …");
            return anyhow::Error::new(cause).context(failure);
        }
        Err(cause) => {
            let failure = Failure::new(format!(
                "the docker engine is not installed or not running: nothing answers at {place}"
            ))
            .hint("install it with: apt-get install docker.io; or start it with: systemctl start docker");
            return anyhow::Error::new(cause).context(failure);
        }
        Ok(_) => Failure::new(format!(
            "what listens at {place} does not answer as a docker engine"
        ))
        .hint("see what it says: journalctl -u docker"),
    };
    anyhow::Error::new(error).context(failure)
}

/// Refuses engines that nobody has tried this with.
fn refuse(version: &SystemVersion, info: &SystemInfo) -> Result<()> {
    let options = info.security_options.as_deref().unwrap_or_default();
    let has = |name: &str| options.iter().any(|option| option.contains(name));
    let component = |name: &str| {
        version
            .components
            .iter()
            .flatten()
            .any(|component| component.name.contains(name))
    };
    let platform = version
        .platform
        .as_ref()
        .map(|platform| platform.name.as_str())
        .unwrap_or_default();
    let system = info.operating_system.as_deref().unwrap_or_default();
    let kind = if component("Podman") {
        Some("Podman")
    } else if platform.contains("Docker Desktop") || system.contains("Docker Desktop") {
        Some("Docker Desktop")
    } else if has("name=rootless") {
        Some("rootless docker")
    } else if has("name=userns") {
        Some("docker with userns-remap")
    } else {
        None
    };
    if let Some(kind) = kind {
        return Err(Failure::new(format!("{kind} is not supported"))
            .hint("use docker engine 20.10 or newer on Linux, run by root (apt-get install docker.io)")
            .into());
    }
    let api = version.api_version.as_deref().unwrap_or_default();
    let new_enough = api
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
        .is_some_and(|spoken: (u64, u64)| spoken >= OLDEST);
    if !new_enough {
        return Err(Failure::new(format!(
            "docker engine {} is too old: it speaks interface {api}, and 1.41 is needed",
            version.version.as_deref().unwrap_or("of unknown version")
        ))
        .hint("upgrade it to 20.10 or newer")
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
