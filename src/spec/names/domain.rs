//! What browsers call the platform.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NameError;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
