//! Paths of dialects: spellings that are one path, and ids in segments.

use std::borrow::Cow;

use axum::http::Uri;

use crate::problem::ApiError;
use crate::wire::path;

/// The segment at this place of the path, decoded. `field` is the dialect's word for it.
pub(crate) fn segment<'a>(
    uri: &'a Uri,
    place: usize,
    field: &str,
) -> Result<Cow<'a, str>, ApiError> {
    path::segment(uri, place).map_err(|error| ApiError::field(field, error))
}

/// The path in lower case, without a slash at its end.
pub(crate) fn lenient(path: &str) -> Cow<'_, str> {
    let shorter = path.strip_suffix('/').filter(|rest| !rest.is_empty());
    let path = shorter.unwrap_or(path);
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(path.to_ascii_lowercase());
    }
    Cow::Borrowed(path)
}

/// The path with a single slash at its front.
pub(crate) fn one_slash_in_front(path: &str) -> Cow<'_, str> {
    let behind = path.trim_start_matches('/');
    // With the one slash that stays.
    Cow::Borrowed(&path[path.len().saturating_sub(behind.len() + 1)..])
}
