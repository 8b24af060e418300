//! Programs run in containers.

use std::time::Duration;

use anyhow::{Context, Result};
use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::Engine;

/// How long a program may take.
const TO_END: Duration = Duration::from_secs(120);

/// How a program in a container ended, and what it said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub code: Option<i64>,
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
        let run = async {
            let config = ExecConfig {
                cmd: Some(argv.iter().map(|word| (*word).to_owned()).collect()),
                attach_stdin: Some(true),
                attach_stdout: Some(true),
                attach_stderr: Some(true),
                ..Default::default()
            };
            let made = self.docker.create_exec(name, config).await?;
            let started = self
                .docker
                .start_exec(&made.id, None::<StartExecOptions>)
                .await?;
            let mut ended = Ended::default();
            if let StartExecResults::Attached {
                mut output,
                input: mut stdin,
            } = started
            {
                stdin.write_all(input.as_bytes()).await?;
                stdin.shutdown().await?;
                while let Some(piece) = output.next().await {
                    match piece? {
                        LogOutput::StdErr { message } => {
                            ended.err.push_str(&String::from_utf8_lossy(&message));
                        }
                        LogOutput::StdOut { message } | LogOutput::Console { message } => {
                            ended.out.push_str(&String::from_utf8_lossy(&message));
                        }
                        LogOutput::StdIn { .. } => {}
                    }
                }
            }
            ended.code = self.docker.inspect_exec(&made.id).await?.exit_code;
            anyhow::Ok(ended)
        };
        tokio::time::timeout(limit, run)
            .await
            .with_context(doing)?
            .with_context(doing)
    }
}
