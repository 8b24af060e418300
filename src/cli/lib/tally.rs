//! What `get` and `put` show while files are on their way, and what they came to in the end.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Failure;
use crate::library::client::event::{Came, Event};
use crate::library::client::path::RemotePath;
use crate::ui;
use crate::ui::printable::printable;
use crate::ui::transfer::Transfer;

/// How many files came to what, and the bar that shows it.
#[derive(Default)]
pub struct Tally {
    transfer: Transfer,
    over: AtomicU64,
    same: AtomicU64,
    failed: AtomicU64,
}

impl Tally {
    /// Shows what happens, and counts it.
    pub fn tell(&self, event: Event<'_>) {
        let count = |number: &AtomicU64| number.fetch_add(1, Ordering::Relaxed);
        match event {
            Event::Expected { size, there } => self.transfer.expect(size, there),
            Event::Bytes(bytes) => self.transfer.advance(bytes),
            Event::File(path, came) => {
                self.about(path);
                match came {
                    Came::Over => count(&self.over),
                    Came::Same => count(&self.same),
                };
            }
            Event::Failed(path, problem) => {
                count(&self.failed);
                self.line(path, &Failure::from(problem).to_string());
            }
            Event::LeftOut(path, why) => self.line(path, &format!("left out: {why}")),
        }
    }

    /// Names the file in front of the bar.
    pub fn about(&self, path: &RemotePath) {
        let path = path.to_string();
        self.transfer.about(printable(&path).into_owned());
    }

    fn line(&self, path: &RemotePath, text: &str) {
        let path = path.to_string();
        self.transfer.line(&format!("{}: {text}", printable(&path)));
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.transfer.clear();
    }

    /// Says what came of a directory.
    ///
    /// # Errors
    ///
    /// When some of it did not come over.
    pub fn outcome(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let number = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let files = |count: u64| match count {
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        let already = match number(&self.same) {
            0 => String::new(),
            same => format!(", {} already there", files(same)),
        };
        let over = format!("{} came over{already}", files(number(&self.over)));
        match number(&self.failed) {
            0 => {
                ui::say(format!("{from} is now {to}: {over}"));
                Ok(())
            }
            failed => Err(Failure::new(format!("of {from} {failed} did not come over; {over}"))
                .hint("each is named above; run this again for the rest, with --force to write over what differs")
                .into()),
        }
    }
}
