//! `healing`: workspaces that lost their network, restarted by the machine itself.

use super::{Section, default};
use crate::spec::model::Healing;
use crate::spec::quantity::Span;

/// No shorter, in seconds: a probe takes some, and so does a workspace's start.
const SHORTEST: u64 = 60;

/// Reads it; `None` where it is off.
pub fn healing(mut section: Section<'_>) -> Option<Healing> {
    const SPAN: &str = "write a time such as 5m, 1h or 3d, at least 1m";
    let enabled = section
        .get("enabled", "write true or false")
        .unwrap_or(false);
    let mut span = |key: &'static str, default: &str| {
        let span: Option<Span> = section.get(key, SPAN);
        if span.is_some_and(|span| span.0 < SHORTEST) {
            section.problem(key, "this is shorter than a minute", SPAN);
        }
        span.or_else(|| default.parse().ok())
    };
    let every = span("every", default::HEALING);
    let at_most_every = span("at_most_every", default::HEALING_AT_MOST);
    let restart_every: Option<String> =
        section.get("restart_every", "write none, or a time such as 3d");
    let restart_every = match restart_every.as_deref() {
        None | Some(default::NONE) => None,
        Some(text) => match text.parse::<Span>() {
            Ok(span) if span.0 >= 3600 => Some(span),
            Ok(_) => {
                section.problem(
                    "restart_every",
                    "this is shorter than an hour, and each restart ends what runs in a workspace",
                    "write none, or a time such as 3d",
                );
                None
            }
            Err(reason) => {
                section.problem("restart_every", &reason, "write none, or a time such as 3d");
                None
            }
        },
    };
    section.finish();
    enabled.then_some(Healing {
        every: every?,
        at_most_every: at_most_every?,
        restart_every,
    })
}
