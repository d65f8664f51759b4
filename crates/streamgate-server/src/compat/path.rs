//! Ids in paths, under the names that a dialect has for them.

use std::borrow::Cow;

use axum::http::Uri;

use crate::problem::ApiError;
use crate::wire::path;

/// The segment at this place of the dialect's path. `field` is what the dialect calls it.
pub(crate) fn segment<'a>(
    uri: &'a Uri,
    place: usize,
    field: &str,
) -> Result<Cow<'a, str>, ApiError> {
    path::segment(uri, place).map_err(|error| ApiError::field(field, error))
}
