//! Bytes on their way: a bar on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how many bytes have come or gone.
pub struct Transfer {
    bar: ProgressBar,
}

impl Transfer {
    /// Nothing has moved yet.
    pub fn new() -> Self {
        let bar = ProgressBar::no_length();
        // Without a length there is nothing that a bar could be a part of.
        if let Ok(look) = ProgressStyle::with_template("{msg} {bytes} {binary_bytes_per_sec}") {
            bar.set_style(look);
        }
        Self { bar }
    }

    /// So many bytes more are expected, and so many of them need not move again.
    pub fn expect(&self, size: u64, here: u64) {
        if self.bar.length().is_none()
            && let Ok(look) = ProgressStyle::with_template(
                "{msg} [{bar:30.cyan/blue}] {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}",
            )
        {
            self.bar.set_style(look.progress_chars("=> "));
        }
        self.bar
            .set_length(self.bar.length().unwrap_or_default() + size);
        self.bar.inc(here);
    }

    /// So many bytes more have moved.
    pub fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// What stands in front of the bar.
    pub fn about(&self, text: String) {
        self.bar.set_message(text);
    }

    /// A line above the bar.
    pub fn line(&self, text: &str) {
        match self.bar.is_hidden() {
            true => super::say(text),
            false => self.bar.println(text),
        }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Default for Transfer {
    fn default() -> Self {
        Self::new()
    }
}
