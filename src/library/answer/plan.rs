//! What an operation of v0.2's fields comes to: what to list or read, and the JSON around the names and texts, written
//! out beforehand. Fragments are gone, and fields that are asked for twice are one, as the GraphQL specification has
//! it (October 2021, 6.3.2 CollectFields). An operation with anything else in it has no plan.

use std::collections::HashMap;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType,
    Selection, SelectionSet,
};
use async_graphql::{Name, Pos, Positioned, Value, Variables};
use async_graphql_value::Value as InputValue;

use super::super::schema::{NAMING_FIELDS, TEXT_FIELDS};
use super::kind::{Content, Kind};

/// An operation, ready to be answered. It is valid: the schema was asked before.
#[derive(Debug)]
pub struct Plan {
    /// The fields at the top, in the order of the answer.
    pub roots: Vec<Root>,
}

/// A field at the top, and the JSON of it.
#[derive(Debug)]
pub enum Root {
    /// `"key":"Query"`.
    Fixed(String),
    /// A directory or a file.
    Asked(Asked),
}

/// A directory to list or a file to read.
#[derive(Debug)]
pub struct Asked {
    /// What the answer calls it.
    pub key: String,
    /// Which of the two.
    pub question: Question,
    /// Which directory or file.
    pub path: Path,
    /// Where it is asked for; more than once where fields were merged.
    pub places: Vec<Occurrence>,
    /// `"key":{…}`.
    pub pieces: Vec<Piece>,
}

/// A field in the text of the question.
#[derive(Debug)]
pub struct Occurrence {
    /// Where it stands.
    pub at: Pos,
    /// How often the names or the text are asked for below it.
    pub times: u64,
}

/// What is asked of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// `listDirectory`.
    List,
    /// `readFile`.
    Read,
}

/// The argument `path`.
#[derive(Debug, PartialEq, Eq)]
pub enum Path {
    /// It stands in the text.
    Fixed(String),
    /// It is given along with it.
    Variable(Name),
}

/// A part of the answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// JSON as it is.
    Fixed(String),
    /// An array of the directories, or of everything else; each is these pieces.
    Each(Entry, Vec<Piece>),
    /// The name of the entry, or of the file.
    Name,
    /// The file's text.
    Text,
}

/// Which entries of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Directories.
    Tree,
    /// Everything else.
    Blob,
}

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// What is asked for depends on variables.
    Varies,
    /// Something else than v0.2's fields is asked for, or in an uncommon way.
    Foreign,
}

/// Plans an operation. Without variables the plan holds for whatever is given in them.
///
/// # Errors
///
/// Why there is none.
pub fn plan(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: Option<&Variables>,
) -> Result<Plan, Obstacle> {
    if operation.ty != OperationType::Query || !operation.directives.is_empty() {
        return Err(Obstacle::Foreign);
    }
    let planner = Planner {
        fragments: &document.fragments,
        variables,
    };
    let mut roots = Vec::new();
    for merged in planner.collect(&[&operation.selection_set.node], Kind::Query)? {
        roots.push(planner.root(&merged)?);
    }
    Ok(Plan { roots })
}

struct Planner<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    variables: Option<&'a Variables>,
}

/// Fields with one key in the answer.
struct Merged<'a> {
    key: &'a str,
    first: &'a Field,
    fields: Vec<&'a Positioned<Field>>,
}

impl Merged<'_> {
    fn name(&self) -> &str {
        &self.first.name.node
    }

    fn selections(&self) -> Vec<&SelectionSet> {
        let sets = self
            .fields
            .iter()
            .map(|field| &field.node.selection_set.node);
        sets.collect()
    }
}

impl<'a> Planner<'a> {
    fn root(&self, merged: &Merged<'a>) -> Result<Root, Obstacle> {
        let key = merged.key.to_owned();
        let (question, counted) = match merged.name() {
            "__typename" => {
                let name = Kind::Query.name();
                return Ok(Root::Fixed(format!("\"{key}\":\"{name}\"")));
            }
            "listDirectory" => (Question::List, NAMING_FIELDS),
            "readFile" => (Question::Read, TEXT_FIELDS),
            _ => return Err(Obstacle::Foreign),
        };
        let path = match merged.first.arguments.as_slice() {
            [(name, value)] if name.node == "path" => match &value.node {
                InputValue::String(path) => Path::Fixed(path.clone()),
                InputValue::Variable(name) => Path::Variable(name.clone()),
                _ => return Err(Obstacle::Foreign),
            },
            _ => return Err(Obstacle::Foreign),
        };
        let mut places = Vec::with_capacity(merged.fields.len());
        for field in &merged.fields {
            places.push(Occurrence {
                at: field.pos,
                times: self.count(&field.node.selection_set.node, counted)?,
            });
        }
        // What is known of a file without its text is known to the schema.
        if question == Question::Read && places.iter().any(|place| place.times == 0) {
            return Err(Obstacle::Foreign);
        }
        let mut writer = Writer::new(question);
        writer.fixed(&format!("\"{key}\":"));
        self.object(&merged.selections(), Kind::Project, &mut writer)?;
        Ok(Root::Asked(Asked {
            key,
            question,
            path,
            places,
            pieces: writer.pieces,
        }))
    }

    fn object(
        &self,
        sets: &[&'a SelectionSet],
        kind: Kind,
        writer: &mut Writer,
    ) -> Result<(), Obstacle> {
        writer.fixed("{");
        for (number, merged) in self.collect(sets, kind)?.iter().enumerate() {
            if number > 0 {
                writer.fixed(",");
            }
            writer.fixed(&format!("\"{}\":", merged.key));
            if merged.name() == "__typename" {
                writer.fixed(&format!("\"{}\"", kind.name()));
                continue;
            }
            if !merged.first.arguments.is_empty() {
                return Err(Obstacle::Foreign);
            }
            let content = kind.field(merged.name(), writer.question);
            let sets = merged.selections();
            match content.ok_or(Obstacle::Foreign)? {
                Content::Fixed(json) => writer.fixed(json),
                Content::Name => writer.pieces.push(Piece::Name),
                Content::Text => writer.pieces.push(Piece::Text),
                Content::Object(inner) => self.object(&sets, inner, writer)?,
                // What is below must be looked at all the same.
                Content::Null(inner) => {
                    self.object(&sets, inner, &mut Writer::new(writer.question))?;
                    writer.fixed("null");
                }
                Content::One(inner) => {
                    writer.fixed("[");
                    self.object(&sets, inner, writer)?;
                    writer.fixed("]");
                }
                Content::Each(entry, inner) => {
                    let mut each = Writer::new(writer.question);
                    self.object(&sets, inner, &mut each)?;
                    writer.pieces.push(Piece::Each(entry, each.pieces));
                }
            }
        }
        writer.fixed("}");
        Ok(())
    }

    /// The fields of an object, in the order in which they are first asked for.
    fn collect(&self, sets: &[&'a SelectionSet], kind: Kind) -> Result<Vec<Merged<'a>>, Obstacle> {
        let mut found = Collected::default();
        for set in sets {
            self.collect_from(set, kind, &mut found)?;
        }
        Ok(found.merged)
    }

    fn collect_from(
        &self,
        set: &'a SelectionSet,
        kind: Kind,
        found: &mut Collected<'a>,
    ) -> Result<(), Obstacle> {
        for item in &set.items {
            if !self.is_wanted(item.node.directives())? {
                continue;
            }
            match &item.node {
                Selection::Field(field) => found.add(field)?,
                Selection::FragmentSpread(spread) => {
                    let fragment = self.fragment(&spread.node.fragment_name.node)?;
                    if fragment.type_condition.node.on.node != kind.name() {
                        return Err(Obstacle::Foreign);
                    }
                    self.collect_from(&fragment.selection_set.node, kind, found)?;
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    if condition.is_some_and(|on| on.node.on.node != kind.name()) {
                        return Err(Obstacle::Foreign);
                    }
                    self.collect_from(&inline.node.selection_set.node, kind, found)?;
                }
            }
        }
        Ok(())
    }

    /// How often fields of these names are asked for, merged ones counted each.
    fn count(&self, set: &'a SelectionSet, names: &[&str]) -> Result<u64, Obstacle> {
        let mut times = 0;
        for item in &set.items {
            if !self.is_wanted(item.node.directives())? {
                continue;
            }
            times += match &item.node {
                Selection::Field(field) => {
                    let counted = names.contains(&field.node.name.node.as_str());
                    u64::from(counted) + self.count(&field.node.selection_set.node, names)?
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = self.fragment(&spread.node.fragment_name.node)?;
                    self.count(&fragment.selection_set.node, names)?
                }
                Selection::InlineFragment(inline) => {
                    self.count(&inline.node.selection_set.node, names)?
                }
            };
        }
        Ok(times)
    }

    fn fragment(&self, name: &Name) -> Result<&'a FragmentDefinition, Obstacle> {
        match self.fragments.get(name) {
            Some(fragment) if fragment.node.directives.is_empty() => Ok(&fragment.node),
            Some(_) | None => Err(Obstacle::Foreign),
        }
    }

    /// What `@skip` and `@include` say.
    fn is_wanted(&self, directives: &[Positioned<Directive>]) -> Result<bool, Obstacle> {
        for directive in directives {
            let wanted = match directive.node.name.node.as_str() {
                "include" => true,
                "skip" => false,
                _ => return Err(Obstacle::Foreign),
            };
            let condition = directive.node.get_argument("if");
            let holds = match condition.map(|condition| &condition.node) {
                Some(InputValue::Boolean(holds)) => *holds,
                Some(InputValue::Variable(name)) => {
                    match self.variables.ok_or(Obstacle::Varies)?.get(name) {
                        Some(Value::Boolean(holds)) => *holds,
                        Some(_) | None => return Err(Obstacle::Foreign),
                    }
                }
                Some(_) | None => return Err(Obstacle::Foreign),
            };
            if holds != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[derive(Default)]
struct Collected<'a> {
    merged: Vec<Merged<'a>>,
    by_key: HashMap<&'a str, usize>,
}

impl<'a> Collected<'a> {
    fn add(&mut self, field: &'a Positioned<Field>) -> Result<(), Obstacle> {
        let key = field.node.response_key().node.as_str();
        let next = self.merged.len();
        let at = *self.by_key.entry(key).or_insert(next);
        if at == next {
            self.merged.push(Merged {
                key,
                first: &field.node,
                fields: vec![field],
            });
            return Ok(());
        }
        let merged = &mut self.merged[at];
        // The validation does not see conflicts between fragments.
        if !is_same(merged.first, &field.node) {
            return Err(Obstacle::Foreign);
        }
        merged.fields.push(field);
        Ok(())
    }
}

/// Whether two fields ask for the same.
fn is_same(one: &Field, other: &Field) -> bool {
    one.name.node == other.name.node
        && one.arguments.len() == other.arguments.len()
        && one.arguments.iter().all(|(name, value)| {
            let found = other.get_argument(&name.node);
            found.is_some_and(|found| found.node == value.node)
        })
}

/// Puts fixed pieces together.
struct Writer {
    question: Question,
    pieces: Vec<Piece>,
}

impl Writer {
    fn new(question: Question) -> Self {
        Self {
            question,
            pieces: Vec::new(),
        }
    }

    fn fixed(&mut self, json: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Fixed(before)) => before.push_str(json),
            Some(Piece::Each(..) | Piece::Name | Piece::Text) | None => {
                self.pieces.push(Piece::Fixed(json.to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn planned(text: &str, variables: Option<serde_json::Value>) -> Result<Plan, Obstacle> {
        let document = async_graphql::parser::parse_query(text).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let variables = variables.map(Variables::from_json);
        plan(&document, &operation.node, variables.as_ref())
    }

    /// The pieces of the only root, in short.
    fn pieces(text: &str) -> String {
        fn short(pieces: &[Piece]) -> String {
            let short = |piece: &Piece| match piece {
                Piece::Fixed(json) => json.clone(),
                Piece::Each(entry, each) => format!("<{entry:?}: {}>", short(each)),
                Piece::Name => "NAME".to_owned(),
                Piece::Text => "TEXT".to_owned(),
            };
            pieces.iter().map(short).collect()
        }
        match planned(text, None).unwrap().roots.as_slice() {
            [Root::Asked(asked)] => short(&asked.pieces),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_documented_questions_are_written_out() {
        let list = "query { listDirectory(path: \"user1\") { repository { tree {
            blobs { edges { node { name type } } } trees { edges { node { name type } } } } } } }";
        assert_eq!(
            pieces(list),
            r#""listDirectory":{"repository":{"tree":{"blobs":{"edges":<Blob: {"node":{"name":NAME,"type":"blob"}}>},"trees":{"edges":<Tree: {"node":{"name":NAME,"type":"tree"}}>}}}}"#
        );
        let read = "query { readFile(path: \"user1/x\") { repository { blobs { nodes { name rawBlob rawTextBlob } } } } }";
        assert_eq!(
            pieces(read),
            r#""readFile":{"repository":{"blobs":{"nodes":[{"name":NAME,"rawBlob":TEXT,"rawTextBlob":TEXT}]}}}"#
        );
    }

    #[test]
    fn fields_of_one_key_are_one_and_counted_each() {
        let text = "{ a: readFile(path: \"x\") { repository { blobs { nodes { rawBlob } } tree { __typename } } }
            ...F } fragment F on Query { a: readFile(path: \"x\") { ... on Project { repository { kind: __typename blobs {
            nodes { rawBlob rawTextBlob } } } } } }";
        assert_eq!(
            pieces(text),
            r#""a":{"repository":{"blobs":{"nodes":[{"rawBlob":TEXT,"rawTextBlob":TEXT}]},"tree":null,"kind":"Repository"}}"#
        );
        let plan = planned(text, None).unwrap();
        let [Root::Asked(asked)] = plan.roots.as_slice() else {
            panic!("{plan:?}");
        };
        let counted: Vec<_> = asked.places.iter().map(|place| place.times).collect();
        assert_eq!(counted, [1, 2]);
    }

    #[test]
    fn what_else_is_asked_for_has_no_plan() {
        for (text, obstacle) in [
            ("{ __schema { __typename } }", Obstacle::Foreign),
            ("mutation { x }", Obstacle::Foreign),
            ("{ readFile(path: \"x\") { size } }", Obstacle::Foreign),
            ("{ readFile(path: null) { __typename } }", Obstacle::Foreign),
            (
                "{ readFile(path: \"x\") { repository(n: 1) { __typename } } }",
                Obstacle::Foreign,
            ),
            (
                "{ readFile(path: \"x\") { repository { tree { new } } } }",
                Obstacle::Foreign,
            ),
            (
                "{ readFile(path: \"x\") { __typename @other } }",
                Obstacle::Foreign,
            ),
            (
                "{ readFile(path: \"x\") { ... on Tree { __typename } } }",
                Obstacle::Foreign,
            ),
            (
                "{ a: readFile(path: \"x\") { __typename } ... on Query { a: readFile(path: \"y\") { __typename } } }",
                Obstacle::Foreign,
            ),
            (
                "query($a: Boolean!) { __typename @skip(if: $a) }",
                Obstacle::Varies,
            ),
        ] {
            assert_eq!(planned(text, None).err(), Some(obstacle), "{text}");
        }
        let text = "query($a: Boolean!) { a: __typename @skip(if: $a) b: __typename }";
        let count = |a: serde_json::Value| {
            planned(text, Some(json!({ "a": a }))).map(|plan| plan.roots.len())
        };
        assert_eq!(count(json!(true)).unwrap(), 1);
        assert_eq!(count(json!(false)).unwrap(), 2);
        assert_eq!(count(json!(null)).err(), Some(Obstacle::Foreign));
    }
}
