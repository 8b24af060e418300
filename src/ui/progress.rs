//! Progress of a plan: a line a step under way on a terminal, a line a finished step elsewhere.

use std::collections::HashMap;
use std::sync::Mutex;

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::machine::event::{Event, StepFailure};

/// Shows what happens. Shared by all that happens side by side.
pub struct Progress {
    bars: MultiProgress,
    running: Mutex<HashMap<Key, Running>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    machine: Option<String>,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    Step(usize),
    Ready(String),
}

struct Running {
    text: String,
    bar: ProgressBar,
}

impl Progress {
    /// Nothing under way yet.
    pub fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
            running: Mutex::default(),
        }
    }

    /// Shows one event, of the machine that is named where there are several.
    pub fn show(&self, machine: Option<&str>, event: Event) {
        let key = |what| Key {
            machine: machine.map(str::to_owned),
            what,
        };
        match event {
            Event::StepStarted { step, text } => {
                self.begin(key(What::Step(step)), super::of(machine, &text));
            }
            Event::StepProgress { step, done, total } => {
                self.advance(&key(What::Step(step)), done, total);
            }
            Event::StepDone { step, millis } => self.end(&key(What::Step(step)), millis),
            Event::StepFailed { step, failure } => self.fail(&key(What::Step(step)), &failure),
            Event::StepDropped { step } => self.drop(&key(What::Step(step))),
            Event::StepSkipped { because, .. } => {
                self.line(format!(
                    "{} {}",
                    style("–").for_stderr().yellow(),
                    super::of(machine, &format!("left out: {because}"))
                ));
            }
            Event::Waiting { container } => {
                let text = super::of(machine, &format!("wait for {container}"));
                self.begin(key(What::Ready(container)), text);
            }
            Event::Ready { container, millis } => {
                let text = super::of(machine, &format!("{container} answers"));
                self.answers(&key(What::Ready(container)), &text, millis);
            }
            // That is data, and whoever asked for it gives it.
            Event::Lines { .. } => {}
            Event::NotReady { container, failure } => {
                self.fail(&key(What::Ready(container)), &failure);
            }
        }
    }

    /// A line above whatever is under way.
    pub fn line(&self, text: String) {
        if self.bars.is_hidden() {
            super::say(text);
        } else {
            super::transcript::line(&text);
            // A terminal that went away has nobody in front of it.
            let _ = self.bars.println(text);
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Running>> {
        self.running
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn begin(&self, key: Key, text: String) {
        // A line for each of 500 waits would leave nothing of the screen.
        let bar = match (&key.what, self.running().len()) {
            (What::Step(_), _) | (What::Ready(_), 0..MOST_LINES) => {
                self.bars.add(ProgressBar::no_length())
            }
            (What::Ready(_), _) => ProgressBar::hidden(),
        };
        if let Ok(look) = ProgressStyle::with_template("• {msg}") {
            bar.set_style(look);
        }
        bar.set_message(text.clone());
        self.running().insert(key, Running { text, bar });
    }

    fn advance(&self, key: &Key, done: u64, total: u64) {
        let running = self.running();
        let Some(Running { bar, .. }) = running.get(key) else {
            return;
        };
        if bar.length().is_none()
            && let Ok(look) =
                ProgressStyle::with_template("• {msg} [{bar:30.cyan/blue}] {bytes}/{total_bytes}")
        {
            bar.set_style(look.progress_chars("=> "));
        }
        bar.set_length(total);
        bar.set_position(done);
    }

    fn end(&self, key: &Key, millis: u64) {
        let Some(running) = self.running().remove(key) else {
            return;
        };
        running.bar.finish_and_clear();
        self.done(&running.text, millis);
    }

    fn done(&self, text: &str, millis: u64) {
        let time = style(took(millis)).for_stderr().dim();
        self.line(format!("{} {text}{time}", style("✓").for_stderr().green()));
    }

    /// What answers at once is not worth a line: of 500 workspaces 499 do.
    fn answers(&self, key: &Key, text: &str, millis: u64) {
        let Some(running) = self.running().remove(key) else {
            return;
        };
        running.bar.finish_and_clear();
        if millis >= NOTICEABLE {
            self.done(text, millis);
        }
    }

    fn drop(&self, key: &Key) {
        let Some(running) = self.running().remove(key) else {
            return;
        };
        running.bar.finish_and_clear();
        self.line(format!(
            "{} {}: broken off",
            style("–").for_stderr().yellow(),
            running.text
        ));
    }

    /// Takes away whatever is under way still: nothing more will come of it.
    pub fn clear(&self) {
        for (_, running) in self.running().drain() {
            running.bar.finish_and_clear();
        }
    }

    fn fail(&self, key: &Key, failure: &StepFailure) {
        let Some(running) = self.running().remove(key) else {
            return;
        };
        running.bar.finish_and_clear();
        self.line(format!(
            "{} {}: {}",
            style("✗").for_stderr().red(),
            running.text,
            failure.message
        ));
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// How many lines are under way at most while parts are waited for.
const MOST_LINES: usize = 8;

/// From how many milliseconds on a time is worth knowing.
const NOTICEABLE: u64 = 100;

fn took(millis: u64) -> String {
    match millis {
        0..NOTICEABLE => String::new(),
        _ => format!(" {:.1} s", millis as f64 / 1000.0),
    }
}
