//! Rules of Traefik's routers, as far as v0.2's are made of: hosts and paths, `&&` and `||`
//! (<https://doc.traefik.io/traefik/v2.5/routing/routers/#rule>).

/// What a rule names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// The arguments of `Host`.
    pub hosts: Vec<String>,
    /// Those of `Path` and `PathPrefix`, without slashes at the ends; none stands twice.
    pub paths: Vec<String>,
    /// Other matchers.
    pub others: Vec<String>,
}

/// Takes a rule apart. What is no matcher with quoted arguments is passed over.
pub fn read(text: &str) -> Rule {
    let mut rule = Rule::default();
    let mut rest = text;
    while let Some(open) = rest.find('(') {
        let before = &rest[..open];
        let name_at = before
            .rfind(|letter: char| !letter.is_ascii_alphabetic())
            .map_or(0, |at| at + 1);
        let name = &before[name_at..];
        rest = &rest[open + 1..];
        // A parenthesis that only groups.
        if name.is_empty() {
            continue;
        }
        let (arguments, after) = arguments(rest);
        rest = after;
        match name {
            "Host" | "HostHeader" => rule.hosts.extend(arguments),
            "Path" | "PathPrefix" => {
                for path in arguments {
                    let path = path.trim_matches('/').to_owned();
                    if !rule.paths.contains(&path) {
                        rule.paths.push(path);
                    }
                }
            }
            other => rule.others.push(other.to_owned()),
        }
    }
    rule
}

/// The quoted words up to the closing parenthesis, and what comes after it.
fn arguments(text: &str) -> (Vec<String>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '"', '\'', ')']) {
        let quote = &rest[at..at + 1];
        rest = &rest[at + 1..];
        if quote == ")" {
            return (found, rest);
        }
        let Some((inside, after)) = rest.split_once(quote) else {
            return (found, "");
        };
        found.push(inside.to_owned());
        rest = after;
    }
    (found, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_paths_are_found() {
        let seen = |text: &str| {
            let Rule {
                hosts,
                paths,
                others,
            } = read(text);
            format!(
                "{} | {} | {}",
                hosts.join(" "),
                paths.join(" "),
                others.join(" ")
            )
        };
        assert_eq!(seen("Host(`foo.com`)"), "foo.com |  | ");
        assert_eq!(
            seen("Host(`foo.com`) && PathPrefix(`/user1`)"),
            "foo.com | user1 | "
        );
        assert_eq!(
            seen(
                "Host(\"foo.com\", 'www.foo.com') && (Path(`/a b`) || PathPrefix(`/a b/`)) && Method(`GET`)"
            ),
            "foo.com www.foo.com | a b | Method"
        );
        assert_eq!(seen("Host(`foo.com"), " |  | ");
        assert_eq!(seen(""), " |  | ");
        assert_eq!(seen("PathPrefix(`/dtaas/ö`)"), " | dtaas/ö | ");
    }
}
