//! Questions. Nothing is asked when standard input is no terminal.

use std::io::IsTerminal;

use console::Term;
use dialoguer::{Confirm, Input};

use crate::error::{Exit, Failure};

/// Whether somebody can answer.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Fails when a question will have to be asked and nobody can answer it.
pub fn require_answer(question: &str, yes: bool) -> anyhow::Result<()> {
    if !yes && !can_ask() {
        return Err(Failure::usage(format!(
            "nobody can answer, because standard input is no terminal: {question}"
        ))
        .hint("give --yes to answer it beforehand; nothing was changed")
        .into());
    }
    Ok(())
}

/// Asks before something is destroyed, unless `yes` was given.
///
/// # Errors
/// When the answer is no, or nobody can answer.
pub fn confirm(question: &str, yes: bool) -> anyhow::Result<()> {
    require_answer(question, yes)?;
    if yes {
        return Ok(());
    }
    if Confirm::new()
        .with_prompt(question)
        .default(false)
        .interact()?
    {
        return Ok(());
    }
    Err(Failure::new("nothing was changed")
        .exit(Exit::Interrupted)
        .into())
}

/// Asks a question that is no by default.
pub fn ask_whether(question: &str) -> anyhow::Result<bool> {
    Ok(Confirm::new()
        .with_prompt(question)
        .default(false)
        .interact()?)
}

/// Asks for a value until it is one.
pub fn ask<T>(question: &str, default: Option<String>) -> anyhow::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let mut input = Input::<String>::new()
        .with_prompt(question)
        .validate_with(|text: &String| match text.trim().parse::<T>() {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        });
    if let Some(default) = default {
        input = input.default(default);
    }
    let text = input.interact_text()?;
    text.trim()
        .parse()
        .map_err(|error: T::Err| Failure::usage(error.to_string()).into())
}

/// Asks for a password, which is not shown.
pub fn ask_password(question: &str) -> anyhow::Result<String> {
    let terminal = Term::stderr();
    terminal.write_str(&format!("{question}: "))?;
    Ok(terminal.read_secure_line()?)
}
