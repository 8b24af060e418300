//! Names that are parsed once and are safe afterwards: in paths, URLs, container names and templates.

/// Why a name is refused: the value, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a {kind}: {rule}")]
pub struct NameError {
    /// What was given.
    pub value: String,
    /// What it was to be: `user name`, `domain`, …
    pub kind: &'static str,
    /// The rule it breaks.
    pub rule: String,
}

impl NameError {
    fn new(value: &str, kind: &'static str, rule: impl Into<String>) -> Self {
        Self {
            value: value.to_owned(),
            kind,
            rule: rule.into(),
        }
    }
}

macro_rules! name_type {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(value: String) -> Result<Self, NameError> {
                value.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

mod base_path;
mod deployment_name;
mod domain;
mod share_name;
mod user_name;

pub use base_path::BasePath;
pub use deployment_name::DeploymentName;
pub use domain::Domain;
pub use share_name::ShareName;
pub use user_name::{RESERVED, USER_NAME_MAX, UserName};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_name_says_which_rule_it_breaks() {
        assert_eq!(
            "Alice".parse::<UserName>().unwrap_err().to_string(),
            "\"Alice\" is not a user name: 'A' is not allowed; use a-z, 0-9, '.', '_' and '-'"
        );
        assert_eq!(
            "http://foo.com".parse::<Domain>().unwrap_err().to_string(),
            "\"http://foo.com\" is not a domain: leave out the scheme: write foo.com, not https://foo.com"
        );
    }
}
