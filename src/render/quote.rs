//! Quoting for the language that a value stands in, so that no value can break out of it: `{{yaml x}}`, `{{js x}}`, `{{env x}}`, `{{line x}}`.

use std::fmt::Write;

use handlebars::{
    Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason,
};
use serde_json::Value;

/// Registers the quoting helpers.
pub fn register(registry: &mut Handlebars<'_>) {
    helper(registry, "yaml", |text| Ok(yaml(text)));
    helper(registry, "js", |text| Ok(js(text)));
    helper(registry, "env", env);
    helper(registry, "line", line);
}

fn helper(
    registry: &mut Handlebars<'_>,
    name: &'static str,
    quote: fn(&str) -> Result<String, String>,
) {
    let call = move |h: &Helper<'_>,
                     _: &Handlebars<'_>,
                     _: &Context,
                     _: &mut RenderContext<'_, '_>,
                     out: &mut dyn Output|
          -> HelperResult {
        let param = h
            .param(0)
            .ok_or(RenderErrorReason::ParamNotFoundForIndex(name, 0))?;
        let text = match param.value() {
            _ if param.is_value_missing() => {
                return Err(
                    RenderErrorReason::MissingVariable(param.relative_path().cloned()).into(),
                );
            }
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            other @ (Value::Null | Value::Array(_) | Value::Object(_)) => {
                return Err(RenderErrorReason::Other(format!(
                    "{{{{{name}}}}} takes a text or a number, not {other}"
                ))
                .into());
            }
        };
        out.write(&quote(&text).map_err(RenderErrorReason::Other)?)?;
        Ok(())
    };
    registry.register_helper(name, Box::new(call));
}

/// A double-quoted YAML scalar (YAML 1.2, 7.3.1) of printable ASCII.
fn yaml(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '{' | '}' => escape(&mut quoted, "\\x", 2, c as u32),
            ' '..='~' => quoted.push(c),
            '\u{0}'..='\u{ff}' => escape(&mut quoted, "\\x", 2, c as u32),
            '\u{100}'..='\u{ffff}' => escape(&mut quoted, "\\u", 4, c as u32),
            _ => escape(&mut quoted, "\\U", 8, c as u32),
        }
    }
    quoted.push('"');
    quoted
}

/// A single-quoted JavaScript string of printable ASCII that may stand in a script element as well.
fn js(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '<' | '>' | '&' | '{' | '}' => escape(&mut quoted, "\\x", 2, c as u32),
            ' '..='~' => quoted.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    escape(&mut quoted, "\\u", 4, u32::from(*unit));
                }
            }
        }
    }
    quoted.push('\'');
    quoted
}

/// A single-quoted value of a `.env` file, which knows no escapes: what cannot be written there is refused.
fn env(text: &str) -> Result<String, String> {
    match text
        .chars()
        .find(|c| matches!(c, '\'' | '{' | '}') || c.is_control())
    {
        Some(c) => Err(format!(
            "{text:?} cannot stand in a .env file: it holds {c:?}"
        )),
        None => Ok(format!("'{text}'")),
    }
}

/// Text that must stay within its line, such as a comment or an htpasswd entry.
fn line(text: &str) -> Result<String, String> {
    let breaks = |c: char| c.is_control() || matches!(c, '{' | '}' | '\u{2028}' | '\u{2029}');
    match text.chars().find(|c| breaks(*c)) {
        Some(c) => Err(format!("{text:?} cannot stand in one line: it holds {c:?}")),
        None => Ok(text.to_owned()),
    }
}

fn escape(quoted: &mut String, prefix: &str, width: usize, code: u32) {
    // Writing to a String cannot fail.
    let _ = write!(quoted, "{prefix}{code:0width$X}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn usual_values_stay_readable() {
        assert_eq!(yaml("Host(`foo.com`)"), "\"Host(`foo.com`)\"");
        assert_eq!(js("https://foo.com/"), "'https://foo.com/'");
        assert_eq!(env("/srv/my files").unwrap(), "'/srv/my files'");
    }

    #[test]
    fn what_would_break_out_is_escaped_or_refused() {
        assert_eq!(yaml("a\"\n- b: \\"), r#""a\"\x0A- b: \\""#);
        assert_eq!(
            js("'};alert(1)//</script>"),
            r"'\'\x7D;alert(1)//\x3C/script\x3E'"
        );
        assert_eq!(
            env("a'b").unwrap_err(),
            "\"a'b\" cannot stand in a .env file: it holds '\\''"
        );
        assert!(line("alice:x\nmallory:y").is_err());
    }

    /// Reads a JavaScript string literal as ECMA-262 (12.9.4) does, for the escapes that we write.
    fn read_js(literal: &str) -> String {
        let inner = literal
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
            .unwrap();
        let mut units: Vec<u16> = Vec::new();
        let mut rest = inner.chars();
        while let Some(c) = rest.next() {
            assert!(
                (' '..='~').contains(&c) && c != '\'',
                "{c:?} stands bare in {literal}"
            );
            if c != '\\' {
                units.push(c as u16);
                continue;
            }
            let kind = rest.next().unwrap();
            let digits = match kind {
                'x' => 2,
                'u' => 4,
                _ => {
                    units.push(kind as u16);
                    continue;
                }
            };
            let code: String = rest.by_ref().take(digits).collect();
            units.push(u16::from_str_radix(&code, 16).unwrap());
        }
        String::from_utf16(&units).unwrap()
    }

    proptest! {
        #[test]
        fn yaml_reads_back_as_it_was(text in any::<String>()) {
            let document = format!("key: {}\nnext: 1\n", yaml(&text));
            let value: serde_yaml::Value = serde_yaml::from_str(&document).unwrap();
            prop_assert_eq!(value["key"].as_str().unwrap(), text.as_str());
            prop_assert_eq!(value.as_mapping().unwrap().len(), 2);
        }

        #[test]
        fn js_reads_back_as_it_was(text in any::<String>()) {
            prop_assert_eq!(read_js(&js(&text)), text);
        }

        #[test]
        fn env_is_one_line_in_quotes_or_nothing(text in any::<String>()) {
            if let Ok(quoted) = env(&text) {
                prop_assert_eq!(&quoted[1..quoted.len() - 1], text.as_str());
                prop_assert!(!text.contains('\'') && quoted.lines().count() == 1);
            }
        }
    }
}
