//! A GraphQL question before it is answered: parsed, bounded, and its variables checked. All that is wrong here is
//! answered with HTTP 400 and one of Apollo's codes.

use std::collections::HashMap;

use async_graphql::parser::types::{
    BaseType, DocumentOperations, ExecutableDocument, FragmentDefinition, OperationDefinition,
    Selection, SelectionSet,
};
use async_graphql::{
    ErrorExtensionValues, Name, Pos, Positioned, Request, ServerError, Value, Variables,
};

/// The code of a text that is no GraphQL.
pub const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
/// The code of a question that the schema, or a limit, does not allow.
pub const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
/// The code of a variable that is missing or of the wrong kind.
pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
/// The code of an operation's name that is not in the question.
pub const OPERATION_UNKNOWN: &str = "OPERATION_RESOLUTION_FAILURE";

/// Brackets within brackets in the text. The grammar's parser recurses for each, so this protects its stack.
const MAX_NESTING: usize = 64;
/// Fields within fields. Tools' introspection asks for 15.
const MAX_DEPTH: usize = 20;
/// Fields altogether, those of fragments counted as often as they are used. Tools' introspection asks for about 400.
const MAX_FIELDS: u64 = 1000;

/// A question that may be answered.
pub struct Question {
    /// What the schema executes.
    pub request: Request,
    /// The fields asked for at the top, for the log.
    pub summary: String,
}

/// A refusal with this code.
pub fn error(code: &str, message: impl Into<String>, at: Option<Pos>) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    let mut error = ServerError::new(message, at);
    error.extensions = Some(extensions);
    error
}

/// Parses and checks a question.
///
/// # Errors
///
/// Why it is not answered, with its code.
pub fn prepare(
    text: String,
    operation: Option<String>,
    variables: Variables,
) -> Result<Question, ServerError> {
    if nesting(&text).is_none_or(|depth| depth > MAX_NESTING) {
        let message = format!(
            "Syntax Error: a string without an end, or brackets nested deeper than {MAX_NESTING}"
        );
        return Err(error(PARSE_FAILED, message, None));
    }
    let document = async_graphql::parser::parse_query(&text).map_err(|cause| {
        let cause = ServerError::from(cause);
        let message = format!("Syntax Error: {}", cause.message);
        error(PARSE_FAILED, message, cause.locations.first().copied())
    })?;
    bound(&document)?;
    let chosen = choose(&document, operation.as_deref())?;
    check_variables(&chosen.node, &variables)?;
    let summary = summary(&chosen.node);
    let mut request = Request::new(text).variables(variables);
    // A name that is given for the only, nameless operation is refused above.
    request.operation_name = operation;
    request.set_parsed_query(document);
    Ok(Question { request, summary })
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

fn bound(document: &ExecutableDocument) -> Result<(), ServerError> {
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

fn choose<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a Positioned<OperationDefinition>, ServerError> {
    let unknown = |name: &str| {
        let message = format!("Unknown operation named \"{name}\".");
        error(OPERATION_UNKNOWN, message, None)
    };
    match (&document.operations, name) {
        (DocumentOperations::Single(only), None) => Ok(only),
        (DocumentOperations::Single(_), Some(name)) => Err(unknown(name)),
        (DocumentOperations::Multiple(all), Some(name)) => {
            all.get(name).ok_or_else(|| unknown(name))
        }
        (DocumentOperations::Multiple(all), None) => {
            let mut each = all.values();
            match (each.next(), each.next()) {
                (Some(only), None) => Ok(only),
                _ => {
                    let message =
                        "Must provide operation name if query contains multiple operations.";
                    Err(error(OPERATION_UNKNOWN, message, None))
                }
            }
        }
    }
}

/// Checks the variables that the operation declares, in Apollo's words. Types that the schema does not know are
/// told by the validation.
fn check_variables(
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), ServerError> {
    for definition in &operation.variable_definitions {
        let (name, kind) = (&definition.node.name.node, &definition.node.var_type.node);
        let wrong = |message| Err(error(BAD_USER_INPUT, message, Some(definition.pos)));
        match variables.get(name) {
            None if !kind.nullable && definition.node.default_value.is_none() => {
                return wrong(format!(
                    "Variable \"${name}\" of required type \"{kind}\" was not provided."
                ));
            }
            Some(Value::Null) if !kind.nullable => {
                return wrong(format!(
                    "Variable \"${name}\" of non-null type \"{kind}\" must not be null."
                ));
            }
            None | Some(Value::Null) => {}
            Some(value) => {
                let fits = match &kind.base {
                    BaseType::Named(base) if base == "String" => {
                        matches!(value, Value::String(_))
                    }
                    BaseType::Named(base) if base == "Boolean" => {
                        matches!(value, Value::Boolean(_))
                    }
                    BaseType::Named(_) | BaseType::List(_) => true,
                };
                if !fits {
                    return wrong(format!(
                        "Variable \"${name}\" got invalid value {value}; it is not of type \"{kind}\"."
                    ));
                }
            }
        }
    }
    Ok(())
}

fn summary(operation: &OperationDefinition) -> String {
    let mut names: Vec<&str> = Vec::new();
    for item in &operation.selection_set.node.items {
        let name = match &item.node {
            Selection::Field(field) => field.node.name.node.as_str(),
            Selection::FragmentSpread(_) | Selection::InlineFragment(_) => "…",
        };
        if !names.contains(&name) && names.len() < 4 {
            names.push(name);
        }
    }
    let mut line = names.join(",");
    line.truncate(line.floor_char_boundary(80));
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(text: &str, operation: Option<&str>, variables: serde_json::Value) -> String {
        match prepare(
            text.to_owned(),
            operation.map(str::to_owned),
            Variables::from_json(variables),
        ) {
            Ok(question) => question.summary,
            Err(refused) => {
                let extensions = serde_json::to_value(&refused.extensions).unwrap();
                format!(
                    "{}: {}",
                    extensions["code"].as_str().unwrap(),
                    refused.message
                )
            }
        }
    }

    #[test]
    fn the_operation_is_found_by_its_name() {
        let two = "query A {listDirectory(path:\"\"){__typename}} query B {readFile(path:\"x\"){__typename}}";
        assert_eq!(asked(two, Some("B"), json!({})), "readFile");
        assert_eq!(
            asked(two, Some("C"), json!({})),
            "OPERATION_RESOLUTION_FAILURE: Unknown operation named \"C\"."
        );
        assert_eq!(
            asked(two, None, json!({})),
            "OPERATION_RESOLUTION_FAILURE: Must provide operation name if query contains multiple operations."
        );
    }

    #[test]
    fn variables_are_checked() {
        let query = "query($path: String!) {listDirectory(path: $path) {__typename}}";
        assert_eq!(asked(query, None, json!({"path": "a"})), "listDirectory");
        assert_eq!(
            asked(query, None, json!({})),
            "BAD_USER_INPUT: Variable \"$path\" of required type \"String!\" was not provided."
        );
        assert_eq!(
            asked(query, None, json!({"path": null})),
            "BAD_USER_INPUT: Variable \"$path\" of non-null type \"String!\" must not be null."
        );
        assert_eq!(
            asked(query, None, json!({"path": 5})),
            "BAD_USER_INPUT: Variable \"$path\" got invalid value 5; it is not of type \"String!\"."
        );
    }

    #[test]
    fn deep_texts_do_not_reach_the_parser() {
        let deep = "{a".repeat(30_000);
        assert!(asked(&deep, None, json!({})).starts_with(PARSE_FAILED));
        let list = format!("{{a(x:{}", "[".repeat(50_000));
        assert!(asked(&list, None, json!({})).starts_with(PARSE_FAILED));
        // What looks like a block string without an end is an empty string and another one to the grammar.
        let hidden = format!("{{a(x:[\"\"\"\" {}", "[".repeat(50_000));
        assert!(asked(&hidden, None, json!({})).starts_with(PARSE_FAILED));
        let closed = format!("{{a(x:\"{}\",y:{}", "]".repeat(200), "[".repeat(200));
        assert!(asked(&closed, None, json!({})).starts_with(PARSE_FAILED));
        // The deepest that is let through must fit the stack of the thread that parses it.
        let fits = format!("{{a(x:{}{})}}", "[".repeat(62), "]".repeat(62));
        assert_eq!(asked(&fits, None, json!({})), "a");
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let path = "[".repeat(200);
        let query = format!("{{a(x:\"{path}\\\"\", y:\"\"\"{path}\"\"\")}} # {path}");
        assert_eq!(asked(&query, None, json!({})), "a");
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
        assert!(asked(&query, None, json!({})).starts_with(VALIDATION_FAILED));
        assert_eq!(
            asked(
                "{...a} fragment a on Query {...b} fragment b on Query {...a}",
                None,
                json!({})
            ),
            "GRAPHQL_VALIDATION_FAILED: Cannot spread fragment \"a\" within itself."
        );
        let wide: String = (0..1001).map(|n| format!("a{n}:__typename ")).collect();
        assert_eq!(
            asked(&format!("{{{wide}}}"), None, json!({})),
            "GRAPHQL_VALIDATION_FAILED: The query asks for more than 1000 fields."
        );
    }
}
