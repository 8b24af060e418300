//! A file of users to add, `username[,password,groups]`: read whole and checked, before anything is done.

use std::collections::{BTreeMap, BTreeSet};

use super::csv;
use super::settings::Settings;
use super::{Newcomer, check_password, parse_group};
use crate::error::Failure;
use crate::secrets::Secret;
use crate::spec::model::{Group, Spec};
use crate::spec::names::UserName;
use crate::spec::problem::Problem;

/// The columns there may be.
const COLUMNS: [&str; 3] = ["username", "password", "groups"];

/// Who is to be added, out of a file without a fault.
#[derive(Debug)]
pub struct Roll {
    /// Those who are no users yet, in the order of the file.
    pub new: Vec<Newcomer>,
    /// Those who are users already and stay as they are.
    pub existing: Vec<UserName>,
}

impl Roll {
    /// Reads a file's bytes; `file` is how messages call it. Users who exist already are passed over where that is asked for.
    ///
    /// # Errors
    /// A usage failure that names every bad line.
    pub fn read(
        file: &str,
        bytes: &[u8],
        spec: &Spec,
        skip_existing: bool,
    ) -> anyhow::Result<Self> {
        let mut reader = Reader {
            file,
            problems: Vec::new(),
        };
        let roll = reader.roll(bytes, spec, skip_existing);
        reader.problems.sort_by_key(|problem| problem.line);
        match reader.problems.as_slice() {
            [] => Ok(roll),
            problems => {
                let message = match problems {
                    [one] => one.to_string(),
                    several => {
                        let lines: String =
                            several.iter().map(|one| format!("\n  {one}")).collect();
                        format!("{} problems in {file}{lines}", several.len())
                    }
                };
                Err(Failure::usage(message)
                    .hint("nobody was added; mend this and run the command again")
                    .into())
            }
        }
    }

    /// Everyone in the file.
    pub fn names(&self) -> BTreeSet<UserName> {
        let new = self.new.iter().map(|newcomer| &newcomer.name);
        new.chain(&self.existing).cloned().collect()
    }
}

struct Reader<'a> {
    file: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(
        &mut self,
        line: impl Into<Option<usize>>,
        key: &str,
        value: Option<&str>,
        reason: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: line.into(),
            key: key.to_owned(),
            value: value.map(|value| format!("{value:?}")),
            reason: reason.into(),
            fix: fix.into(),
        });
    }

    fn roll(&mut self, bytes: &[u8], spec: &Spec, skip_existing: bool) -> Roll {
        let mut roll = Roll {
            new: Vec::new(),
            existing: Vec::new(),
        };
        let mut lines = self.lines(bytes).into_iter();
        let Some((number, heading)) = lines.next() else {
            if self.problems.is_empty() {
                self.problem(
                    None,
                    "",
                    None,
                    "it is empty",
                    "begin it with a line such as username,password,groups",
                );
            }
            return roll;
        };
        let separator = csv::separator(&heading);
        let Some(columns) = self.columns(number, &heading, separator) else {
            return roll;
        };
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut rows = 0;
        for (number, line) in lines {
            rows += 1;
            let Some(newcomer) = self.row(number, &line, separator, &columns, &mut seen) else {
                continue;
            };
            match (spec.users.contains_key(&newcomer.name), skip_existing) {
                (false, _) => roll.new.push(newcomer),
                (true, true) => roll.existing.push(newcomer.name),
                (true, false) => self.problem(
                    number,
                    COLUMNS[0],
                    Some(newcomer.name.as_str()),
                    "there is such a user already",
                    "take the line out, or give --skip-existing",
                ),
            }
        }
        if rows == 0 {
            self.problem(
                None,
                "",
                None,
                "it names nobody",
                "give a line for each user",
            );
        }
        let free = spec.free_slots().take(roll.new.len()).count();
        if free < roll.new.len() {
            self.problem(
                None,
                "",
                None,
                format!(
                    "it has {} new users, and network.pool {} has room for {free} more",
                    roll.new.len(),
                    spec.pool
                ),
                "remove users, or make network.pool in dtaas.yaml larger",
            );
        }
        roll
    }

    /// The lines that hold something, each with its number from 1.
    fn lines(&mut self, bytes: &[u8]) -> Vec<(usize, String)> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            self.problem(None, "", None, "it is UTF-16", "save it as CSV in UTF-8");
            return Vec::new();
        }
        let mut lines = Vec::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match std::str::from_utf8(line) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => lines.push((index + 1, text.to_owned())),
                Err(_) => self.problem(
                    index + 1,
                    "",
                    None,
                    "it is not UTF-8",
                    "save the file as CSV in UTF-8",
                ),
            }
        }
        lines
    }

    /// Which column each field of a line is of.
    fn columns(
        &mut self,
        number: usize,
        heading: &str,
        separator: char,
    ) -> Option<Vec<&'static str>> {
        let form = "write a heading such as username,password,groups";
        let names = match csv::fields(heading, separator) {
            Ok(names) => names,
            Err(reason) => {
                self.problem(number, "", None, reason, form);
                return None;
            }
        };
        let known = |name: &String| COLUMNS.contains(&name.trim().to_lowercase().as_str());
        if !names.iter().any(known) {
            // It may be a user's line, with the password in it: it is not repeated.
            self.problem(number, "", None, "the first line is no heading", form);
            return None;
        }
        let mut columns: Vec<&'static str> = Vec::new();
        let before = self.problems.len();
        for name in names {
            let name = name.trim().to_lowercase();
            match COLUMNS.iter().find(|known| **known == name) {
                Some(known) if columns.contains(known) => {
                    let reason = format!("there are two columns {known}");
                    self.problem(number, "", None, reason, "leave one");
                }
                Some(known) => columns.push(known),
                None => {
                    let reason = format!("there is no column {name:?}");
                    self.problem(number, "", None, reason, form);
                }
            }
        }
        if self.problems.len() == before && !columns.contains(&COLUMNS[0]) {
            self.problem(number, "", None, "there is no column username", form);
        }
        (self.problems.len() == before).then_some(columns)
    }

    /// One user; `None` when something is wrong, which is noted then.
    fn row(
        &mut self,
        number: usize,
        line: &str,
        separator: char,
        columns: &[&'static str],
        seen: &mut BTreeMap<String, usize>,
    ) -> Option<Newcomer> {
        let fields = match csv::fields(line, separator) {
            Ok(fields)
                if fields.len() == columns.len() && !(fields.len() == 1 && csv::is_split(line)) =>
            {
                fields
            }
            // What stands behind a separator of another kind may be a password.
            Ok(fields) if fields.len() == columns.len() => {
                let reason = "it has more fields than the heading";
                let fix = "write a heading of as many columns, separated alike";
                self.problem(number, "", None, reason, fix);
                return None;
            }
            Ok(fields) => {
                let reason = format!(
                    "it has {} fields, and the heading has {}",
                    fields.len(),
                    columns.len()
                );
                let fix = "put a field that holds the separator in quotes";
                self.problem(number, "", None, reason, fix);
                return None;
            }
            Err(reason) => {
                self.problem(number, "", None, reason, "write a quote in a field as two");
                return None;
            }
        };
        let before = self.problems.len();
        let field = |column: &str| {
            let at = columns.iter().position(|known| *known == column);
            at.map_or("", |at| fields[at].as_str())
        };
        let name = self.name(number, field(COLUMNS[0]).trim(), seen);
        let given = self.password(number, field(COLUMNS[1]));
        let groups = self.groups(number, field(COLUMNS[2]));
        let name = name.filter(|_| self.problems.len() == before)?;
        Some(Newcomer {
            name,
            groups,
            given,
            settings: Settings::default(),
        })
    }

    fn name(
        &mut self,
        number: usize,
        text: &str,
        seen: &mut BTreeMap<String, usize>,
    ) -> Option<UserName> {
        // Names that differ only in case count as one: whoever wrote both is told so as well.
        if let Some(earlier) = seen.get(&text.to_lowercase()) {
            let reason = format!("line {earlier} names the same");
            self.problem(number, COLUMNS[0], Some(text), reason, "take one out");
        } else {
            seen.insert(text.to_lowercase(), number);
        }
        match text.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                let error: crate::spec::names::NameError = error;
                self.problem(
                    number,
                    COLUMNS[0],
                    Some(text),
                    error.rule,
                    "give another name",
                );
                None
            }
        }
    }

    /// A password, unless the field is empty. It is not shown in what is said of it.
    fn password(&mut self, number: usize, text: &str) -> Option<Secret> {
        if text.is_empty() {
            return None;
        }
        let password = Secret::new(text);
        if let Err(error) = check_password(&password) {
            let reason = format!("the password is refused: {error}");
            let fix = "give another, or leave it empty to have one made";
            self.problem(number, COLUMNS[1], None, reason, fix);
        }
        Some(password)
    }

    fn groups(&mut self, number: usize, text: &str) -> Vec<Group> {
        let mut groups = Vec::new();
        let words = text.split(|letter: char| letter.is_whitespace() || "|,".contains(letter));
        for word in words.filter(|word| !word.is_empty()) {
            match parse_group(word) {
                Ok(group) if groups.contains(&group) => {}
                Ok(group) => groups.push(group),
                Err(_) => self.problem(
                    number,
                    COLUMNS[2],
                    Some(word),
                    "there is no such group",
                    "write publishers, admins, or both with | between",
                ),
            }
        }
        groups
    }
}
