//! What machine this is.

use std::fs;

use anyhow::{Context, Result};

use crate::machine::docker::Engine;
use crate::machine::event::StepFailure;
use crate::remote::protocol::{DockerState, MachineFacts};

pub(super) async fn look() -> Result<MachineFacts> {
    let processors = std::thread::available_parallelism().context("cannot count the processors")?;
    let memory = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
    let docker = match Engine::is_there() {
        false => DockerState::Absent,
        true => match Engine::connect(None).await {
            Ok(engine) => DockerState::Answers {
                version: engine.facts().engine.clone(),
            },
            Err(error) => DockerState::Unfit(StepFailure::of(&error)),
        },
    };
    let (distribution, release) = distribution();
    Ok(MachineFacts {
        processors: u64::try_from(processors.get()).unwrap_or(u64::MAX),
        memory: total(&memory).context("/proc/meminfo does not say how much memory there is")?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        docker,
        distribution,
        release,
    })
}

/// `ID` and `VERSION_ID`; empty where they are not said.
pub(super) fn distribution() -> (String, String) {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let of = |name: &str| value(&text, name).unwrap_or_default();
    (of("ID"), of("VERSION_ID"))
}

/// A value of os-release(5), without its quotes.
fn value(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key == name).then(|| value.trim_matches(['"', '\'']).to_owned())
    })
}

/// `MemTotal`, in bytes (proc_meminfo(5)).
fn total(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_writes_is_read() {
        let text = "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n";
        assert_eq!(value(text, "ID").as_deref(), Some("debian"));
        assert_eq!(value(text, "VERSION_ID").as_deref(), Some("12"));
        assert_eq!(value(text, "VERSION"), None);
        assert_eq!(
            total("MemTotal:       16384 kB\nMemFree: 1 kB\n"),
            Some(16_777_216)
        );
        assert_eq!(total("MemTotal: lots\n"), None);
    }
}
