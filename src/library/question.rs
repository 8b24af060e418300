//! A GraphQL question before it is answered: parsed, bounded, and its variables checked. All that is wrong here is
//! answered with HTTP 400 and one of Apollo's codes.

use async_graphql::parser::types::{
    BaseType, DocumentOperations, ExecutableDocument, OperationDefinition, Selection,
};
use async_graphql::{ErrorExtensionValues, Pos, Positioned, ServerError, Value, Variables};

use super::bounds;

/// The code of a text that is no GraphQL.
pub const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
/// The code of a question that the schema, or a limit, does not allow.
pub const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
/// The code of a variable that is missing or of the wrong kind.
pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
/// The code of an operation's name that is not in the question.
pub const OPERATION_UNKNOWN: &str = "OPERATION_RESOLUTION_FAILURE";

/// A refusal with this code.
pub fn error(code: &str, message: impl Into<String>, at: Option<Pos>) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    let mut error = ServerError::new(message, at);
    error.extensions = Some(extensions);
    error
}

/// Parses a text and measures what it asks for.
///
/// # Errors
///
/// That it is no GraphQL, or too much, with its code.
pub fn parse(text: &str) -> Result<ExecutableDocument, ServerError> {
    bounds::check_text(text)?;
    let document = async_graphql::parser::parse_query(text).map_err(|cause| {
        let cause = ServerError::from(cause);
        let message = format!("Syntax Error: {}", cause.message);
        error(PARSE_FAILED, message, cause.locations.first().copied())
    })?;
    bounds::check_document(&document)?;
    Ok(document)
}

/// Finds the operation of that name, or the only one.
///
/// # Errors
///
/// That there is none, or that several are there to choose from.
pub fn choose<'a>(
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
///
/// # Errors
///
/// The first that is missing or of the wrong kind.
pub fn check_variables(
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
                    BaseType::Named(base) if base == "Int" => {
                        matches!(value, Value::Number(number) if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()))
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

/// Gives variables that are not there the values that the operation has for them. async-graphql does so for arguments,
/// and forgets it for `@skip` and `@include`.
pub fn fill_in(operation: &OperationDefinition, variables: &mut Variables) {
    for definition in &operation.variable_definitions {
        let definition = &definition.node;
        if let Some(default) = &definition.default_value
            && !variables.contains_key(&definition.name.node)
        {
            variables.insert(definition.name.node.clone(), default.node.clone());
        }
    }
}

/// The fields at the top of an operation, for the log.
pub fn summary(operation: &OperationDefinition) -> String {
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
        let variables = Variables::from_json(variables);
        let looked_at = parse(text).and_then(|document| {
            let chosen = choose(&document, operation)?;
            check_variables(&chosen.node, &variables)?;
            Ok(summary(&chosen.node))
        });
        match looked_at {
            Ok(summary) => summary,
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
}
