//! Names that are parsed once and are safe afterwards: in paths, URLs, container names and templates.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

/// Path segments that the platform itself answers on, or folders that are not a user's. Kept whole, so that a
/// later page of the website does not collide with someone who already has the name.
pub const RESERVED: &[&str] = &[
    "_dtaas",
    "account",
    "admin",
    "api",
    "apple-touch-icon.png",
    "asset-manifest.json",
    "assets",
    "auth",
    "authz",
    "common",
    "commons",
    "data",
    "digitaltwins",
    "env.js",
    "favicon.ico",
    "files",
    "functions",
    "graphql",
    "healthz",
    "index.html",
    "lib",
    "library",
    "live",
    "login",
    "logout",
    "manifest.json",
    "metrics",
    "models",
    "ping",
    "public",
    "readyz",
    "robots.txt",
    "root",
    "service-worker.js",
    "services",
    "share",
    "shared",
    "signin",
    "signout",
    "static",
    "status",
    "tools",
    "vis",
    "whoami",
    "workbench",
];

/// The longest user name, in characters. Container and host names made of it stay within their own limits.
pub const USER_NAME_MAX: usize = 32;

/// A user of the platform: 1 to 32 of `a-z`, `0-9`, `.`, `_` and `-`, with a letter or digit at both ends,
/// no two dots in a row, and not a path of the platform ([`RESERVED`]).
///
/// Upper case is refused rather than folded: names that differ only in case would share a folder on some
/// file systems and a login in some programs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

impl FromStr for UserName {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let refuse = |rule: &str| Err(NameError::new(value, "user name", rule));
        if value.is_empty() {
            return refuse("it is empty");
        }
        if let Some(c) = value
            .chars()
            .find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-'))
        {
            return Err(NameError::new(
                value,
                "user name",
                format!("{c:?} is not allowed; use a-z, 0-9, '.', '_' and '-'"),
            ));
        }
        if value.len() > USER_NAME_MAX {
            return refuse("it has more than 32 characters");
        }
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        if !edge(value.chars().next()) || !edge(value.chars().next_back()) {
            return refuse("it must begin and end with a letter or a digit");
        }
        if value.contains("..") {
            return refuse("two dots in a row are not allowed");
        }
        if RESERVED.contains(&value) {
            return refuse("the platform uses this name for a page or a folder of its own");
        }
        Ok(Self(value.to_owned()))
    }
}

name_type!(UserName);

/// The name that browsers use for the platform: a host name, `localhost`, or an IPv4 address. No scheme, no port, no path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

impl FromStr for Domain {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let refuse = |rule: String| Err(NameError::new(value, "domain", rule));
        if value.is_empty() {
            return refuse("it is empty".into());
        }
        if value.contains("://") {
            return refuse("leave out the scheme: write foo.com, not https://foo.com".into());
        }
        if value.contains('/') {
            return refuse("it holds a path; use base_path for that".into());
        }
        if value.contains(':') {
            return refuse("it holds a port; use ports.https or ports.http for that".into());
        }
        if value.len() > 253 {
            return refuse("it has more than 253 characters".into());
        }
        if value.parse::<std::net::Ipv4Addr>().is_ok() {
            return Ok(Self(value.to_owned()));
        }
        for label in value.split('.') {
            if label.is_empty() {
                return refuse("two dots in a row, or one at an end".into());
            }
            if label.len() > 63 {
                return refuse(format!("the part {label:?} has more than 63 characters"));
            }
            if let Some(c) = label
                .chars()
                .find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-'))
            {
                return refuse(format!("{c:?} is not allowed; use a-z, 0-9, '-' and '.'"));
            }
            if label.starts_with('-') || label.ends_with('-') {
                return refuse(format!("the part {label:?} begins or ends with '-'"));
            }
        }
        if value
            .split('.')
            .all(|l| l.bytes().all(|b| b.is_ascii_digit()))
        {
            return refuse("it is made of digits alone and is no IPv4 address".into());
        }
        Ok(Self(value.to_owned()))
    }
}

impl Domain {
    /// The address, where the domain is one.
    pub fn address(&self) -> Option<std::net::Ipv4Addr> {
        self.0.parse().ok()
    }
}

name_type!(Domain);

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
    fn user_names_that_people_have_are_taken() {
        for name in [
            "alice",
            "a",
            "bob2",
            "j.doe",
            "anna-lena",
            "snake_case",
            "007",
        ] {
            assert_eq!(name.parse::<UserName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn user_names_that_could_become_something_else_are_refused() {
        let seventy = "a".repeat(70);
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "-x",
            "_x",
            "x-",
            "x.",
            "a..b",
            "Alice",
            "alíce",
            "аlice",
            "alice\n",
            " alice",
            "a b",
            "lib",
            "common",
            "static",
            "env.js",
            ".removed",
            "a`b",
            seventy.as_str(),
        ] {
            assert!(name.parse::<UserName>().is_err(), "{name:?} was taken");
        }
    }

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

    #[test]
    fn domains_are_host_names_localhost_and_addresses() {
        for domain in [
            "foo.com",
            "localhost",
            "dt-1.lab.example.org",
            "127.0.0.1",
            "10.1.2.3",
        ] {
            assert!(domain.parse::<Domain>().is_ok(), "{domain:?} was refused");
        }
        for domain in [
            "",
            "foo bar",
            "http://foo.com",
            "foo.com/x",
            "foo..com",
            "-foo.com",
            "foo-.com",
            "foo.com:8080",
            "a`b.com",
            "foo.com.",
            "1.2.3",
            "1.2.3.400",
            "Foo.com",
            "foo_bar.com",
            "foo.com\n",
        ] {
            assert!(domain.parse::<Domain>().is_err(), "{domain:?} was taken");
        }
    }

    #[test]
    fn a_deployment_without_a_name_is_called_by_its_domain() {
        let of = |domain: &str| DeploymentName::of(&domain.parse().unwrap());
        assert_eq!(of("foo.com").as_str(), "foo.com");
        assert_eq!(of("127.0.0.1").as_str(), "127.0.0.1");
        // Cut after 63 characters, and never at a dot.
        for length in [59, 60, 61, 62, 63] {
            let name = of(&format!("{}.b.example", "a".repeat(length)));
            assert_eq!(name.as_str().parse(), Ok(name.clone()), "{length}");
        }
    }

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
