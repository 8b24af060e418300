//! Talking to the operator: data goes to standard output, talk to standard error.

pub mod failure;
pub mod printable;
pub mod progress;
pub mod prompt;
pub mod table;
pub mod transcript;
pub mod transfer;

use std::io::Write;

/// Says a line to the operator.
pub fn say(text: impl std::fmt::Display) {
    let text = text.to_string();
    transcript::line(&text);
    // When nobody listens any more there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Gives a line of data. Whoever reads it may have closed the pipe; that is not an error of ours.
pub fn data(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Gives a line of data; answers whether anybody reads it still, for whoever would give more and more.
pub fn is_read(text: &str) -> bool {
    writeln!(std::io::stdout(), "{text}").is_ok()
}

/// Shows a text in place of what is on the screen, or below what was shown before, where it is no terminal; answers whether anybody reads it.
pub fn screen(text: &str) -> bool {
    let terminal = console::Term::stdout();
    if terminal.is_term() {
        // Whoever looks may have gone.
        let _ = terminal.clear_screen();
    }
    is_read(text)
}

/// Gives a value as JSON, indented.
pub fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    data(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Gives a value as JSON on one line.
pub fn json_line(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(line) => data(line),
        Err(error) => no_json(&error),
    }
}

fn no_json(error: &serde_json::Error) {
    say(format!("cannot write this as JSON: {error}"));
}

/// Tells something as JSON, on one line of standard output.
pub fn told_as_json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(line) => {
            transcript::line(&line);
            data(line);
        }
        Err(error) => no_json(&error),
    }
}

/// A text about one machine of several, with its name before it.
pub fn of(machine: Option<&str>, text: &str) -> String {
    match machine {
        Some(machine) => format!("{machine}: {text}"),
        None => text.to_owned(),
    }
}
