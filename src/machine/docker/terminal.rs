//! A program in a container, with whoever runs this in front of it.

use anyhow::{Context, Result};
use bollard::container::LogOutput;
use bollard::exec::{ResizeExecOptions, StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::{Engine, failed};

/// The rows and columns of a terminal.
pub type Size = (u16, u16);

impl Engine {
    /// Runs a program in a container until it ends, its standard input, output and error joined with these; answers with its exit code.
    /// Where `sizes` is given, it has a terminal, of the sizes that come.
    ///
    /// # Errors
    /// When the container does not run, or the program cannot be started.
    pub async fn run_before(
        &self,
        container: &str,
        argv: &[String],
        mut input: impl AsyncRead + Unpin + Send + 'static,
        mut output: impl AsyncWrite + Unpin,
        mut errors: impl AsyncWrite + Unpin,
        sizes: Option<mpsc::Receiver<Size>>,
    ) -> Result<i64> {
        let doing = format!(
            "running {} in {container}",
            argv.first().map_or("", |word| word)
        );
        let config = ExecConfig {
            cmd: Some(argv.to_vec()),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(sizes.is_some()),
            // What programs draw with.
            env: sizes.is_some().then(|| {
                let kind = std::env::var("TERM").unwrap_or_else(|_| "xterm".to_owned());
                vec![format!("TERM={kind}")]
            }),
            ..Default::default()
        };
        let made = self
            .ask(&doing, self.docker.create_exec(container, config))
            .await?;
        let options = StartExecOptions {
            tty: sizes.is_some(),
            ..Default::default()
        };
        let started = self
            .ask(&doing, self.docker.start_exec(&made.id, Some(options)))
            .await?;
        let StartExecResults::Attached {
            output: mut said,
            input: mut stdin,
        } = started
        else {
            anyhow::bail!("{doing}: the engine did not attach it");
        };
        let typing = tokio::spawn(async move {
            // It may end before all is read.
            let _ = tokio::io::copy(&mut input, &mut stdin).await;
            let _ = stdin.shutdown().await;
        });
        let resizing = async {
            if let Some(mut sizes) = sizes {
                while let Some((height, width)) = sizes.recv().await {
                    let size = ResizeExecOptions { height, width };
                    // It may have ended.
                    let _ = self.docker.resize_exec(&made.id, size).await;
                }
            }
            std::future::pending::<()>().await;
        };
        let showing = async {
            while let Some(piece) = said.next().await {
                match piece.map_err(|error| failed(&doing, error))? {
                    LogOutput::StdErr { message } => {
                        errors.write_all(&message).await?;
                        errors.flush().await?;
                    }
                    LogOutput::StdOut { message } | LogOutput::Console { message } => {
                        output.write_all(&message).await?;
                        output.flush().await?;
                    }
                    LogOutput::StdIn { .. } => {}
                }
            }
            anyhow::Ok(())
        };
        let shown = tokio::select! {
            shown = showing => shown,
            () = resizing => Ok(()),
        };
        typing.abort();
        shown?;
        let ended = self.ask(&doing, self.docker.inspect_exec(&made.id)).await?;
        ended
            .exit_code
            .context("the engine does not say how it ended")
    }
}
