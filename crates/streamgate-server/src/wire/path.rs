//! Segments of paths: cut as they were sent, and then percent-decoded.

use std::borrow::Cow;

use axum::http::Uri;
use percent_encoding::percent_decode_str;

/// The segment at this place of the path, the first being 0; empty where there is none, and else what
/// is wrong with it. `%2F` is a slash within it, `..` is a text like any other, and `+` is a plus.
pub(crate) fn segment(uri: &Uri, place: usize) -> Result<Cow<'_, str>, &'static str> {
    // A path begins with a slash, so nothing stands before the first. Cut by byte: the search that
    // `str` has for a `char` is made for longer texts.
    let mut bytes = uri.path().as_bytes().split(|byte| *byte == b'/');
    let raw = bytes.nth(place + 1).unwrap_or_default();
    let raw = std::str::from_utf8(raw).expect("text cut at an ASCII character is text");
    // Nearly always there is nothing to decode.
    if !raw.contains('%') {
        return Ok(Cow::Borrowed(raw));
    }
    percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| "must be UTF-8 when percent-decoded")
}
