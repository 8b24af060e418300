//! A YAML file read twice: serde_yaml for the values, and saphyr for the lines they stand in once there is something to say of one.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use saphyr::{LoadableYamlNode, MarkedYaml, YamlData};
use serde::de::DeserializeOwned;
use serde_yaml::{Mapping, Value};

use super::problem::{Problem, Problems};

/// A parsed file that collects what is wrong with it while it is read.
pub struct Document {
    file: String,
    text: String,
    root: Value,
    lines: OnceCell<HashMap<String, usize>>,
    problems: RefCell<Vec<Problem>>,
}

/// A mapping of a [`Document`]; remembers which keys were asked for, so that the rest can be named as unknown.
pub struct Section<'a> {
    document: &'a Document,
    path: String,
    entries: Option<&'a Mapping>,
    known: Vec<&'static str>,
}

impl Document {
    /// Parses `text`; `file` is how messages call it. A syntax error is the only problem then, with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let syntax = |line: Option<usize>, reason: String| {
            Problems(vec![Problem {
                file: file.to_owned(),
                line,
                key: String::new(),
                value: None,
                reason,
                fix: "see the comments that `dtaas init` writes for the form".into(),
            }])
        };
        let root: Value = serde_yaml::from_str(text).map_err(|error| {
            syntax(
                error.location().map(|at| at.line()),
                format!("this is not YAML: {error}"),
            )
        })?;
        match root {
            Value::Mapping(_) | Value::Null => Ok(Self {
                file: file.to_owned(),
                text: text.to_owned(),
                root,
                lines: OnceCell::new(),
                problems: RefCell::default(),
            }),
            _ => Err(syntax(
                Some(1),
                "this is not a list of keys and values".into(),
            )),
        }
    }

    /// The file's outermost mapping.
    pub fn section(&self) -> Section<'_> {
        Section {
            document: self,
            path: String::new(),
            entries: self.root.as_mapping(),
            known: Vec::new(),
        }
    }

    /// The line of a key such as `ports.https`, from 1.
    pub fn line(&self, path: &str) -> Option<usize> {
        let lines = self.lines.get_or_init(|| lines(&self.text));
        lines.get(path).copied()
    }

    /// The line of a key, or of what it is missing in.
    fn nearest_line(&self, path: &str) -> Option<usize> {
        let section = || {
            path.rsplit_once('.')
                .and_then(|(section, _)| self.line(section))
        };
        self.line(path).or_else(section)
    }

    /// Adds a problem at a key.
    pub fn problem(
        &self,
        path: &str,
        value: Option<&Value>,
        reason: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.problems.borrow_mut().push(Problem {
            file: self.file.clone(),
            line: self.nearest_line(path),
            key: path.to_owned(),
            value: value.map(shown),
            reason: reason.into(),
            fix: fix.into(),
        });
    }

    /// What is wrong so far.
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}

impl<'a> Section<'a> {
    fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    /// The value of `key`, or `None` when it is absent or wrong (then the problem is noted). `form` says what to write.
    pub fn get<T: DeserializeOwned>(&mut self, key: &'static str, form: &str) -> Option<T> {
        self.known.push(key);
        let value = self.entries?.get(key)?;
        match serde_yaml::from_value(value.clone()) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.document
                    .problem(&self.path_of(key), Some(value), plainly(&error), form);
                None
            }
        }
    }

    /// Whether the file has this key.
    pub fn has(&self, key: &str) -> bool {
        self.entries
            .is_some_and(|entries| entries.contains_key(key))
    }

    /// The value of a key that must be there.
    pub fn require<T: DeserializeOwned>(&mut self, key: &'static str, form: &str) -> Option<T> {
        if !self.has(key) {
            self.known.push(key);
            self.document
                .problem(&self.path_of(key), None, "this key is missing", form);
            return None;
        }
        self.get(key, form)
    }

    /// The mapping under `key`; an empty one when it is absent.
    pub fn section(&mut self, key: &'static str) -> Section<'a> {
        self.known.push(key);
        let path = self.path_of(key);
        let value = self.entries.and_then(|entries| entries.get(key));
        let entries = match value {
            None | Some(Value::Null) => None,
            Some(Value::Mapping(entries)) => Some(entries),
            Some(other) => {
                self.document.problem(
                    &path,
                    Some(other),
                    "here is a list of keys and values expected",
                    "indent its keys below it",
                );
                None
            }
        };
        Section {
            document: self.document,
            path,
            entries,
            known: Vec::new(),
        }
    }

    /// The mappings of the list under `key`.
    pub fn sections(&mut self, key: &'static str) -> Vec<Section<'a>> {
        self.known.push(key);
        let path = self.path_of(key);
        let Some(value) = self.entries.and_then(|entries| entries.get(key)) else {
            return Vec::new();
        };
        let items = match value {
            Value::Null => return Vec::new(),
            Value::Sequence(items) => items,
            other => {
                self.document.problem(
                    &path,
                    Some(other),
                    "here is a list expected",
                    "begin each entry with '- '",
                );
                return Vec::new();
            }
        };
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                let path = format!("{path}[{index}]");
                let Some(entries) = item.as_mapping() else {
                    self.document.problem(
                        &path,
                        Some(item),
                        "here is a list of keys and values expected",
                        "",
                    );
                    return None;
                };
                Some(Section {
                    document: self.document,
                    path,
                    entries: Some(entries),
                    known: Vec::new(),
                })
            })
            .collect()
    }

    /// Notes a problem with a key of this section.
    pub fn problem(&self, key: &str, reason: impl Into<String>, fix: impl Into<String>) {
        let value = self.entries.and_then(|entries| entries.get(key));
        self.document
            .problem(&self.path_of(key), value, reason, fix);
    }

    /// The mappings in this section, whose keys are names of the operator's own; nothing is left for [`Section::finish`].
    pub fn named_sections(&mut self) -> Vec<(String, Section<'a>)> {
        let mut sections = Vec::new();
        for (key, value) in self.entries.take().into_iter().flatten() {
            let name = key.as_str().map_or_else(|| shown(key), str::to_owned);
            let path = self.path_of(&name);
            match value {
                Value::Mapping(entries) => sections.push((
                    name,
                    Section {
                        document: self.document,
                        path,
                        entries: Some(entries),
                        known: Vec::new(),
                    },
                )),
                other => self.document.problem(
                    &path,
                    Some(other),
                    "here is a list of keys and values expected",
                    "indent its keys below it",
                ),
            }
        }
        sections
    }

    /// Notes each key that nobody asked for, with the nearest known one.
    pub fn finish(self) {
        for (key, _) in self.entries.into_iter().flatten() {
            let name = key.as_str().map_or_else(|| shown(key), str::to_owned);
            if self.known.contains(&name.as_str()) {
                continue;
            }
            self.document.problem(
                &self.path_of(&name),
                None,
                "there is no such key",
                nearest(&name, &self.known),
            );
        }
    }
}

/// How many known words a message lists: all keys of `dtaas.yaml`, not all users.
const LISTED: usize = 16;

/// What to write instead of an unknown word: the nearest known one, or what is known, as much of it as can be read.
pub fn nearest(word: &str, known: &[&str]) -> String {
    let best = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .min();
    match best {
        Some((distance, candidate)) if distance <= 1 + candidate.len() / 3 => {
            format!("did you mean {candidate}?")
        }
        _ if known.len() <= LISTED => format!("known are {}", known.join(", ")),
        _ => format!(
            "known are {} and {} more",
            known[..LISTED].join(", "),
            known.len() - LISTED
        ),
    }
}

/// What serde says, without its words for Rust's types. Our own types' reasons are kept.
fn plainly(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    let jargon = [
        "invalid type: ",
        "invalid value: ",
        "invalid length: ",
        "data did not match any variant",
    ];
    if let Some((_, rest)) = text.split_once("unknown variant `")
        && let Some((word, _)) = rest.split_once("`, expected")
    {
        return format!("there is no {word:?}");
    }
    // What stands before it is where: the name of a variable, the place in a list.
    match jargon.iter().find_map(|word| text.find(word)) {
        Some(at) => format!("{}this cannot stand here", &text[..at]),
        None => text,
    }
}

/// A value as a message shows it: on one line, shortened.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => format!("{text:?}"),
        Value::Null => "empty".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a list of keys and values".to_owned(),
        Value::Tagged(tagged) => tagged.tag.to_string(),
    };
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The line of every key. Both parsers read YAML 1.2; where saphyr refuses what serde_yaml takes, lines are missing and values are not.
fn lines(text: &str) -> HashMap<String, usize> {
    let mut lines = HashMap::new();
    let read = MarkedYaml::load_from_str(text).ok();
    if let Some(node) = read.and_then(|all| all.into_iter().next()) {
        note_lines(&node, "", &mut lines);
    }
    lines
}

fn note_lines(node: &MarkedYaml<'_>, path: &str, lines: &mut HashMap<String, usize>) {
    match &node.data {
        YamlData::Mapping(entries) => {
            for (key, value) in entries {
                let name = match &key.data {
                    YamlData::Value(saphyr::Scalar::String(name)) => name.to_string(),
                    _ => continue,
                };
                let path = match path {
                    "" => name,
                    path => format!("{path}.{name}"),
                };
                lines.insert(path.clone(), key.span.start.line());
                note_lines(value, &path, lines);
            }
        }
        YamlData::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                lines.insert(path.clone(), item.span.start.line());
                note_lines(item, &path, lines);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_gets_the_nearest_or_a_list_that_can_be_read() {
        assert_eq!(nearest("alcie", &["alice", "bob"]), "did you mean alice?");
        assert_eq!(nearest("zebra", &["alice", "bob"]), "known are alice, bob");
        let many: Vec<String> = (0..500).map(|number| format!("u{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(
            nearest("somebody", &many),
            "known are u0, u1, u2, u3, u4, u5, u6, u7, u8, u9, u10, u11, u12, u13, u14, u15 and 484 more"
        );
    }
}
