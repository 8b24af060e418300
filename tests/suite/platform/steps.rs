//! A test of many steps on one deployment says each of them, with how long it took.

use std::time::Instant;

use crate::rig::say;

/// The steps of one test, timed.
pub struct Steps {
    test: &'static str,
    begun: Instant,
}

impl Steps {
    pub fn of(test: &'static str) -> Self {
        Self {
            test,
            begun: Instant::now(),
        }
    }

    /// One step; when it fails, its name is the last that is said.
    pub fn step<T>(&self, name: &str, does: impl FnOnce() -> T) -> T {
        let step = Step {
            label: format!("{}: {name}", self.test),
            begun: Instant::now(),
        };
        let done = does();
        drop(step);
        done
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        report(&format!("{}: in all", self.test), self.begun);
    }
}

struct Step {
    label: String,
    begun: Instant,
}

impl Drop for Step {
    fn drop(&mut self) {
        report(&self.label, self.begun);
    }
}

fn report(label: &str, begun: Instant) {
    let failed = if std::thread::panicking() {
        "  FAILED"
    } else {
        ""
    };
    say(&format!(
        "{:7.1} s  {label}{failed}",
        begun.elapsed().as_secs_f64()
    ));
}
