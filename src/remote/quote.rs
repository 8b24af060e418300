//! An argument vector as the one string that SSH takes (RFC 4254, 6.5), for whatever shell the login has.

use anyhow::Result;

use crate::error::Failure;

/// The line that makes a shell run exactly these words. Single quotes hold in sh, bash, dash, zsh and busybox alike; a single
/// quote is written outside of them.
///
/// # Errors
///
/// A word with a NUL byte or a line break, which no name of ours has.
pub(super) fn line<S: AsRef<str>>(words: &[S]) -> Result<String> {
    let mut line = String::new();
    for word in words {
        let word = word.as_ref();
        if word.contains(['\0', '\n', '\r']) {
            return Err(Failure::new(format!(
                "{word:?} cannot be an argument of a command on another machine"
            ))
            .into());
        }
        if !line.is_empty() {
            line.push(' ');
        }
        if !word.is_empty() && word.chars().all(plain) {
            line.push_str(word);
        } else {
            line.push('\'');
            line.push_str(&word.replace('\'', r"'\''"));
            line.push('\'');
        }
    }
    Ok(line)
}

/// What means itself in every shell, also at a word's beginning. `=` and `~` do not.
fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ':' | ',' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_read_more_into_them() {
        for (words, written) in [
            (vec!["uname", "-s", "-m"], "uname -s -m"),
            (vec!["dd", "of=/tmp/a"], "dd 'of=/tmp/a'"),
            (vec!["rm", "a b"], "rm 'a b'"),
            (vec!["echo", "it's"], r"echo 'it'\''s'"),
            (vec!["echo", ""], "echo ''"),
            (vec!["echo", "$(reboot)", "`id`"], "echo '$(reboot)' '`id`'"),
            (
                vec!["echo", "~root", "*", "!x", "a;b"],
                "echo '~root' '*' '!x' 'a;b'",
            ),
            (vec!["echo", "Größe"], "echo 'Größe'"),
        ] {
            assert_eq!(line(&words).unwrap(), written);
        }
        for word in ["a\0b", "a\nb"] {
            line(&["echo", word]).unwrap_err();
        }
    }

    #[test]
    fn a_shell_gives_the_words_back() {
        let words = [
            "a'b", "", "$HOME", "\\", "\\'", "\"", "a  b", "#x", "-n", "{a,b}",
        ];
        let command = format!("printf '%s\\n' {}", line(&words).unwrap());
        for shell in ["sh", "bash"] {
            let output = std::process::Command::new(shell)
                .args(["-c", &command])
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(text.lines().collect::<Vec<_>>(), words, "{shell}");
        }
    }
}
