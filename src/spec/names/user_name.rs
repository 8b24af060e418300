//! Users.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NameError;

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
    "render",
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
}
