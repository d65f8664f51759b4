//! Segments of paths: cut as they were sent, and then percent-decoded.

use std::borrow::Cow;

use axum::http::Uri;
use percent_encoding::percent_decode_str;

use crate::problem::ApiError;

/// The segment at this place of the dialect's path, the first being 0; empty where there is none.
/// `%2F` is a slash within it, and `+` a plus. `field` is what the dialect calls it.
pub(crate) fn segment<'a>(
    uri: &'a Uri,
    place: usize,
    field: &str,
) -> Result<Cow<'a, str>, ApiError> {
    // A path begins with a slash, so nothing stands before the first.
    let raw = uri.path().split('/').nth(place + 1).unwrap_or_default();
    percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| ApiError::field(field, "must be UTF-8 when percent-decoded"))
}
