//! The questions that were asked before, by their exact text: parsed, measured, found valid, and planned. Nothing of an
//! answer is kept. What is kept is bounded, whoever asks whatever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Name;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition};

use super::super::question;
use super::plan::{Obstacle, Plan, plan};

/// How many questions are kept.
const MAX_KEPT: usize = 256;
/// The longest text that is kept, in bytes. The introspection of tools is 2,000.
const MAX_TEXT: usize = 8 * 1024;
/// What the texts may come to, in bytes. A parsed question takes up to a hundred times its text.
const MAX_TEXTS: usize = 64 * 1024;

/// A document that the schema has found valid.
#[derive(Debug)]
pub struct Checked {
    /// What was parsed.
    pub document: ExecutableDocument,
    ready: HashMap<Option<Name>, Ready>,
}

/// What can be known of an operation before it is asked.
#[derive(Debug)]
pub struct Ready {
    /// The fields at its top, for the log.
    pub summary: String,
    /// How it is answered.
    pub plan: Result<Plan, Obstacle>,
}

impl Checked {
    /// A document that is valid: each of its operations is planned.
    pub fn new(document: ExecutableDocument) -> Self {
        let ready = |definition: &OperationDefinition| Ready {
            summary: question::summary(definition),
            plan: plan(&document, definition, None),
        };
        let ready = document
            .operations
            .iter()
            .map(|(name, operation)| (name.cloned(), ready(&operation.node)))
            .collect();
        Self { document, ready }
    }

    /// What is known of the operation of that name, or of the only one.
    pub fn ready(&self, name: Option<&str>) -> Option<&Ready> {
        match name {
            Some(name) => self.ready.get(&Some(Name::new(name))),
            None => self.ready.values().next(),
        }
    }
}

/// The questions that were asked lately.
#[derive(Debug, Default)]
pub struct Known {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_text: HashMap<Box<str>, Slot>,
    bytes: usize,
    /// Counts questions, so that the one that was not asked for the longest is known.
    now: u64,
}

#[derive(Debug)]
struct Slot {
    checked: Arc<Checked>,
    asked: u64,
}

impl Known {
    /// The question of this text, when it is known.
    pub fn get(&self, text: &str) -> Option<Arc<Checked>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.now += 1;
        let now = kept.now;
        let slot = kept.by_text.get_mut(text)?;
        slot.asked = now;
        Some(Arc::clone(&slot.checked))
    }

    /// Keeps a question, in the place of those that were not asked for the longest. A long text is not kept.
    pub fn keep(&self, text: &str, checked: &Arc<Checked>) {
        if text.len() > MAX_TEXT {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.by_text.contains_key(text) {
            return;
        }
        while kept.by_text.len() >= MAX_KEPT || kept.bytes + text.len() > MAX_TEXTS {
            let oldest = kept.by_text.iter().min_by_key(|(_, slot)| slot.asked);
            let Some(oldest) = oldest.map(|(text, _)| text.clone()) else {
                break;
            };
            kept.by_text.remove(&oldest);
            kept.bytes -= oldest.len();
        }
        kept.now += 1;
        let slot = Slot {
            checked: Arc::clone(checked),
            asked: kept.now,
        };
        kept.bytes += text.len();
        kept.by_text.insert(text.into(), slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Arc<Checked> {
        Arc::new(Checked::new(question::parse(text).unwrap()))
    }

    fn kept(known: &Known) -> (usize, usize) {
        let kept = known.kept.lock().unwrap();
        let texts = kept.by_text.keys().map(|text| text.len()).sum();
        assert_eq!(kept.bytes, texts);
        (kept.by_text.len(), texts)
    }

    #[test]
    fn what_was_not_asked_for_the_longest_makes_room() {
        let known = Known::default();
        let text = |number: usize| format!("{{a{number}:__typename}}");
        for number in 0..MAX_KEPT {
            known.keep(&text(number), &checked(&text(number)));
        }
        assert!(known.get(&text(0)).is_some());
        for number in MAX_KEPT..MAX_KEPT + 10 {
            known.keep(&text(number), &checked(&text(number)));
        }
        assert_eq!(kept(&known).0, MAX_KEPT);
        let gone: Vec<usize> = (0..MAX_KEPT + 10)
            .filter(|&number| known.get(&text(number)).is_none())
            .collect();
        assert_eq!(gone, (1..=10).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let known = Known::default();
        for number in 0..100 {
            let text = format!("{{__typename}} # {number}{}", "x".repeat(MAX_TEXT - 30));
            known.keep(&text, &checked(&text));
            assert!(known.get(&text).is_some());
            assert!(kept(&known).1 <= MAX_TEXTS);
        }
        let long = format!("{{__typename}} # {}", "x".repeat(MAX_TEXT));
        known.keep(&long, &checked(&long));
        assert!(known.get(&long).is_none());
    }
}
