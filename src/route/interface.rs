//! The name of a network interface, as an operator says it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name goes into a unit and a crontab, where a blank, a `%` or a quote would mean something else. Linux takes 15 bytes at
/// most (`IFNAMSIZ` of if.h, which counts the end).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interface(String);

/// Why something is no interface's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no interface's name: 1 to 15 of A-Z a-z 0-9 . _ -, beginning with a letter or digit, such as enp0s3 (`ip link` lists them, without what follows an @)"
)]
pub struct NoInterface(String);

impl Interface {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Interface {
    type Err = NoInterface;

    fn from_str(text: &str) -> Result<Self, NoInterface> {
        let usual = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        match begins && text.len() <= 15 && text.chars().all(usual) {
            true => Ok(Self(text.to_owned())),
            false => Err(NoInterface(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Interface {
    type Error = NoInterface;

    fn try_from(text: String) -> Result<Self, NoInterface> {
        text.parse()
    }
}

impl From<Interface> for String {
    fn from(interface: Interface) -> Self {
        interface.0
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
