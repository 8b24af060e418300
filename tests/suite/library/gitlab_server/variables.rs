//! Whether variables are of the types that the arguments want. graphql-ruby holds to the letter of the specification (5.8.5):
//! a `String!` is no `ID!`, for one. The server beneath this stand-in does not mind that much.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

/// The types of the arguments that the schema has.
const ARGUMENTS: [(&str, &str); 15] = [
    ("fullPath", "ID!"),
    ("path", "String"),
    ("paths", "[String!]!"),
    ("recursive", "Boolean"),
    ("ref", "String"),
    ("refType", "RefType"),
    ("after", "String"),
    ("before", "String"),
    ("first", "Int"),
    ("last", "Int"),
    ("includeSubgroups", "Boolean"),
    ("search", "String"),
    ("ids", "[ID!]"),
    ("text", "String!"),
    ("if", "Boolean!"),
];

/// What does not fit, in graphql-ruby's words.
pub fn mismatches(document: &ExecutableDocument) -> Vec<String> {
    let mut found = Vec::new();
    for (_, operation) in document.operations.iter() {
        let declared = operation.node.variable_definitions.iter().map(|variable| {
            let variable = &variable.node;
            (
                variable.name.node.to_string(),
                variable.var_type.node.to_string(),
            )
        });
        let declared = declared.collect();
        in_set(
            document,
            &operation.node.selection_set.node,
            &declared,
            &mut found,
        );
    }
    found
}

fn in_set(
    document: &ExecutableDocument,
    set: &SelectionSet,
    declared: &HashMap<String, String>,
    found: &mut Vec<String>,
) {
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => {
                let field = &field.node;
                let directives = field.directives.iter().flat_map(|d| &d.node.arguments);
                for (name, value) in field.arguments.iter().chain(directives) {
                    check(&name.node, &value.node.to_string(), declared, found);
                }
                in_set(document, &field.selection_set.node, declared, found);
            }
            Selection::InlineFragment(inline) => {
                in_set(document, &inline.node.selection_set.node, declared, found);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    in_set(document, &fragment.node.selection_set.node, declared, found);
                }
            }
        }
    }
}

/// `value` as the question has it: `$name`, `[$name]`, or something without a variable.
fn check(argument: &str, value: &str, declared: &HashMap<String, String>, found: &mut Vec<String>) {
    let Some((_, wanted)) = ARGUMENTS.iter().find(|(name, _)| *name == argument) else {
        return;
    };
    let (wanted, names) = match (value.strip_prefix('['), wanted.strip_prefix('[')) {
        (Some(items), Some(inner)) => {
            let inner = inner.split(']').next().unwrap();
            (inner, items.trim_end_matches(']').split(',').collect())
        }
        _ => (*wanted, vec![value]),
    };
    for name in names {
        let Some(given) = name
            .trim()
            .strip_prefix('$')
            .and_then(|name| declared.get(name))
        else {
            continue;
        };
        // What cannot be null fits where null is allowed.
        if given != wanted && given.strip_suffix('!') != Some(wanted) {
            let name = name.trim();
            found.push(format!(
                "Type mismatch on variable {name} and argument {argument} ({given} / {wanted})"
            ));
        }
    }
}
