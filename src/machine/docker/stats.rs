//! What a container uses.

use std::time::{Duration, Instant};

use anyhow::Result;
use bollard::query_parameters::StatsOptions;
use futures_util::StreamExt;

use super::{Engine, failed, status};

/// How much a container had used at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// How long processors have worked for it since it started.
    pub worked: Duration,
    /// Memory in bytes, without the part of the page cache that is not in use, as `docker stats` counts it.
    pub memory: u64,
}

impl Engine {
    /// How much a container has used so far; `None` where there is none, or it does not run.
    pub async fn sample(&self, name: &str) -> Result<Option<Sample>> {
        let options = StatsOptions {
            stream: false,
            one_shot: true,
        };
        let doing = format!("asking what {name} uses");
        let mut stream = std::pin::pin!(self.docker.stats(name, Some(options)));
        let found = match stream.next().await {
            None => return Ok(None),
            Some(Err(error)) if status(&error) == Some(404) => return Ok(None),
            Some(found) => found.map_err(|error| failed(&doing, error))?,
        };
        let at = Instant::now();
        let worked = found
            .cpu_stats
            .and_then(|cpu| cpu.cpu_usage?.total_usage)
            .map(Duration::from_nanos);
        let memory = found.memory_stats.and_then(|memory| {
            let used = memory.usage?;
            let idle = memory.stats.as_ref().and_then(|stats| {
                let keys = ["inactive_file", "total_inactive_file"];
                keys.iter().find_map(|key| stats.get(*key).copied())
            });
            Some(used.saturating_sub(idle.unwrap_or(0)))
        });
        Ok(match (worked, memory) {
            (Some(worked), Some(memory)) => Some(Sample { at, worked, memory }),
            (None, _) | (_, None) => None,
        })
    }
}
