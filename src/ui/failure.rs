//! The one place where an error is printed.

use console::style;

use crate::error::{Exit, failure_of, remedy_of_cause};

/// Prints what failed, why, and what to do next; answers what to exit with.
pub fn print(error: &anyhow::Error) -> Exit {
    let mut text = format!("{} {error}", style("error:").for_stderr().red().bold());
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Libraries repeat their cause in their own words.
        if !last.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        last = cause;
    }
    super::say(text);
    let failure = failure_of(error);
    let hint = failure.and_then(|failure| failure.remedy());
    if let Some(hint) = hint.or_else(|| remedy_of_cause(error)) {
        super::say(format!(
            "{} {hint}",
            style("hint:").for_stderr().cyan().bold()
        ));
    }
    failure.map_or(Exit::Failed, |failure| failure.code())
}
