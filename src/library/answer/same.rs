//! Both ways of answering give the same answer, whatever is asked.

use std::fmt::Write;

use proptest::prelude::*;
use serde_json::json;

use super::super::contain::Root;
use super::super::local::Local;
use super::super::room::Room;
use super::super::whose::Whose;
use super::*;

/// Types, each with its fields and what they hold; nothing is text or a name.
const FIELDS: &[(&str, &[(&str, &str)])] = &[
    ("Project", &[("repository", "Repository")]),
    (
        "Repository",
        &[("tree", "Tree"), ("blobs", "RepositoryBlobConnection")],
    ),
    (
        "Tree",
        &[("blobs", "BlobConnection"), ("trees", "TreeConnection")],
    ),
    ("BlobConnection", &[("edges", "BlobEdge")]),
    ("BlobEdge", &[("node", "Blob")]),
    ("Blob", &[("name", ""), ("type", "")]),
    ("TreeConnection", &[("edges", "TreeEdge")]),
    ("TreeEdge", &[("node", "TreeEntry")]),
    ("TreeEntry", &[("type", ""), ("name", "")]),
    ("RepositoryBlobConnection", &[("nodes", "RepositoryBlob")]),
    (
        "RepositoryBlob",
        &[("rawBlob", ""), ("name", ""), ("rawTextBlob", "")],
    ),
];
/// What is there and what is not.
const PATHS: &[&str] = &[
    "alice",
    "alice/README.md",
    "alice/models",
    "alice/none",
    "alice/README.md/x",
    "alice/binary",
    "alice/up",
    "common",
    "bob",
    "",
    "..",
    "alice/models/a \\\"b\\\"\\n.txt",
];

/// Writes a question, led by numbers: where they end, it is the simplest that goes on.
struct Author {
    numbers: std::vec::IntoIter<u8>,
    fragments: Vec<(&'static str, String)>,
    variables: Vec<&'static str>,
}

impl Author {
    fn one_of(&mut self, choices: usize) -> usize {
        usize::from(self.numbers.next().unwrap_or(0)) % choices
    }

    fn variable(&mut self, declared: &'static str) -> &'static str {
        if !self.variables.contains(&declared) {
            self.variables.push(declared);
        }
        declared.split(':').next().unwrap()
    }

    fn directive(&mut self) -> String {
        let condition = match self.one_of(8) {
            1 => "true",
            2 => "false",
            3 => self.variable("$yes: Boolean!"),
            4 => self.variable("$no: Boolean!"),
            5 => self.variable("$unsaid: Boolean = true"),
            _ => return String::new(),
        };
        let name = if self.one_of(2) == 0 {
            "include"
        } else {
            "skip"
        };
        format!(" @{name}(if: {condition})")
    }

    fn alias(&mut self) -> &'static str {
        ["", "", "", "a: ", "b: ", "name: "][self.one_of(6)]
    }

    /// Fields of a type. One at least is asked for always: async-graphql has null for an object of which nothing is.
    fn fields(&mut self, kind: &'static str, depth: usize) -> String {
        let (_, fields) = FIELDS.iter().find(|(name, _)| *name == kind).unwrap();
        let mut text = String::from("{ ");
        for number in 0..=self.one_of(4) {
            let certain = number == 0;
            match self.one_of(if certain || depth > 12 { 5 } else { 8 }) {
                0..4 => {
                    let (name, inner) = fields[self.one_of(fields.len())];
                    let alias = if certain { "" } else { self.alias() };
                    let directive = if certain {
                        String::new()
                    } else {
                        self.directive()
                    };
                    write!(text, "{alias}{name}{directive} ").unwrap();
                    if !inner.is_empty() {
                        text.push_str(&self.fields(inner, depth + 1));
                    }
                }
                4 => write!(text, "{}__typename ", if certain { "" } else { "t: " }).unwrap(),
                5 => {
                    let condition = if self.one_of(2) == 0 {
                        format!("on {kind}")
                    } else {
                        String::new()
                    };
                    let directive = self.directive();
                    let inner = self.fields(kind, depth + 1);
                    write!(text, "... {condition}{directive} {inner}").unwrap();
                }
                _ => {
                    let directive = self.directive();
                    let name = self.fragment(kind, depth);
                    write!(text, "...{name}{directive} ").unwrap();
                }
            }
        }
        text.push_str("} ");
        text
    }

    /// A fragment on a type: one that is there, or a new one.
    fn fragment(&mut self, kind: &'static str, depth: usize) -> String {
        let known = self.fragments.iter().position(|(on, _)| *on == kind);
        if let Some(number) = known
            && self.one_of(2) == 0
        {
            return format!("F{number}");
        }
        let fields = self.fields(kind, depth + 1);
        self.fragments.push((kind, fields));
        format!("F{}", self.fragments.len() - 1)
    }

    /// `inside` counts those in fragments, which have a name of their own each: async-graphql does not see that two of one name there
    /// differ, and has the answer to either.
    fn root(&mut self, inside: Option<usize>) -> String {
        let name = ["listDirectory", "readFile"][self.one_of(2)];
        let path = match self.one_of(4) {
            1 => self.variable("$path: String!").to_owned(),
            2 => self
                .variable("$file: String = \"alice/README.md\"")
                .to_owned(),
            _ => format!("\"{}\"", PATHS[self.one_of(PATHS.len())]),
        };
        let alias = ["", "one: ", "two: "][self.one_of(3)].to_owned();
        let alias = inside.map_or(alias, |number| format!("inside{number}: "));
        format!("{alias}{name}(path: {path}) {}", self.fields("Project", 0))
    }

    fn question(numbers: Vec<u8>) -> String {
        let mut author = Self {
            numbers: numbers.into_iter(),
            fragments: Vec::new(),
            variables: Vec::new(),
        };
        let mut top = String::new();
        for number in 0..=author.one_of(3) {
            match author.one_of(if number == 0 { 4 } else { 8 }) {
                5 => top.push_str("__typename "),
                6 => {
                    let directive = author.directive();
                    let root = author.root(Some(number));
                    write!(top, "... on Query{directive} {{ {root} }} ").unwrap();
                }
                _ => top.push_str(&author.root(None)),
            }
        }
        let mut text = String::from("query");
        if !author.variables.is_empty() {
            write!(text, " ({})", author.variables.join(", ")).unwrap();
        }
        write!(text, " {{ {top}}}").unwrap();
        for (number, (kind, fields)) in author.fragments.iter().enumerate() {
            write!(text, " fragment F{number} on {kind} {fields}").unwrap();
        }
        text
    }
}

/// What an answer says. The order of what the validation finds depends on a hash map's.
fn said(answer: Answer) -> (Option<String>, String) {
    let told = match answer.told {
        Told::Json(json, error) => {
            let code = error.map(|error| serde_json::to_string(&error).unwrap());
            format!("{} {code:?}", String::from_utf8(json).unwrap())
        }
        Told::WantsPost => "wants POST".to_owned(),
        Told::FromElsewhere => "from elsewhere".to_owned(),
        Told::Wrong(errors) => {
            let mut errors: Vec<_> = errors
                .iter()
                .map(|error| serde_json::to_string(error).unwrap())
                .collect();
            errors.sort();
            errors.join("\n")
        }
    };
    (answer.summary, told)
}

/// By which of the two ways a question is answered.
#[derive(Clone, Copy)]
enum Way {
    Direct,
    Schema,
}

struct Library {
    _directory: tempfile::TempDir,
    direct: Answers,
    schema: Answers,
    runtime: tokio::runtime::Runtime,
}

impl Library {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |path: &str| directory.path().join(path);
        for folder in ["alice/models", "alice/data", "bob", "common/tools"] {
            std::fs::create_dir_all(path(folder)).unwrap();
        }
        std::fs::write(
            path("alice/README.md"),
            "\u{feff}# \"alice\"\n\u{1}é\u{2028}x\n",
        )
        .unwrap();
        std::fs::write(path("alice/models/a \"b\"\n.txt"), "k = 1").unwrap();
        std::fs::write(path("alice/models/é"), "").unwrap();
        std::fs::write(path("alice/binary"), b"\x00\xff").unwrap();
        std::fs::write(path("common/x"), "x").unwrap();
        std::os::unix::fs::symlink("../bob", path("alice/up")).unwrap();
        let source: Arc<dyn Source> = Arc::new(Local::new(Root::new(directory.path()), 1 << 20));
        Self {
            _directory: directory,
            direct: Answers::new(source.clone()),
            schema: Answers {
                plans: false,
                ..Answers::new(source)
            },
            runtime: tokio::runtime::Runtime::new().unwrap(),
        }
    }

    fn ask(
        &self,
        way: Way,
        text: &str,
        variables: &serde_json::Value,
        limit: u64,
    ) -> (Option<String>, String) {
        let asked = Asked {
            text: text.to_owned(),
            operation: None,
            variables: Variables::from_json(variables.clone()),
            may_change: MayChange::Yes,
        };
        let alice = Viewer::User {
            name: "alice".parse().unwrap(),
            publisher: false,
        };
        let allowance = Arc::new(Allowance::new(limit, Room::new(1 << 30), Whose::SERVER));
        let answers = match way {
            Way::Direct => &self.direct,
            Way::Schema => &self.schema,
        };
        let answer = answers.answer(&alice, &allowance, asked);
        said(self.runtime.block_on(answer))
    }

    fn direct(&self, text: &str, variables: serde_json::Value) -> String {
        self.ask(Way::Direct, text, &variables, 1 << 20).1
    }
}

fn is_planned(text: &str, variables: &serde_json::Value) -> bool {
    let document = question::parse(text).unwrap();
    let chosen = question::choose(&document, None).unwrap();
    let mut variables = Variables::from_json(variables.clone());
    question::fill_in(&chosen.node, &mut variables);
    plan(&document, &chosen.node, Some(&variables)).is_ok()
}

#[test]
fn both_ways_give_the_same_answer() {
    let library = Library::new();
    let numbers = prop::collection::vec(any::<u8>(), 0..80);
    let path = prop::sample::select(PATHS);
    let limit = prop::sample::select(vec![40_u64, 300, 1 << 20]);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(600)
    });
    let (planned, answered) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let outcome = runner.run(&(numbers, path, limit), |(numbers, path, limit)| {
        let text = Author::question(numbers);
        let variables = json!({"path": path, "yes": true, "no": false});
        let direct = library.ask(Way::Direct, &text, &variables, limit);
        let schema = library.ask(Way::Schema, &text, &variables, limit);
        prop_assert_eq!(&direct, &schema, "{}", text);
        planned.set(planned.get() + u32::from(is_planned(&text, &variables)));
        answered.set(answered.get() + u32::from(direct.1.starts_with("{\"data\":{")));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // About half of them are of the kind that this is about, and many have an answer. By chance it is less, now and then.
    assert!(planned.get() > 200, "{planned:?} of 600 had a plan");
    assert!(answered.get() > 80, "{answered:?} of 600 had an answer");
}

#[test]
fn fields_come_in_the_order_in_which_they_are_asked_for() {
    let library = Library::new();
    let text = "{ listDirectory(path: \"alice/data\") { __typename }
        kind: __typename
        ... on Query { readFile(path: \"common/x\") { repository { blobs { nodes { rawBlob } } } } }
        listDirectory(path: \"alice/data\") { repository { tree { trees { edges { node { name } } } } } } }";
    let expected = r#"{"data":{"listDirectory":{"__typename":"Project","repository":{"tree":{"trees":{"edges":[]}}}},"kind":"Query","readFile":{"repository":{"blobs":{"nodes":[{"rawBlob":"x"}]}}}}} None"#;
    for way in [Way::Direct, Way::Schema] {
        assert_eq!(library.ask(way, text, &json!({}), 1 << 20).1, expected);
    }
}

#[test]
fn a_field_that_fails_leaves_no_data_as_none_at_the_top_may_be_null() {
    let library = Library::new();
    let text = "{ a: readFile(path: \"common/x\") { __typename } b: readFile(path: \"none\") { __typename }
        c: listDirectory(path: \"..\") { __typename } }";
    let error = r#"{"message":"\"none\" is not in the library","locations":[{"line":1,"column":48}],"path":["b"],"extensions":{"code":"NOT_FOUND"}}"#;
    let expected = format!("{{\"data\":null,\"errors\":[{error}]}} Some({error:?})");
    for way in [Way::Direct, Way::Schema] {
        assert_eq!(library.ask(way, text, &json!({}), 1 << 20).1, expected);
    }
}

#[test]
fn an_object_of_which_nothing_is_asked_for_is_empty() {
    let library = Library::new();
    let text = "query($no: Boolean = false) { listDirectory(path: \"\") { repository @include(if: $no) { __typename } } }";
    assert_eq!(
        library.direct(text, json!({})),
        r#"{"data":{"listDirectory":{}}} None"#
    );
    let text = "{ __typename @skip(if: true) }";
    for way in [Way::Direct, Way::Schema] {
        let said = library.ask(way, text, &json!({}), 1 << 20).1;
        assert_eq!(said, r#"{"data":{}} None"#);
    }
}

#[test]
fn a_variable_that_is_null_is_told_by_the_validation() {
    let library = Library::new();
    let text = "query($path: String = \"\") { listDirectory(path: $path) { __typename } }";
    let said = library.direct(text, json!({}));
    assert_eq!(
        said,
        r#"{"data":{"listDirectory":{"__typename":"Project"}}} None"#
    );
    // Known by now, and still looked at.
    let said = library.direct(text, json!({"path": null}));
    assert!(
        said.contains("Invalid value for argument \\\"path\\\""),
        "{said}"
    );
    assert!(said.contains("GRAPHQL_VALIDATION_FAILED"), "{said}");
}
