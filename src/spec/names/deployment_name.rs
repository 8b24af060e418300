//! What tells one deployment from another.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Domain;
use super::NameError;

/// The name of a deployment: what tells its containers, networks and rules from those of another on the same machine.
/// 1 to 63 of `a-z`, `0-9`, `.` and `-`, with a letter or digit at both ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeploymentName(String);

impl FromStr for DeploymentName {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-');
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        if value.is_empty()
            || value.len() > 63
            || !value.chars().all(allowed)
            || !edge(value.chars().next())
            || !edge(value.chars().next_back())
            // It is a part of image names, which know no other separators (the registry's grammar of names).
            || ["..", ".-", "-."].iter().any(|pair| value.contains(pair))
        {
            return Err(NameError::new(
                value,
                "deployment name",
                "use 1 to 63 of a-z, 0-9, '.' and '-', with a letter or a digit beside each '.' and at both ends",
            ));
        }
        Ok(Self(value.to_owned()))
    }
}

impl DeploymentName {
    /// What a deployment is called that has no other name: its domain, as much of it as fits.
    pub fn of(domain: &Domain) -> Self {
        // A domain is made of the same characters; only its length and where it is cut need care.
        let cut = domain.as_str().get(..63).unwrap_or(domain.as_str());
        Self(cut.trim_end_matches(['.', '-']).to_owned())
    }
}

name_type!(DeploymentName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_made_of_any_domain_is_one() {
        let long = "a".repeat(57);
        // What stands in the 63rd place is a letter, a dot, a hyphen.
        for domain in [
            format!("{long}.bcdefg.foo.com"),
            format!("{long}.bcde.foo.com"),
            format!("{long}.bcde-f.foo.com"),
            format!("{long}.bcd--f.foo.com"),
            "foo.com".to_owned(),
            "10.1.2.3".to_owned(),
        ] {
            let name = DeploymentName::of(&domain.parse().unwrap());
            assert!(domain.starts_with(name.as_str()), "{domain} became {name}");
            assert_eq!(name.as_str().parse(), Ok(name.clone()), "{domain}");
        }
    }
}
