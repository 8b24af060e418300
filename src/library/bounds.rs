//! How much a question may ask for. Checked before the parser and the validation, which both take time or stack
//! without bounds for texts made to hurt them.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, FragmentDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Pos, Positioned, ServerError};

use super::question::{PARSE_FAILED, VALIDATION_FAILED, error};

/// Brackets within brackets in the text. The grammar's parser recurses for each, so this protects its stack.
const MAX_NESTING: usize = 64;
/// Fields within fields. Tools' introspection asks for 15.
const MAX_DEPTH: usize = 20;
/// Fields altogether, those of fragments counted as often as they are used. Tools' introspection asks for about 400.
const MAX_FIELDS: u64 = 1000;

/// What the answer may call a field, in bytes. It stands there as often as the field has values, and is not counted with them.
const MAX_KEY: usize = 64;

/// Looks at the text before it is parsed.
///
/// # Errors
///
/// That its brackets are nested too deep, or that a string has no end and hides how deep they are.
pub fn check_text(text: &str) -> Result<(), ServerError> {
    if nesting(text).is_some_and(|depth| depth <= MAX_NESTING) {
        return Ok(());
    }
    let message = format!(
        "Syntax Error: a string without an end, or brackets nested deeper than {MAX_NESTING}"
    );
    Err(error(PARSE_FAILED, message, None))
}

/// How deep brackets are nested, strings and comments left out. `None` when a string has no end.
fn nesting(text: &str) -> Option<usize> {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(block) = rest.strip_prefix("\"\"\"") {
            rest = after_block(block)?;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '{' | '[' | '(' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            '#' => rest = rest.find(['\n', '\r']).map_or("", |end| &rest[end..]),
            '"' => rest = after_string(rest)?,
            _ => {}
        }
    }
    Some(deepest)
}

fn after_block(mut rest: &str) -> Option<&str> {
    loop {
        let end = rest.find("\"\"\"")?;
        let escaped = rest[..end].ends_with('\\');
        rest = &rest[end + 3..];
        if !escaped {
            return Some(rest);
        }
    }
}

fn after_string(rest: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(&rest[at + 1..]),
            '\n' | '\r' => return None,
            _ => {}
        }
    }
    None
}

/// What a selection comes to when its fragments are written out.
#[derive(Clone, Copy, Default)]
struct Size {
    fields: u64,
    depth: usize,
}

/// Measures selections, each fragment once. Without this, fragments that use the next one twice grow beyond bounds
/// in the validation, and ones in a circle never end.
struct Measure<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// `None` while a fragment is being measured: met again, it contains itself.
    known: HashMap<&'a Name, Option<Size>>,
}

impl<'a> Measure<'a> {
    fn fragment(&mut self, name: &'a Name, at: Pos) -> Result<Size, ServerError> {
        match self.known.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                let message = format!("Cannot spread fragment \"{name}\" within itself.");
                return Err(error(VALIDATION_FAILED, message, Some(at)));
            }
            None => {}
        }
        // An unknown fragment is told by the validation.
        let Some(fragment) = self.fragments.get(name) else {
            return Ok(Size::default());
        };
        if self.known.values().filter(|size| size.is_none()).count() > MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.known.insert(name, None);
        let size = self.selection(&fragment.node.selection_set.node)?;
        self.known.insert(name, Some(size));
        Ok(size)
    }

    fn selection(&mut self, set: &'a SelectionSet) -> Result<Size, ServerError> {
        let mut total = Size::default();
        for item in &set.items {
            let size = match &item.node {
                Selection::Field(field) => {
                    if field.node.response_key().node.len() > MAX_KEY {
                        let message =
                            format!("A name in the answer would be longer than {MAX_KEY} bytes.");
                        return Err(error(VALIDATION_FAILED, message, Some(item.pos)));
                    }
                    let inner = self.selection(&field.node.selection_set.node)?;
                    Size {
                        fields: inner.fields.saturating_add(1),
                        depth: inner.depth + 1,
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let mut size = self.fragment(&spread.node.fragment_name.node, item.pos)?;
                    // An empty fragment costs as well.
                    size.fields = size.fields.saturating_add(1);
                    size
                }
                Selection::InlineFragment(inline) => {
                    self.selection(&inline.node.selection_set.node)?
                }
            };
            total.fields = total.fields.saturating_add(size.fields);
            total.depth = total.depth.max(size.depth);
            if total.depth > MAX_DEPTH {
                return Err(too_deep(item.pos));
            }
        }
        Ok(total)
    }
}

fn too_deep(at: Pos) -> ServerError {
    let message = format!("The query is nested deeper than {MAX_DEPTH} fields.");
    error(VALIDATION_FAILED, message, Some(at))
}

/// Measures what a document asks for.
///
/// # Errors
///
/// That it is nested too deep, asks for too much, or goes in circles.
pub fn check_document(document: &ExecutableDocument) -> Result<(), ServerError> {
    let mut measure = Measure {
        fragments: &document.fragments,
        known: HashMap::new(),
    };
    let mut fields = 0_u64;
    for (_, operation) in document.operations.iter() {
        let size = measure.selection(&operation.node.selection_set.node)?;
        fields = fields.saturating_add(size.fields);
    }
    for (name, fragment) in &document.fragments {
        fields = fields.saturating_add(measure.fragment(name, fragment.pos)?.fields);
    }
    if fields > MAX_FIELDS {
        let message = format!("The query asks for more than {MAX_FIELDS} fields.");
        return Err(error(VALIDATION_FAILED, message, None));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> String {
        let outcome = check_text(text)
            .and_then(|()| check_document(&async_graphql::parser::parse_query(text)?));
        match outcome {
            Ok(()) => "fine".to_owned(),
            Err(refused) => {
                let extensions = serde_json::to_value(&refused.extensions).unwrap();
                format!(
                    "{}: {}",
                    extensions["code"].as_str().unwrap_or("?"),
                    refused.message
                )
            }
        }
    }

    #[test]
    fn deep_texts_do_not_reach_the_parser() {
        let deep = "{a".repeat(30_000);
        assert!(checked(&deep).starts_with(PARSE_FAILED));
        let list = format!("{{a(x:{}", "[".repeat(50_000));
        assert!(checked(&list).starts_with(PARSE_FAILED));
        // What looks like a block string without an end is an empty string and another one to the grammar.
        let hidden = format!("{{a(x:[\"\"\"\" {}", "[".repeat(50_000));
        assert!(checked(&hidden).starts_with(PARSE_FAILED));
        let closed = format!("{{a(x:\"{}\",y:{}", "]".repeat(200), "[".repeat(200));
        assert!(checked(&closed).starts_with(PARSE_FAILED));
        // The deepest that is let through must fit the stack of the thread that parses it.
        let fits = format!("{{a(x:{}{})}}", "[".repeat(62), "]".repeat(62));
        assert_eq!(checked(&fits), "fine");
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let path = "[".repeat(200);
        let query = format!("{{a(x:\"{path}\\\"\", y:\"\"\"{path}\"\"\")}} # {path}");
        assert_eq!(checked(&query), "fine");
    }

    #[test]
    fn names_in_the_answer_are_short() {
        let query = |length: usize| format!("{{{}:__typename}}", "a".repeat(length));
        assert_eq!(checked(&query(64)), "fine");
        assert_eq!(
            checked(&query(65)),
            "GRAPHQL_VALIDATION_FAILED: A name in the answer would be longer than 64 bytes."
        );
    }

    #[test]
    fn fragments_cannot_grow_without_bounds() {
        let mut query = String::from("{...f0}");
        for n in 0..40 {
            query.push_str(&format!(
                "fragment f{n} on Query {{...f{0} ...f{0}}}",
                n + 1
            ));
        }
        query.push_str("fragment f40 on Query {__typename}");
        assert!(checked(&query).starts_with(VALIDATION_FAILED));
        assert_eq!(
            checked("{...a} fragment a on Query {...b} fragment b on Query {...a}"),
            "GRAPHQL_VALIDATION_FAILED: Cannot spread fragment \"a\" within itself."
        );
        let wide: String = (0..1001).map(|n| format!("a{n}:__typename ")).collect();
        assert_eq!(
            checked(&format!("{{{wide}}}")),
            "GRAPHQL_VALIDATION_FAILED: The query asks for more than 1000 fields."
        );
    }
}
