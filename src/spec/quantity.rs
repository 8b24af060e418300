//! Amounts as operators write them: `4g` of memory, `1.5` processors.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount of memory, in bytes. Written as docker writes it: a whole number with `k`, `m` or `g` behind it
/// (powers of 1024), or bare bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "String")]
pub struct Bytes(pub u64);

/// A number of processors, in billionths, as docker counts them (`NanoCpus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "String")]
pub struct Cpus {
    /// Billionths of a processor.
    pub nano: i64,
}

/// A time, in whole seconds. Written with its unit: `90s`, `5m`, `1h`, `3d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "String")]
pub struct Span(pub u64);

/// YAML gives `2` as a number and `2g` as text; both are meant.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Whole(u64),
    Fraction(f64),
    Word(String),
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Text::Whole(n) => n.fmt(f),
            Text::Fraction(n) => n.fmt(f),
            Text::Word(word) => f.write_str(word),
        }
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        let wrong = || format!("{value:?} is not an amount of memory; write 512m or 4g");
        let lower = value.trim().to_ascii_lowercase();
        let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor: u64 = match &lower[digits.len()..] {
            "" | "b" => 1,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            "g" | "gb" | "gib" => 1 << 30,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
        // The engine counts in signed numbers.
        number
            .checked_mul(factor)
            .filter(|bytes| i64::try_from(*bytes).is_ok())
            .map(Bytes)
            .ok_or_else(wrong)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(30, "g"), (20, "m"), (10, "k")] {
            if self.0 != 0 && self.0.is_multiple_of(1 << shift) {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        self.0.fmt(f)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        let wrong = || format!("{value:?} is not a time; write 90s, 5m, 1h or 3d");
        let value = value.trim();
        let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &value[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        // Clocks count in signed numbers.
        number
            .checked_mul(unit)
            .filter(|seconds| i64::try_from(*seconds).is_ok())
            .map(Span)
            .ok_or_else(wrong)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (seconds, unit) in [(86_400, "d"), (3600, "h"), (60, "m")] {
            if self.0 != 0 && self.0.is_multiple_of(seconds) {
                return write!(f, "{}{unit}", self.0 / seconds);
            }
        }
        write!(f, "{}s", self.0)
    }
}

impl FromStr for Cpus {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        let wrong = || format!("{value:?} is not a number of processors; write 2 or 0.5");
        let number: f64 = value.trim().parse().map_err(|_| wrong())?;
        if !(0.01..=10_000.0).contains(&number) {
            return Err(wrong());
        }
        // docker takes hundredths of a processor; finer would be rounded there and differ for ever.
        Ok(Cpus {
            nano: (number * 100.0).round() as i64 * 10_000_000,
        })
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.nano as f64 / 1e9).fmt(f)
    }
}

macro_rules! through_text {
    ($name:ident) => {
        impl TryFrom<Text> for $name {
            type Error = String;
            fn try_from(value: Text) -> Result<Self, String> {
                value.to_string().parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}

through_text!(Bytes);
through_text!(Cpus);
through_text!(Span);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_docker_reads_them() {
        for (text, bytes) in [
            ("512m", 512 << 20),
            ("4g", 4 << 30),
            ("4G", 4 << 30),
            ("1024", 1024),
            ("3 k", 3 << 10),
        ] {
            assert_eq!(text.parse::<Bytes>().unwrap(), Bytes(bytes));
        }
        for text in ["", "g", "-1g", "1.5g", "4x", "99999999999g"] {
            assert!(text.parse::<Bytes>().is_err(), "{text:?} was taken");
        }
        assert_eq!("1.5".parse::<Cpus>().unwrap().nano, 1_500_000_000);
        for text in ["", "0", "-1", "two", "NaN", "inf"] {
            assert!(text.parse::<Cpus>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn times_are_read_and_written() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1h", 3600), ("3d", 259_200)] {
            assert_eq!(text.parse::<Span>().unwrap(), Span(seconds));
            assert_eq!(Span(seconds).to_string(), text);
        }
        for text in ["", "5", "m", "-5m", "1.5h", "5 m", "99999999999999999d"] {
            assert!(text.parse::<Span>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn amounts_are_written_as_they_were_read() {
        for text in ["512m", "4g", "1000"] {
            assert_eq!(text.parse::<Bytes>().unwrap().to_string(), text);
        }
        assert_eq!("0.5".parse::<Cpus>().unwrap().to_string(), "0.5");
    }
}
