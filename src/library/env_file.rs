//! The form of a `.env` file: one `KEY = value` a line, values in single quotes, double quotes or bare.

/// One setting of a `.env` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it stands, counted from 1.
    pub number: usize,
    /// What stands left of the `=`.
    pub key: String,
    /// What stands right of it, without quotes and comment.
    pub value: String,
}

/// A line that is no setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Where it stands, counted from 1.
    pub number: usize,
    /// The line itself.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Reads the settings of a `.env` file, as dotenv does: blanks around `=`, `export` in front, comments on lines of
/// their own, after a quoted value, or after a bare value and a blank.
pub fn parse(text: &str) -> (Vec<Line>, Vec<Broken>) {
    let (mut lines, mut broken) = (Vec::new(), Vec::new());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        match setting(trimmed) {
            Ok((key, value)) => lines.push(Line { number, key, value }),
            Err(reason) => broken.push(Broken {
                number,
                text: trimmed.to_owned(),
                reason,
            }),
        }
    }
    (lines, broken)
}

fn setting(line: &str) -> Result<(String, String), &'static str> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (key, value) = line.split_once('=').ok_or("there is no '=' in it")?;
    let key = key.trim();
    if key.is_empty() {
        return Err("there is no name before the '='");
    }
    Ok((key.to_owned(), value_of(value.trim())?))
}

fn value_of(value: &str) -> Result<String, &'static str> {
    for quote in ['\'', '"'] {
        let Some(rest) = value.strip_prefix(quote) else {
            continue;
        };
        let (inside, after) = rest
            .split_once(quote)
            .ok_or("the closing quote is missing")?;
        let after = after.trim();
        if !after.is_empty() && !after.starts_with('#') {
            return Err("something follows the closing quote");
        }
        return Ok(inside.to_owned());
    }
    if value.starts_with('#') {
        return Ok(String::new());
    }
    let comment = value.find(" #").or_else(|| value.find("\t#"));
    Ok(value[..comment.unwrap_or(value.len())].trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_quotes_or_bare() {
        let (lines, broken) = parse(
            "# the library\n\nPORT='4001'\nMODE = \"local\"  # or gitlab\nLOCAL_PATH =/srv/files # here\n\
             export LOG_LEVEL=debug\nAPOLLO_PATH=''\nTOKEN=\nGITLAB_GROUP='a#b'\nGITLAB_URL=http://x/#y\r\n",
        );
        let read: Vec<_> = lines
            .iter()
            .map(|line| (line.number, line.key.as_str(), line.value.as_str()))
            .collect();
        assert_eq!(
            read,
            [
                (3, "PORT", "4001"),
                (4, "MODE", "local"),
                (5, "LOCAL_PATH", "/srv/files"),
                (6, "LOG_LEVEL", "debug"),
                (7, "APOLLO_PATH", ""),
                (8, "TOKEN", ""),
                (9, "GITLAB_GROUP", "a#b"),
                (10, "GITLAB_URL", "http://x/#y"),
            ]
        );
        assert!(broken.is_empty());
    }

    #[test]
    fn lines_that_are_no_settings_are_all_named() {
        let (_, broken) = parse("PORT\n='x'\nMODE='local\nAPOLLO_PATH='/lib' or ''\n");
        let reasons: Vec<_> = broken
            .iter()
            .map(|line| (line.number, line.reason))
            .collect();
        assert_eq!(
            reasons,
            [
                (1, "there is no '=' in it"),
                (2, "there is no name before the '='"),
                (3, "the closing quote is missing"),
                (4, "something follows the closing quote"),
            ]
        );
    }
}
