//! A line of ssh_config(5) in its words.

/// The keyword in lower case, and its values: separated by blanks or one `=`, in double quotes where a blank is meant. `None` for
/// an empty line or a comment.
pub(super) fn words(line: &str) -> Option<(String, Vec<String>)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line
        .find(|c: char| c.is_whitespace() || c == '=' || c == '"')
        .unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    Some((keyword.to_ascii_lowercase(), values(rest)))
}

fn values(rest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = rest.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.peek() {
            None | Some('#') => return found,
            Some(_) => {}
        }
        let mut word = String::new();
        let mut quoted = false;
        while let Some(c) = chars.next_if(|c| quoted || !c.is_whitespace()) {
            match c {
                '"' => quoted = !quoted,
                '\\' => match chars.next_if(|next| matches!(next, '"' | '\\' | '\'')) {
                    Some(escaped) => word.push(escaped),
                    None => word.push('\\'),
                },
                other => word.push(other),
            }
        }
        found.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_keyword_and_its_values() {
        for (line, keyword, found) in [
            ("HostName foo.com", "hostname", vec!["foo.com"]),
            ("  Port=2222", "port", vec!["2222"]),
            ("Port = 2222 # not 22", "port", vec!["2222"]),
            ("Host a b !c", "host", vec!["a", "b", "!c"]),
            (
                "IdentityFile \"~/my keys/a\"",
                "identityfile",
                vec!["~/my keys/a"],
            ),
            (r#"User a\"b"#, "user", vec!["a\"b"]),
        ] {
            let found: Vec<String> = found.into_iter().map(str::to_owned).collect();
            assert_eq!(words(line), Some((keyword.to_owned(), found)));
        }
        assert_eq!(words("# Port 2222"), None);
        assert_eq!(words("   "), None);
    }
}
