//! What containers wrote.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::{Stream, StreamExt};

use super::{Engine, failed, status};
use crate::machine::journal::Line;

impl Engine {
    /// The lines that a container wrote, with their times; one `None` where there is no such container. With `follow` it goes on until the
    /// container ends.
    pub fn lines(
        &self,
        name: &str,
        since: Option<i64>,
        tail: Option<u64>,
        follow: bool,
    ) -> impl Stream<Item = anyhow::Result<Option<Line>>> {
        let options = LogsOptions {
            stdout: true,
            stderr: true,
            timestamps: true,
            follow,
            // The engine's interface has no more digits.
            since: since.map_or(0, |since| i32::try_from(since).unwrap_or(i32::MAX)),
            tail: tail.map_or_else(|| "all".to_owned(), |tail| tail.to_string()),
            ..Default::default()
        };
        let container = name.to_owned();
        let doing = format!("reading the log of {name}");
        self.docker
            .logs(name, Some(options))
            .map(move |piece| match piece {
                Ok(piece) => Ok(Some(line(&container, piece))),
                // It is gone, or is just going.
                Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(None),
                Err(error) => Err(failed(&doing, error)),
            })
    }
}

/// A line with its time before it, as the engine gives it.
fn line(container: &str, piece: LogOutput) -> Line {
    let error = matches!(piece, LogOutput::StdErr { .. });
    let text = String::from_utf8_lossy(&piece.into_bytes()).into_owned();
    let text = text.trim_end_matches(['\r', '\n']);
    let (time, text) = text.split_once(' ').unwrap_or((text, ""));
    Line {
        container: container.to_owned(),
        time: time.to_owned(),
        error,
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let message = "2026-01-31T12:00:00.123456789Z it  works \r\n".into();
        let read = line("web", LogOutput::StdErr { message });
        assert_eq!(
            (read.time.as_str(), read.text.as_str(), read.error),
            ("2026-01-31T12:00:00.123456789Z", "it  works ", true)
        );
    }
}
