//! Names in bodies: of users and of streams. They were keys of objects in JavaScript, so that a
//! whole number and its digits as text are one name.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::body::{AnyJson, whole};
use super::StreamRequests;
use crate::problem::ApiError;

/// A name: a text, or a whole number, which is the text of its digits.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = "010")]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) enum TextOrNumber {
    /// The name.
    Text(String),
    /// Its digits are the name.
    Number(i64),
}

/// The name in this member of the body; `None` where there is none.
pub(super) fn optional<'a>(
    body: &'a AnyJson<StreamRequests>,
    field: &str,
) -> Result<Option<Cow<'a, str>>, ApiError> {
    let Some(value) = body.member(field) else {
        return Ok(None);
    };
    let name = match value {
        Value::String(text) => Some(Cow::Borrowed(text.as_str())),
        Value::Number(number) => whole(number).map(|number| Cow::Owned(number.to_string())),
        _ => None,
    };
    let wrong = || ApiError::field(field, "must be a text or a whole number");
    name.ok_or_else(wrong).map(Some)
}

/// The name in this member of the body, which must have it.
pub(super) fn required<'a>(
    body: &'a AnyJson<StreamRequests>,
    field: &str,
) -> Result<Cow<'a, str>, ApiError> {
    optional(body, field)?.ok_or_else(|| ApiError::field(field, "must be given"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(written: &str) -> Option<String> {
        whole(&written.parse().unwrap()).map(|number| number.to_string())
    }

    #[test]
    fn whole_numbers_are_their_digits() {
        for (written, meant) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("10", "10"),
            ("10.0", "10"),
            ("1e1", "10"),
            ("-7", "-7"),
            ("-7.0", "-7"),
            ("1e15", "1000000000000000"),
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(spelled(written).as_deref(), Some(meant), "{written}");
        }
    }

    #[test]
    fn other_numbers_are_no_names() {
        for written in [
            "0.5",
            "1e-1",
            "1e16",
            "9007199254740993.0",
            "18446744073709551616",
        ] {
            assert_eq!(spelled(written), None, "{written}");
        }
    }
}
