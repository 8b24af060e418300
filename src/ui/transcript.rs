//! What is told while something is changed, kept for afterwards. Talk alone: what a command gives as data, passwords among it, is not.

use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;
use time::macros::format_description;

struct Transcript {
    file: File,
    lines: usize,
}

static KEPT: Mutex<Option<Transcript>> = Mutex::new(None);

/// From here on what is told is kept in this file, too.
pub fn begin(file: File) {
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Transcript { file, lines: 0 });
}

/// Ends it; answers how many lines there were.
pub fn end() -> usize {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).take();
    kept.map_or(0, |kept| kept.lines)
}

/// How many lines there are so far.
pub fn lines() -> usize {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.as_ref().map_or(0, |kept| kept.lines)
}

/// Keeps a line, with the time (UTC) before it and without colours.
pub(super) fn line(text: &str) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(kept) = kept.as_mut() else {
        return;
    };
    let form = format_description!("[hour]:[minute]:[second].[subsecond digits:3]");
    let now = OffsetDateTime::now_utc().format(form).unwrap_or_default();
    kept.lines += 1;
    // A disk that is full stops no run.
    let _ = writeln!(kept.file, "{now} {}", console::strip_ansi_codes(text));
}
