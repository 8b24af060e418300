//! `dtaas lib cat`: the bytes of a file.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::Context;
use clap::Args;

use super::reach::{Reach, nobody_reads, remote};
use crate::error::Failure;
use crate::ui::printable::steers;

/// Give the bytes of a file of the library, as they are, on standard output.
#[derive(Debug, Args)]
pub struct Cat {
    /// The file
    #[arg(value_name = "PATH")]
    path: String,
    /// Send a terminal what is no text as well
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    reach: Reach,
}

impl Cat {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let path = remote(&self.path)?;
        let connection = self.reach.connect(directory)?;
        let mut download = connection.download(&path).await.map_err(Failure::from)?;
        let mut stdout = std::io::stdout();
        let mut guard = (stdout.is_terminal() && !self.force).then(Guard::default);
        while let Some(piece) = download.next().await.map_err(Failure::from)? {
            if let Some(guard) = &mut guard
                && !guard.lets_pass(&piece)
            {
                return Err(Failure::new(format!("{path} is no text, and would upset the terminal"))
                    .hint(
                        "`dtaas lib get` writes it to a file, `dtaas lib cat … | …` gives it to a program, --force shows it all the same",
                    )
                    .into());
            }
            match stdout.write_all(&piece) {
                Ok(()) => {}
                Err(error) if nobody_reads(&error) => return Ok(()),
                Err(error) => return Err(error).context("cannot write to standard output"),
            }
        }
        match stdout.flush() {
            Err(error) if !nobody_reads(&error) => {
                Err(error).context("cannot write to standard output")
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Looks through what a terminal is to show, piece by piece. A character may lie in two of them.
#[derive(Debug, Default)]
struct Guard {
    begun: Vec<u8>,
}

impl Guard {
    /// Whether all of it is text that steers nothing.
    fn lets_pass(&mut self, piece: &[u8]) -> bool {
        let mut bytes = std::mem::take(&mut self.begun);
        bytes.extend_from_slice(piece);
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            // Cut within a character: the next piece brings the rest.
            Err(error) if error.error_len().is_none() => {
                self.begun = bytes[error.valid_up_to()..].to_vec();
                std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return false,
        };
        let harmless = |c: char| matches!(c, '\n' | '\r' | '\t' | '\u{c}') || !steers(c);
        text.chars().all(harmless)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_passes_also_when_it_is_cut_within_a_character() {
        let all_pass = |pieces: &[&[u8]]| {
            let mut guard = Guard::default();
            pieces.iter().all(|piece| guard.lets_pass(piece))
        };
        assert!(all_pass(&["# Größe\r\n\tcafé ✓".as_bytes()]));
        assert!(all_pass(&[b"caf\xc3", b"\xa9 \xe2\x9c", b"\x93"]));
        assert!(!all_pass(&[b"caf\xe9 "]));
        assert!(!all_pass(&[b"caf\xc3", b" "]));
        assert!(!all_pass(&[b"\x7fELF"]));
        assert!(!all_pass(&[b"fine", b"\x1b]0;not\x07"]));
        assert!(!all_pass(&["gpj.\u{202e}exe".as_bytes()]));
    }
}
