//! Query strings in the encoding of web forms: `+` is a space.

use std::borrow::Cow;

use crate::problem::ApiError;
use crate::wire::path::decoded;

/// The decoded value of the parameter `name`; `None` if it is missing or empty. Other parameters
/// are ignored, as in the originals.
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

/// Decodes a name or value.
fn decode(text: &str) -> Result<String, &'static str> {
    let text = text.replace('+', " ");
    decoded(&text).map(Cow::into_owned)
}
