//! Changing one key of a file that somebody wrote, and nothing else in it.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde_yaml::{Mapping, Value};

use crate::error::Failure;

/// The same text with another value at a top-level key; every comment, order and blank line stays. A key that is not there is added at the
/// end. `file` is how messages call it.
///
/// # Errors
/// When the text cannot be changed without changing something else as well, such as a value that is an anchor or spans lines.
pub fn set(file: &str, text: &str, key: &str, value: &Value) -> anyhow::Result<String> {
    let by_hand = || {
        Failure::usage(format!(
            "{key} cannot be changed in {file} as it is written there"
        ))
        .hint(format!(
            "change it in an editor, to: {key}: {}",
            inline(value)
        ))
    };
    let before: Mapping = parse(text).ok_or_else(by_hand)?;
    let changed = match value_range(text, key) {
        Some((start, end)) => {
            let written = &text[start..end];
            let kept = written.trim_end().len();
            format!(
                "{}{}{}",
                &text[..start],
                inline(value),
                &text[start + kept..]
            )
        }
        None if before.contains_key(key) => return Err(by_hand().into()),
        None => {
            let gap = match text.is_empty() || text.ends_with('\n') {
                true => "",
                false => "\n",
            };
            format!("{text}{gap}{key}: {}\n", inline(value))
        }
    };
    let mut expected = before;
    expected.insert(Value::from(key), value.clone());
    match parse(&changed) {
        Some(after) if after == expected => Ok(changed),
        Some(_) | None => Err(by_hand().into()),
    }
}

/// The same text without a top-level key; where it is not there, the same text.
///
/// # Errors
/// When the key and its value do not stand on a line of their own.
pub fn remove(file: &str, text: &str, key: &str) -> anyhow::Result<String> {
    let by_hand = || {
        Failure::usage(format!(
            "{key} cannot be removed from {file} as it is written there"
        ))
        .hint(format!("take {key} out in an editor"))
    };
    let mut expected: Mapping = parse(text).ok_or_else(by_hand)?;
    if expected.shift_remove(key).is_none() {
        return Ok(text.to_owned());
    }
    let (start, _) = value_range(text, key).ok_or_else(by_hand)?;
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[start..]
        .find('\n')
        .map_or(text.len(), |at| start + at + 1);
    let changed = format!("{}{}", &text[..line], &text[end..]);
    match parse(&changed) {
        Some(after) if after == expected => Ok(changed),
        Some(_) | None => Err(by_hand().into()),
    }
}

fn parse(text: &str) -> Option<Mapping> {
    match serde_yaml::from_str(text).ok()? {
        Value::Mapping(mapping) => Some(mapping),
        Value::Null => Some(Mapping::new()),
        _ => None,
    }
}

/// A value on one line. JSON is YAML, and both a flow of values and a quoted text stand on one line in it; a plain word stays plain.
fn inline(value: &Value) -> String {
    match value {
        Value::Sequence(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Mapping(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", inline(key), inline(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::String(text) => plain_or_quoted(text),
        scalar => serde_yaml::to_string(scalar)
            .map(|text| text.trim_end().to_owned())
            .unwrap_or_default(),
    }
}

/// A text as it stands, where that is read as the same text also between brackets; else in JSON's quotes, which are YAML's as well.
fn plain_or_quoted(text: &str) -> String {
    let plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-' | '/');
    let stands = text.chars().all(plain)
        && serde_yaml::from_str::<Value>(text).is_ok_and(|read| read == text);
    match stands {
        true => text.to_owned(),
        false => serde_json::Value::from(text).to_string(),
    }
}

/// Where the value of a top-level key stands, in bytes.
fn value_range(text: &str, key: &str) -> Option<(usize, usize)> {
    let all = MarkedYaml::load_from_str(text).ok()?;
    let YamlData::Mapping(entries) = &all.first()?.data else {
        return None;
    };
    let (_, value) = entries.iter().find(
        |(name, _)| matches!(&name.data, YamlData::Value(Scalar::String(name)) if name == key),
    )?;
    let byte = |letters: usize| {
        let mut starts = text.char_indices().map(|(byte, _)| byte);
        starts.nth(letters).unwrap_or(text.len())
    };
    let start = byte(value.span.start.index());
    let end = byte(last(value, text)?);
    (start < end).then_some((start, end))
}

/// Where a node's text ends, in letters. The parser ends a block where the next one begins, comments between them included, and a
/// flow before its closing bracket.
fn last(node: &MarkedYaml<'_>, text: &str) -> Option<usize> {
    let end = node.span.end.index();
    let inner = match &node.data {
        YamlData::Sequence(items) => items.last(),
        YamlData::Mapping(entries) => entries.iter().next_back().map(|(_, value)| value),
        _ => return Some(end),
    };
    match text.chars().nth(end) {
        Some(']' | '}') => Some(end + 1),
        _ => last(inner?, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str, key: &str, value: impl Into<Value>) -> String {
        set("users/alice.yaml", text, key, &value.into()).unwrap()
    }

    #[test]
    fn one_value_changes_and_all_else_stays() {
        let text = "# Ä: whose?\nslot: 3   # do not\n\nenabled: true # for now\ngroups: [publishers] # so far\n";
        assert_eq!(
            changed(text, "enabled", false),
            text.replace("true", "false")
        );
        assert_eq!(
            changed(
                text,
                "groups",
                Value::Sequence(vec!["admins".into(), "publishers".into()])
            ),
            text.replace("[publishers]", "[admins, publishers]")
        );
        assert_eq!(changed(text, "enabled", true), text);
    }

    #[test]
    fn every_way_to_write_a_value_is_replaced_whole() {
        for written in [
            "profile: a\n",
            "profile:   'a b'\n",
            "profile: \"ä\"",
            "profile:\n  a\n",
            "profile: a\r\n",
        ] {
            let after = changed(written, "profile", "two-machine");
            let read: Mapping = parse(&after).unwrap();
            assert_eq!(
                read["profile"],
                Value::from("two-machine"),
                "{written:?} → {after:?}"
            );
        }
        assert_eq!(
            changed("profile: |\n  a\nname: x\n", "name", "y"),
            "profile: |\n  a\nname: y\n"
        );
        assert_eq!(
            changed(
                "limits:\n  cpus: 2\n  memory: 4g\n# whose?\nslot: 1\n",
                "limits",
                serde_yaml::from_str::<Value>("{cpus: 3}").unwrap()
            ),
            "limits:\n  {cpus: 3}\n# whose?\nslot: 1\n"
        );
    }

    #[test]
    fn a_key_goes_with_its_line_alone() {
        let text = "# whose?\nslot: 1\nimage: a/b:1 # for now\nenabled: true\n";
        let without = "# whose?\nslot: 1\nenabled: true\n";
        assert_eq!(remove("users/alice.yaml", text, "image").unwrap(), without);
        assert_eq!(
            remove("users/alice.yaml", without, "image").unwrap(),
            without
        );
        assert!(remove("users/alice.yaml", "image:\n  a\n", "image").is_err());
        assert!(remove("users/alice.yaml", "{slot: 1, image: a}\n", "image").is_err());
    }

    #[test]
    fn a_key_that_is_not_there_comes_last() {
        assert_eq!(
            changed("slot: 1", "enabled", false),
            "slot: 1\nenabled: false\n"
        );
        assert_eq!(
            changed("# nothing\n", "enabled", false),
            "# nothing\nenabled: false\n"
        );
    }

    #[test]
    fn texts_that_mean_something_else_are_quoted() {
        for text in [
            "",
            "true",
            "3",
            "a: b",
            "- x",
            "a # b",
            "./my profile.yaml",
            "ä",
        ] {
            let after = changed("profile: a\n", "profile", text);
            assert_eq!(
                parse(&after).unwrap()["profile"],
                Value::from(text),
                "{after:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_changed_alone_is_refused() {
        for text in [
            "enabled: &x true\nother: *x\n",
            "{enabled: true",
            "- enabled\n",
            "enabled:\n",
        ] {
            let outcome = set("users/alice.yaml", text, "enabled", &false.into());
            if let Ok(after) = outcome {
                panic!("{text:?} became {after:?}");
            }
        }
    }
}
