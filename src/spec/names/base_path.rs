//! Where the platform begins below its domain.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NameError;

/// Where the platform begins below the domain: empty, or segments like `dtaas` or `lab/dtaas`, kept without
/// slashes at the ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BasePath(String);

impl FromStr for BasePath {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let trimmed = value.trim_matches('/');
        if trimmed.is_empty() {
            return Ok(Self::default());
        }
        for segment in trimmed.split('/') {
            let fine = !segment.is_empty()
                && segment
                    .chars()
                    .all(|c| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-'))
                && segment.chars().any(|c| c != '.');
            if !fine {
                return Err(NameError::new(
                    value,
                    "base path",
                    format!("the part {segment:?} must be letters, digits, '.', '_' and '-'"),
                ));
            }
        }
        Ok(Self(trimmed.to_owned()))
    }
}

impl BasePath {
    /// The path of something below it: `path("lib")` is `/lib`, or `/dtaas/lib`; `path("")` is `` or `/dtaas`.
    pub fn path(&self, rest: &str) -> String {
        let mut path = String::new();
        for part in [self.0.as_str(), rest] {
            if !part.is_empty() {
                path.push('/');
                path.push_str(part);
            }
        }
        path
    }
}

name_type!(BasePath);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_loses_its_outer_slashes() {
        assert_eq!(
            "/dtaas/".parse::<BasePath>().unwrap().path("lib"),
            "/dtaas/lib"
        );
        assert_eq!("".parse::<BasePath>().unwrap().path("lib"), "/lib");
        assert_eq!("/".parse::<BasePath>().unwrap().path(""), "");
        for path in ["a//b", "a/../b", "a b", "a`b", "{{x}}"] {
            assert!(path.parse::<BasePath>().is_err(), "{path:?} was taken");
        }
    }
}
