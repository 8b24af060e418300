//! What a shared program is called.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NameError;

/// The longest name, in bytes.
const MAX: usize = 40;

/// The name of something that a user shares: it stands in an address, `/alice/services/<name>/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShareName(String);

impl FromStr for ShareName {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let refuse = |rule: &str| Err(NameError::new(value, "name to share under", rule));
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        match value.as_bytes() {
            [] => refuse("it is empty"),
            bytes if bytes.len() > MAX => refuse("it has more than 40 characters"),
            bytes if !bytes.iter().all(|&b| inner(b) || b == b'-') => {
                refuse("use a-z, 0-9 and '-'")
            }
            [first, .., last] if !inner(*first) || !inner(*last) => {
                refuse("begin and end it with a letter or a digit")
            }
            b"-" => refuse("begin and end it with a letter or a digit"),
            _ => Ok(Self(value.to_owned())),
        }
    }
}

name_type!(ShareName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_into_an_address() {
        for name in ["a", "twin", "incubator-2", "0"] {
            assert_eq!(name.parse::<ShareName>().unwrap().as_str(), name);
        }
        let long = "a".repeat(41);
        for name in [
            "", "-", "-a", "a-", "A", "a/b", "a.b", "~x", "a b", "ä", &long,
        ] {
            assert!(name.parse::<ShareName>().is_err(), "{name}");
        }
    }
}
