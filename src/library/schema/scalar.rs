//! Scalars that GraphQL itself lacks, named and written as GitLab does.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A whole number that may not fit in 32 bits, written as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BigInt(pub u64);

/// A whole number that may not fit in 32 bits, written as a string.
#[Scalar]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse()?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A moment, as RFC 3339 writes it, in UTC: `2025-06-01T12:00:00.5Z`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time(pub String);

/// A moment, as RFC 3339 writes it, in UTC: `2025-06-01T12:00:00.5Z`.
#[Scalar]
impl ScalarType for Time {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) if OffsetDateTime::parse(&text, &Rfc3339).is_ok() => Ok(Self(text)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}
