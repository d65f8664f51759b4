//! Names of users and streams in bodies. The original used them as keys of JavaScript objects, so a
//! whole number and its digits as text are the same name.

use std::borrow::Cow;

use serde_json::Value;
use streamgate_core::bounds::ATTRIBUTE_VALUE_MAX_BYTES;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use super::super::AnyJson;
use super::super::body::whole;
use crate::problem::ApiError;
use crate::wire::schema::{SessionIdSchema, UserIdSchema, schema, text};

/// The name of a user. A whole number and its digits as text are the same name.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = UserName, example = "010")]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(super) enum UserName {
    /// The name.
    #[schema(value_type = UserIdSchema)]
    Text(String),
    /// Its digits are the name.
    #[schema(value_type = WholeSchema)]
    Number(i64),
}

/// The name of a stream. A whole number and its digits as text are the same name.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = StreamName, example = "stream_1")]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(super) enum StreamName {
    /// The name.
    #[schema(value_type = SessionIdSchema)]
    Text(String),
    /// Its digits are the name.
    #[schema(value_type = WholeSchema)]
    Number(i64),
}

schema!(WholeSchema is "WholeNumber": ObjectBuilder::new()
    .schema_type(SchemaType::new(Type::Integer))
    // 64 bits, signed or unsigned.
    .minimum(Some(isize::MIN))
    .maximum(Some(usize::MAX))
    .description(Some("A whole number of 64 bits, signed or not. Its digits are the name.")));

schema!(SubscriptionSchema is "Subscription": text(0, ATTRIBUTE_VALUE_MAX_BYTES)
    .description(Some("At most 256 bytes of UTF-8 without control characters."))
    .examples(["basic plan"]));

/// The session id of a stream: its name in lower case, because the original compared names without
/// case. The metadata of the session keeps the first spelling.
#[must_use]
pub fn stream_session(name: &str) -> Cow<'_, str> {
    // Not by `is_uppercase`: letters in title case (`ǅ`) are neither upper nor lower case.
    let lower = name.to_lowercase();
    if lower == name {
        return Cow::Borrowed(name);
    }
    Cow::Owned(lower)
}

/// The name in this member of the body; `None` if the member is missing.
pub(super) fn optional<'a>(
    body: &'a AnyJson,
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

/// The name in this member of the body, which is required.
pub(super) fn required<'a>(body: &'a AnyJson, field: &str) -> Result<Cow<'a, str>, ApiError> {
    optional(body, field)?.ok_or_else(|| ApiError::field(field, "must be given"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(written: &str) -> Option<String> {
        whole(&written.parse().unwrap()).map(|number| number.to_string())
    }

    #[test]
    fn streams_are_compared_without_case() {
        for (name, session) in [
            ("film", "film"),
            ("Film", "film"),
            ("FILM 2", "film 2"),
            ("\u{c4}ngste", "\u{e4}ngste"),
            // One letter in title case, and the same in upper and in lower case.
            ("\u{1c5}ep", "\u{1c6}ep"),
            ("\u{1c4}EP", "\u{1c6}ep"),
            ("\u{1c6}ep", "\u{1c6}ep"),
            ("10", "10"),
        ] {
            assert_eq!(stream_session(name), session);
        }
    }

    #[test]
    fn whole_numbers_are_their_digits() {
        for (meant, spellings) in [
            ("0", "0 -0 -0.0"),
            ("10", "10 10.0 1e1"),
            ("-7", "-7 -7.0"),
            ("1000000000000000", "1e15"),
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            for written in spellings.split(' ') {
                assert_eq!(spelled(written).as_deref(), Some(meant), "{written}");
            }
        }
    }

    #[test]
    fn other_numbers_are_no_names() {
        for written in "0.5 1e-1 1e16 9007199254740993.0 18446744073709551616".split(' ') {
            assert_eq!(spelled(written), None, "{written}");
        }
    }
}
