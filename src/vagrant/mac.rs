//! MAC addresses, by which some DHCP servers give machines their names.

use std::fmt;
use std::str::FromStr;

use crate::spec::names::NameError;

/// The address of one network interface: 48 bits, not of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    /// Twelve digits without anything between them, as VirtualBox takes them.
    pub fn digits(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02X}")).collect()
    }
}

impl FromStr for Mac {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let refuse = |rule: &str| {
            Err(NameError {
                value: value.to_owned(),
                kind: "MAC address",
                rule: rule.to_owned(),
            })
        };
        let form = "write 12 hexadecimal digits, such as 08:00:27:5e:00:01";
        let pairs: Vec<&str> = match value.contains(':') {
            true => value.split(':').collect(),
            false => (0..value.len())
                .step_by(2)
                .map(|at| value.get(at..at + 2).unwrap_or_default())
                .collect(),
        };
        if pairs.len() != 6 {
            return refuse(form);
        }
        let mut bytes = [0; 6];
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            // Numbers may have a sign.
            if pair.len() != 2 || !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return refuse(form);
            }
            *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
        }
        // IEEE 802, 8.2: the first bit on the wire is the lowest of the first byte.
        if bytes[0] & 1 == 1 {
            return refuse("it is the address of a group; the second digit must be even");
        }
        if bytes == [0; 6] {
            return refuse("it is all zeros");
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        f.write_str(&pairs.join(":"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_with_and_without_colons() {
        for text in ["08:00:27:5e:00:0A", "0800275E000a"] {
            let mac: Mac = text.parse().unwrap();
            assert_eq!(mac.to_string(), "08:00:27:5e:00:0a");
            assert_eq!(mac.digits(), "0800275E000A");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_the_rule() {
        let form = "write 12 hexadecimal digits, such as 08:00:27:5e:00:01";
        for (text, rule) in [
            ("", form),
            ("xxxxxxxxx", form),
            ("08:00:27:5e:00", form),
            ("08:00:27:5e:00:0g", form),
            ("08:00:27:5e:00:+1", form),
            ("08-00-27-5e-00-01", form),
            ("080:0:27:5e:00:01", form),
            ("0800275e00011", form),
            ("0800275e000ä", form),
            (
                "09:00:27:5e:00:01",
                "it is the address of a group; the second digit must be even",
            ),
            ("000000000000", "it is all zeros"),
        ] {
            assert_eq!(
                text.parse::<Mac>().unwrap_err().to_string(),
                format!("{text:?} is not a MAC address: {rule}")
            );
        }
    }
}
