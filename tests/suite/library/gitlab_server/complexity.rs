//! How complex a question is, as GitLab counts it: a field is 1 and what is in it, more where a resolver or a call of the
//! git server is behind it, and a connection with a resolver is one percent more for each entry of a page.
//! (GitLab's `Types::BaseField`, `Resolvers::BaseResolver` and `Resolvers::BlobsResolver`.)

use async_graphql::parser::types::{ExecutableDocument, Field, Selection, SelectionSet};
use async_graphql::{Name, Value};
use serde_json::Value as Json;

/// "200 for unauthenticated requests and 250 for authenticated requests."
pub const LIMITS: [u64; 2] = [200, 250];
/// GitLab's `DEFAULT_MAX_DEPTH` and `AUTHENTICATED_MAX_DEPTH`.
pub const DEPTHS: [usize; 2] = [15, 20];

/// Complexity and depth of all that a document asks for.
pub fn of(document: &ExecutableDocument, variables: &Json) -> (u64, usize) {
    let counting = Counting {
        document,
        variables,
    };
    let operations = document.operations.iter();
    operations.fold((0, 0), |(complexity, depth), (_, operation)| {
        let (more, deep) = counting.set(&operation.node.selection_set.node, "Query");
        (complexity + more, depth.max(deep))
    })
}

struct Counting<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Json,
}

impl Counting<'_> {
    fn set(&self, set: &SelectionSet, parent: &str) -> (u64, usize) {
        let mut total = (0, 0);
        for item in &set.items {
            let (complexity, depth) = match &item.node {
                Selection::Field(field) => self.field(&field.node, parent),
                Selection::InlineFragment(inline) => {
                    self.set(&inline.node.selection_set.node, parent)
                }
                Selection::FragmentSpread(spread) => {
                    match self.document.fragments.get(&spread.node.fragment_name.node) {
                        Some(fragment) => self.set(&fragment.node.selection_set.node, parent),
                        None => (0, 0),
                    }
                }
            };
            total = (total.0 + complexity, total.1.max(depth));
        }
        total
    }

    fn field(&self, field: &Field, parent: &str) -> (u64, usize) {
        let name = field.name.node.as_str();
        let (inside, depth) = self.set(&field.selection_set.node, name);
        let complexity = match (parent, name) {
            ("Query", "project" | "group") => inside + 1,
            ("repository", "tree") => inside + 2,
            ("repository", "blobs") => {
                let own = inside + 2 + self.length(field, "paths");
                own + own * self.page(field) / 100
            }
            ("group", "projects") => {
                let own = inside + 1;
                own + own * self.page(field) / 100
            }
            ("repository", "empty" | "exists" | "rootRef") | ("nodes" | "node", "lfsOid") => 2,
            _ => inside + 1,
        };
        (complexity, depth + 1)
    }

    fn argument(&self, field: &Field, name: &str) -> Json {
        let argument = field.get_argument(name).map(|value| &value.node);
        let variable = |name: &Name| -> Result<Value, async_graphql::ServerError> {
            let value = self.variables[name.as_str()].clone();
            Ok(Value::from_json(value).unwrap_or_default())
        };
        let value = argument.map(|value| value.clone().into_const_with(|name| variable(&name)));
        match value {
            Some(Ok(value)) => value.into_json().unwrap_or_default(),
            Some(Err(_)) | None => Json::Null,
        }
    }

    fn length(&self, field: &Field, name: &str) -> u64 {
        self.argument(field, name)
            .as_array()
            .map_or(0, |list| list.len() as u64)
    }

    fn page(&self, field: &Field) -> u64 {
        self.argument(field, "first")
            .as_u64()
            .unwrap_or(100)
            .min(100)
    }
}
