//! Query strings as web forms write them: `+` is a space.

use percent_encoding::percent_decode_str;

use crate::problem::ApiError;

/// The value of the parameter `name`, decoded; `None` where it is missing or empty. Others are
/// ignored, as they always were.
pub(crate) fn single(query: Option<&str>, name: &str) -> Result<Option<String>, ApiError> {
    let mut found = None;
    for pair in query.unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decode(key).as_deref() != Some(name) {
            continue;
        }
        let value = decode(value)
            .ok_or_else(|| ApiError::field(name, "must be UTF-8 when percent-decoded"))?;
        if found.replace(value).is_some() {
            return Err(ApiError::field(name, "is given more than once"));
        }
    }
    Ok(found.filter(|value| !value.is_empty()))
}

/// A name or value decoded; `None` where it is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}
