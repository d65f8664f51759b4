//! Query strings as web forms write them: `+` is a space.

use std::borrow::Cow;

use crate::problem::ApiError;
use crate::wire::path::decoded;

/// The value of the parameter `name`, decoded; `None` where it is missing or empty. Others are
/// ignored, as they always were.
pub(crate) fn single(query: Option<&str>, name: &str) -> Result<Option<String>, ApiError> {
    let mut found = None;
    for pair in query.unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decode(key).as_deref() != Ok(name) {
            continue;
        }
        let value = decode(value).map_err(|error| ApiError::field(name, error))?;
        if found.replace(value).is_some() {
            return Err(ApiError::field(name, "is given more than once"));
        }
    }
    Ok(found.filter(|value| !value.is_empty()))
}

/// A name or value decoded; else what is wrong with it.
fn decode(text: &str) -> Result<String, &'static str> {
    let text = text.replace('+', " ");
    decoded(&text).map(Cow::into_owned)
}
