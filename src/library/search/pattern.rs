//! What the names that are searched for are like. Pure.

/// What a name is like. Upper and lower case are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// It holds this.
    Part(String),
    /// All of it is this, with `*` for any characters and `?` for one.
    Whole(Vec<char>),
}

impl Pattern {
    /// From what was typed.
    pub fn new(text: &str) -> Self {
        let lower = text.to_lowercase();
        match lower.contains(['*', '?']) {
            true => Self::Whole(lower.chars().collect()),
            false => Self::Part(lower),
        }
    }

    /// Whether a name is like this. Bytes that are not UTF-8 are like `?`.
    pub fn fits(&self, name: &[u8]) -> bool {
        let name = String::from_utf8_lossy(name).to_lowercase();
        match self {
            Self::Part(part) => name.contains(part),
            Self::Whole(pattern) => fits(pattern, &name.chars().collect::<Vec<_>>()),
        }
    }
}

/// Matches without going back further than to the last `*`, so that no pattern takes long.
fn fits(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            Some(_) | None => match star {
                Some((at, from)) => {
                    p = at + 1;
                    n = from + 1;
                    star = Some((at, n));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_a_part_or_as_a_whole() {
        for (pattern, name, expected) in [
            ("spring", "Mass-Spring.fmu", true),
            ("SPRING", "mass-spring.fmu", true),
            ("", "anything", true),
            ("x", "", false),
            ("*.fmu", "a.fmu", true),
            ("*.FMU", "a.fmu", true),
            ("*.fmu", "a.fmu.txt", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?c", "aäc", true),
            ("*a*b*", "xaxxbx", true),
            ("*a*b", "xbxa", false),
            ("*", "", true),
            ("**", "x", true),
            ("?", "", false),
            ("Ä*", "äpfel", true),
        ] {
            let fits = Pattern::new(pattern).fits(name.as_bytes());
            assert_eq!(fits, expected, "{pattern:?} {name:?}");
        }
        assert!(Pattern::new("caf?").fits(b"caf\xe9"));
        let slow = Pattern::new(&format!("{}b", "a*".repeat(120)));
        assert!(!slow.fits("a".repeat(255).as_bytes()));
    }
}
