//! Answers as JSON text. A long list is written while it is made, an entry at a time, because the tree of values that it
//! would be otherwise takes ten times the room of its text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{ExecutableDocument, Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::{
    ContextSelectionSet, Name, OutputType, Positioned, Response, ServerError, ServerResult, Value,
};

use crate::library::allowance::Allowance;
use crate::library::refusal::Refusal;

/// The key of an object that stands for JSON text: not a name that a field can have.
const WRITTEN: &str = "\0";
/// Lists up to here stay values.
const SHORT: usize = 100;
/// What an item counts for that stays a value in a longer list, for the room that it takes.
const VALUE: u64 = 512;

/// Whether no field is asked for twice in one place. Where one is, its values are merged, and text cannot be.
#[derive(Debug, Clone, Copy)]
pub struct Unmerged(pub bool);

/// Whether no field of this question is asked for twice in one place. The question's size must be bounded.
pub fn is_unmerged(document: &ExecutableDocument) -> bool {
    let mut operations = document.operations.iter();
    operations.all(|(_, operation)| unmerged(document, &operation.node.selection_set.node))
}

/// Whether the fields of a selection have different keys, and so on below them.
fn unmerged(document: &ExecutableDocument, set: &SelectionSet) -> bool {
    let mut keys = HashSet::new();
    let mut sets = vec![set];
    while let Some(set) = sets.pop() {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let inner = &field.node.selection_set.node;
                    if !keys.insert(&field.node.response_key().node) || !unmerged(document, inner) {
                        return false;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = document.fragments.get(name) {
                        sets.push(&fragment.node.selection_set.node);
                    }
                }
                Selection::InlineFragment(inline) => sets.push(&inline.node.selection_set.node),
            }
        }
    }
    true
}

/// A list whose items are made one at a time.
pub struct Made<'a, T> {
    /// What it is a list of, for refusals.
    path: &'a str,
    range: Range<usize>,
    make: Box<dyn Fn(usize) -> T + Send + Sync + 'a>,
}

impl<'a, T> Made<'a, T> {
    /// A list of what `make` makes for each of `range`; `path` is what it is a list of.
    pub fn new(
        path: &'a str,
        range: Range<usize>,
        make: impl Fn(usize) -> T + Send + Sync + 'a,
    ) -> Self {
        Self {
            path,
            range,
            make: Box::new(make),
        }
    }
}

impl<T: OutputType> OutputType for Made<'_, T> {
    fn type_name() -> Cow<'static, str> {
        <Vec<T> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<T> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<T> as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let length = self.range.len();
        let unmerged = ctx
            .data_opt::<Unmerged>()
            .is_some_and(|unmerged| unmerged.0);
        let mut list = match length > SHORT {
            true if unmerged => List::Text(b"[".to_vec()),
            true => {
                let bytes = (length as u64).saturating_mul(VALUE);
                let taken = match ctx.data_opt::<Arc<Allowance>>() {
                    Some(allowance) => allowance.take(bytes, self.path),
                    None => Ok(()),
                };
                let told = |refusal: Refusal| refusal.told().into_server_error(field.pos);
                taken.map_err(|refusal| ctx.set_error_path(told(refusal)))?;
                List::Values(Vec::with_capacity(length))
            }
            false => List::Values(Vec::with_capacity(length)),
        };
        for (position, index) in self.range.clone().enumerate() {
            let ctx = ctx.with_index(position);
            let item = (self.make)(index);
            let value = item
                .resolve(&ctx, field)
                .await
                .map_err(|error| ctx.set_error_path(error))?;
            list.push(value).map_err(|error| {
                ctx.set_error_path(ServerError::new(error.to_string(), Some(field.pos)))
            })?;
        }
        Ok(list.end())
    }
}

enum List {
    Values(Vec<Value>),
    Text(Vec<u8>),
}

impl List {
    fn push(&mut self, value: Value) -> Result<(), serde_json::Error> {
        match self {
            List::Values(values) => values.push(value),
            List::Text(text) => {
                if text.len() > 1 {
                    text.push(b',');
                }
                write(value, text)?;
            }
        }
        Ok(())
    }

    fn end(self) -> Value {
        match self {
            List::Values(values) => Value::List(values),
            List::Text(mut text) => {
                text.push(b']');
                let text = Value::Binary(text.into());
                Value::Object(IndexMap::from_iter([(Name::new(WRITTEN), text)]))
            }
        }
    }
}

/// The JSON of an answer, as `serde_json` writes it.
///
/// # Errors
///
/// That a value cannot be JSON, as no value of this schema is.
pub fn json(answer: Response) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = b"{\"data\":".to_vec();
    write(answer.data, &mut text)?;
    if !answer.extensions.is_empty() {
        text.extend_from_slice(b",\"extensions\":");
        serde_json::to_writer(&mut text, &answer.extensions)?;
    }
    if !answer.errors.is_empty() {
        text.extend_from_slice(b",\"errors\":");
        serde_json::to_writer(&mut text, &answer.errors)?;
    }
    text.push(b'}');
    Ok(text)
}

/// Writes a value and lets go of it.
fn write(value: Value, into: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    match value {
        Value::Object(map) => {
            into.push(b'{');
            for (position, (name, value)) in map.into_iter().enumerate() {
                match value {
                    Value::Binary(text) if name == WRITTEN => {
                        into.pop();
                        let mut text = Vec::from(text);
                        if text.len() > into.len() {
                            // What is longer stays where it is: there is not twice its room.
                            text.splice(..0, into.drain(..));
                            *into = text;
                        } else {
                            into.append(&mut text);
                        }
                        return Ok(());
                    }
                    value => {
                        if position > 0 {
                            into.push(b',');
                        }
                        serde_json::to_writer(&mut *into, name.as_str())?;
                        into.push(b':');
                        write(value, into)?;
                    }
                }
            }
            into.push(b'}');
            Ok(())
        }
        Value::List(values) => {
            into.push(b'[');
            for (position, value) in values.into_iter().enumerate() {
                if position > 0 {
                    into.push(b',');
                }
                write(value, into)?;
            }
            into.push(b']');
            Ok(())
        }
        value @ (Value::Null
        | Value::Number(_)
        | Value::String(_)
        | Value::Boolean(_)
        | Value::Enum(_)
        | Value::Binary(_)) => serde_json::to_writer(into, &value),
    }
}
