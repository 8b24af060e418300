//! Lines of separated fields, as spreadsheets write them: RFC 4180, but for line breaks in quotes, so that a quote that is not
//! closed spoils its own line and no other.

/// Cuts a line into its fields.
///
/// # Errors
/// The rule that the line breaks.
pub fn fields(line: &str, separator: char) -> Result<Vec<String>, &'static str> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.trim_start_matches(' ').strip_prefix('"') {
            Some(quoted) => self::quoted(quoted, separator)?,
            None => match rest.split_once(separator) {
                Some((field, after)) => (field.to_owned(), Some(after)),
                None => (rest.to_owned(), None),
            },
        };
        fields.push(field);
        match after {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}

/// A field up to its closing quote, and what stands after the separator behind it.
fn quoted(text: &str, separator: char) -> Result<(String, Option<&str>), &'static str> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest
            .split_once('"')
            .ok_or("a quote is opened and not closed on this line")?;
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => {
                let after = after.trim_start_matches(' ');
                return match after.strip_prefix(separator) {
                    Some(after) => Ok((field, Some(after))),
                    None if after.is_empty() => Ok((field, None)),
                    None => Err("something stands between a closing quote and the next field"),
                };
            }
        }
    }
}

/// What separates the fields: whichever of the usual ones the heading has first.
pub fn separator(heading: &str) -> char {
    heading.chars().find(separates).unwrap_or(',')
}

/// Whether a line holds a separator of any kind.
pub fn is_split(line: &str) -> bool {
    line.chars().any(|letter| separates(&letter))
}

fn separates(letter: &char) -> bool {
    matches!(letter, ',' | ';' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_what_a_spreadsheet_meant() {
        let cut = |line: &str| fields(line, ',').map(|fields| fields.join("|"));
        assert_eq!(cut("a,b,c").unwrap(), "a|b|c");
        assert_eq!(cut("a,,").unwrap(), "a||");
        assert_eq!(cut("").unwrap(), "");
        assert_eq!(cut("\"a,b\",c").unwrap(), "a,b|c");
        assert_eq!(cut("a, \"b\" ,c").unwrap(), "a|b|c");
        assert_eq!(cut("\"say \"\"x\"\"\",\"\"").unwrap(), "say \"x\"|");
        assert_eq!(cut("a\"b, c ").unwrap(), "a\"b| c ");
    }

    #[test]
    fn quotes_that_do_not_match_are_refused() {
        assert!(fields("a,\"b,c", ',').unwrap_err().contains("not closed"));
        assert!(fields("\"a\"b,c", ',').unwrap_err().contains("between"));
    }

    #[test]
    fn the_heading_says_what_separates() {
        assert_eq!(separator("username;password"), ';');
        assert_eq!(separator("username\tgroups"), '\t');
        assert_eq!(separator("username"), ',');
    }
}
