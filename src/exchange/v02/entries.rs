//! The password file: lines of htpasswd, as Traefik's basicAuth reads them.

use super::At;
use crate::secrets::Secret;
use crate::spec::problem::Problem;

/// A user's line.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The name, as it stands there.
    pub name: String,
    /// The password's hash, of whatever kind.
    pub hash: Secret,
    /// Where it stands.
    pub at: At,
}

/// Reads a file. Blank lines and those that begin with `#` are passed over, as Traefik does.
pub fn read(file: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let lines = text.lines().enumerate();
    let kept = lines.map(|(index, line)| (At::new(file, index + 1), line.trim()));
    kept.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|(at, line)| of_line(line, at, problems))
        .collect()
}

/// One line. What stands in a broken one is not repeated: it may be a password.
pub fn of_line(line: &str, at: At, problems: &mut Vec<Problem>) -> Option<Entry> {
    match line.split_once(':') {
        Some((name, hash)) if !name.is_empty() && !hash.contains(':') => Some(Entry {
            name: name.to_owned(),
            hash: Secret::new(hash),
            at,
        }),
        Some(_) | None => {
            problems.push(at.problem(
                "this is no line of htpasswd: a name, a colon and a hash",
                "copy the file, mend that line, and name the copy with --htpasswd",
            ));
            None
        }
    }
}

/// What a hash is called that is not accepted here.
pub fn kind(hash: &str) -> &'static str {
    const KINDS: [(&str, &str); 5] = [
        ("$1$", "an MD5 hash of crypt"),
        ("$5$", "a SHA-256 hash of crypt"),
        ("$6$", "a SHA-512 hash of crypt"),
        (
            "$2",
            "a bcrypt hash that is damaged, or too costly to check",
        ),
        ("$apr1$", "an apr1 hash that is damaged"),
    ];
    KINDS
        .iter()
        .find(|(prefix, _)| hash.starts_with(prefix))
        .map_or("not a hash that is known", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_traefik_reads_them() {
        let mut problems = Vec::new();
        let text = "# made by hand\n\n  alice:$apr1$a$b  \r\nbob\ncarol:x:y\n:x\ndave:{SHA}z\n";
        let read = read("auth", text, &mut problems);
        let seen: Vec<_> = read
            .iter()
            .map(|entry| (entry.name.as_str(), entry.hash.expose(), entry.at.line))
            .collect();
        assert_eq!(seen, [("alice", "$apr1$a$b", 3), ("dave", "{SHA}z", 7)]);
        let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [Some(4), Some(5), Some(6)]);
    }
}
