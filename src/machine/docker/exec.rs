//! Programs run in containers.

use std::time::Duration;

use anyhow::{Context, Result};

use super::Engine;

/// How long a program may take.
const TO_END: Duration = Duration::from_secs(120);

/// How a program in a container ended, and what it said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub code: i64,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Engine {
    /// Runs a program in a container that runs, to its end, with this on its standard input. Nothing secret belongs into `argv`.
    pub async fn run_in(&self, name: &str, argv: &[&str], input: &str) -> Result<Ended> {
        self.run_in_within(TO_END, name, argv, input).await
    }

    /// The same for a program that may take so long.
    pub async fn run_in_within(
        &self,
        limit: Duration,
        name: &str,
        argv: &[&str],
        input: &str,
    ) -> Result<Ended> {
        let doing = || {
            format!(
                "cannot run {} in container {name}",
                argv.first().unwrap_or(&"")
            )
        };
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        let input = std::io::Cursor::new(input.as_bytes().to_vec());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let run = async {
            let run = self.run_before(name, &argv, input, &mut out, &mut err, None);
            anyhow::Ok(Ended {
                code: run.await?,
                out: String::from_utf8_lossy(&out).into_owned(),
                err: String::from_utf8_lossy(&err).into_owned(),
            })
        };
        tokio::time::timeout(limit, run)
            .await
            .with_context(doing)?
            .with_context(doing)
    }
}
