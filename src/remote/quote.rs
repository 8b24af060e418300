//! A command as one line: SSH hands a line to the login's shell (RFC 4254, 6.5), so every word is quoted for it.

/// The words of a command as a line that a POSIX shell, and csh and fish as well, take apart into the same words.
pub fn line(argv: &[&str]) -> String {
    argv.iter()
        .map(|word| quoted(word))
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        // Nothing counts between single quotes, and a quote itself stands outside of them.
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_stay_words() {
        assert_eq!(
            line(&["sudo", "-n", "mv", "a b", "it's", "$HOME", ""]),
            r"sudo -n mv 'a b' 'it'\''s' '$HOME' ''"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_sees_the_same_words(words in proptest::collection::vec("[^\0]{0,12}", 1..5)) {
            let argv: Vec<&str> = [&["printf", "%s\\0"][..], &words.iter().map(String::as_str).collect::<Vec<_>>()].concat();
            let ran = std::process::Command::new("sh").arg("-c").arg(line(&argv)).output().unwrap();
            let said: String = words.iter().map(|word| format!("{word}\0")).collect();
            prop_assert_eq!(String::from_utf8(ran.stdout).unwrap(), said);
        }
    }
}
