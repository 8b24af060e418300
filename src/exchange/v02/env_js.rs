//! The website's `env.js`: `window.env = { KEY: 'value', … };`. Read, not run.

use super::At;
use crate::spec::problem::Problem;

/// A key of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Such as `REACT_APP_URL`.
    pub key: String,
    /// What is between the quotes.
    pub value: String,
    /// Where the key stands.
    pub at: At,
}

enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

/// Reads the keys and their values.
pub fn read(file: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut tokens = tokens(text).into_iter().peekable();
    while let Some((token, line)) = tokens.next() {
        let (Token::Word(key) | Token::Text(key)) = token else {
            continue;
        };
        if !matches!(tokens.peek(), Some((Token::Mark(':'), _))) {
            continue;
        }
        tokens.next();
        let at = At::new(file, line);
        match tokens.next() {
            Some((Token::Text(value), _)) => settings.push(Setting { key, value, at }),
            Some((Token::Word(_) | Token::Mark(_), _)) | None => problems.push(at.problem(
                format!("{key} has no text in quotes"),
                "copy the file, write one there, and name the copy with --env-js",
            )),
        }
    }
    settings
}

/// The words, quoted texts and marks, each with its line. Comments are no tokens.
fn tokens(text: &str) -> Vec<(Token, usize)> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let begun = line;
        match letter {
            '\n' => line += 1,
            '/' if letters.peek() == Some(&'/') => {
                while letters.next_if(|letter| *letter != '\n').is_some() {}
            }
            '/' if letters.peek() == Some(&'*') => {
                let mut last = ' ';
                for letter in letters.by_ref() {
                    line += usize::from(letter == '\n');
                    if (last, letter) == ('*', '/') {
                        break;
                    }
                    last = letter;
                }
            }
            '\'' | '"' | '`' => {
                let mut value = String::new();
                while let Some(inside) = letters.next() {
                    line += usize::from(inside == '\n');
                    match inside {
                        '\\' => value.extend(letters.next()),
                        _ if inside == letter => break,
                        _ => value.push(inside),
                    }
                }
                found.push((Token::Text(value), begun));
            }
            _ if is_of_word(letter) => {
                let mut word = String::from(letter);
                while let Some(next) = letters.next_if(|letter| is_of_word(*letter)) {
                    word.push(next);
                }
                found.push((Token::Word(word), begun));
            }
            _ if letter.is_whitespace() => {}
            _ => found.push((Token::Mark(letter), begun)),
        }
    }
    found
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '$' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_read_with_their_lines() {
        let text = "// made for us\nwindow.env = {\n  REACT_APP_URL: 'https://foo.com/', /* one\n two */ \"B\":\n    \"it's\",\n  C: `\\`x`,\n};\n";
        let mut problems = Vec::new();
        let seen: Vec<_> = read("env.js", text, &mut problems)
            .into_iter()
            .map(|setting| (setting.key, setting.value, setting.at.line))
            .collect();
        let expected = [
            ("REACT_APP_URL", "https://foo.com/", 3),
            ("B", "it's", 4),
            ("C", "`x", 6),
        ];
        assert_eq!(
            seen,
            expected.map(|(key, value, line)| (key.to_owned(), value.to_owned(), line))
        );
        assert_eq!(problems, []);
    }

    #[test]
    fn what_is_computed_is_not_guessed() {
        let mut problems = Vec::new();
        read(
            "env.js",
            "window.env = {\n  A: location.host,\n};",
            &mut problems,
        );
        assert_eq!(
            problems[0].to_string(),
            "env.js:2: A has no text in quotes; copy the file, write one there, and name the copy with --env-js"
        );
    }
}
