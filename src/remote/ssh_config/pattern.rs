//! Patterns of ssh_config(5) and of known_hosts: `*`, `?`, and `!` before one that must not match.

/// Whether a text matches a pattern as a whole.
pub(in crate::remote) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` was, and up to where it has eaten.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, eaten)) = star {
            star = Some((at, eaten + 1));
            p = at + 1;
            t = eaten + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Whether one of these patterns matches, and none of those with `!` does. `fold` makes letters' case the same, as in names of hosts.
pub(in crate::remote) fn any_of<'a>(
    patterns: impl Iterator<Item = &'a str>,
    text: &str,
    fold: bool,
) -> bool {
    let folded = |text: &str| match fold {
        true => text.to_ascii_lowercase(),
        false => text.to_owned(),
    };
    let text = folded(text);
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(&folded(pattern), &text) => return false,
            Some(_) => {}
            None => found |= matches(&folded(pattern), &text),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, found) in [
            ("foo.com", "foo.com", true),
            ("foo", "foo.com", false),
            ("*", "", true),
            ("*.com", "foo.com", true),
            ("f?o*", "foo.com", true),
            ("*o*o*", "foo.com", true),
            ("?", "", false),
            ("192.168.0.*", "192.168.01.5", false),
        ] {
            assert_eq!(matches(pattern, text), found, "{pattern} {text}");
        }
    }

    #[test]
    fn one_that_must_not_match_counts_more() {
        assert!(any_of(["*.com", "!bar.com"].into_iter(), "Foo.COM", true));
        assert!(!any_of(["*.com", "!bar.com"].into_iter(), "bar.com", true));
        assert!(!any_of(["!bar.com"].into_iter(), "foo.com", true));
    }
}
