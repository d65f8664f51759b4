//! The user that a call names. A number and the same digits as text are two users.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Number, Value};
use utoipa::ToSchema;

use super::super::AnyJson;
use super::super::body::whole;
use super::missing;
use crate::problem::ApiError;
use crate::wire::schema::UserIdSchema;

/// The member of the body that names the user.
pub(super) const FIELD: &str = "userId";

/// Decimals of up to this many digits have distinct floats, even if the JSON parser is off by one
/// from the nearest float.
const FLOAT_DIGITS: usize = f64::DIGITS as usize;

/// A user as callers name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum UserName {
    /// The user of this name.
    #[schema(value_type = UserIdSchema)]
    Text(String),
    /// The user `number:` followed by this number in canonical form. 0 counts as missing.
    #[schema(value_type = f64)]
    Number(Number),
}

impl UserName {
    /// The user that a body names.
    pub(super) fn of(body: &AnyJson) -> Result<Self, ApiError> {
        match body.member(FIELD) {
            // The original took every falsy value of JavaScript for a missing one.
            None | Some(Value::Bool(false)) => Err(missing(FIELD)),
            Some(Value::String(text)) if text.is_empty() => Err(missing(FIELD)),
            Some(Value::Number(number)) if number.as_f64() == Some(0.0) => Err(missing(FIELD)),
            Some(Value::String(text)) => Ok(Self::Text(text.clone())),
            Some(Value::Number(number)) => canonical(number).map(Self::Number).ok_or_else(|| {
                ApiError::field(FIELD, "is a number of too many digits; send it as text")
            }),
            Some(_) => Err(ApiError::field(FIELD, "must be a text or a number")),
        }
    }

    /// The user's id in every other API.
    pub(super) fn id(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(format!("number:{number}")),
        }
    }
}

/// The canonical form of the number: `1`, `1.0` and `1e0` are the same, and `-0` is 0. `None` if a
/// float cannot tell it from its neighbours.
fn canonical(number: &Number) -> Option<Number> {
    let is_fraction = |float: &f64| float.fract() != 0.0;
    let Some(float) = number.as_f64().filter(is_fraction) else {
        return whole(number);
    };
    let shortest = format!("{float:e}");
    let (digits, _exponent) = shortest.split_once('e')?;
    let digits = digits.bytes().filter(u8::is_ascii_digit).count();
    (digits <= FLOAT_DIGITS).then(|| number.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(written: &str) -> Option<String> {
        canonical(&written.parse().unwrap()).map(|number| number.to_string())
    }

    #[test]
    fn a_number_has_one_spelling() {
        for (meant, spellings) in [
            ("0", "0 -0 -0.0 0e5"),
            ("1", "1 1.0 1e0 10E-1"),
            ("-7", "-7.00"),
            ("1500", "1.5e3"),
            ("1000000000000000", "1e15"),
            ("0.5", "0.5 0.50 5e-1"),
            ("-0.1", "-0.1"),
            ("1234567.125", "1234567.125"),
            ("0.0001", "0.0001"),
            ("999999999999999", "999999999999999.0"),
            ("-999999999999999", "-999999999999999.00"),
            ("123456789.012345", "123456789.012345"),
            ("1.23456789012345e-13", "0.000000000000123456789012345"),
        ] {
            for written in spellings.split(' ') {
                assert_eq!(spelled(written).as_deref(), Some(meant), "{written}");
            }
        }
    }

    #[test]
    fn whole_numbers_of_64_bits_keep_every_digit() {
        let numbers = "9007199254740992 9007199254740993 9223372036854775807 \
            18446744073709551615 -9223372036854775808";
        for written in numbers.split(' ') {
            assert_eq!(spelled(written).as_deref(), Some(written));
        }
    }

    #[test]
    fn numbers_that_could_be_taken_for_others_are_refused() {
        let numbers = "9007199254740991.0 9007199254740993.0 0.30000000000000004 \
            1234567890123456.5 18446744073709551616 -9223372036854775809 1e16 -1e16 1e300";
        for written in numbers.split(' ') {
            assert_eq!(spelled(written), None, "{written}");
        }
    }
}
