//! Segments of paths: split as they were sent, then percent-decoded.

use std::borrow::Cow;

use axum::http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What is percent-encoded: all but the unreserved characters of RFC 3986.
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A text as one segment of a path.
#[must_use]
pub fn path_segment(text: &str) -> String {
    match text {
        // Clients take these for steps of the path unless they are encoded.
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => utf8_percent_encode(text, RESERVED).to_string(),
    }
}

/// The segment at this index of the path, counted from 0 and decoded; empty if the path is shorter.
/// `%2F` is a slash within it, `..` has no special meaning, and `+` is a plus.
pub(crate) fn segment(uri: &Uri, place: usize) -> Result<Cow<'_, str>, &'static str> {
    // A path begins with a slash, so an empty text precedes the first segment.
    decoded(segments(uri.path()).nth(place + 1).unwrap_or_default())
}

/// Percent-decodes a text.
pub(crate) fn decoded(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    // Fast path: most ids have nothing to decode.
    if memchr::memchr(b'%', raw.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(raw));
    }
    if !is_encoded(raw) {
        return Err("must have two hexadecimal digits behind each percent sign");
    }
    percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| "must be UTF-8 when percent-decoded")
}

/// Whether each percent sign begins an encoded byte. A lenient decoder would make one id of `a%zz`
/// and `a%25zz`.
fn is_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|behind| {
        let mut digits = behind.bytes();
        let mut is_digit = || digits.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        is_digit() && is_digit()
    })
}

/// The texts between the slashes of a path.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let text = rest?;
        // `str::find` searches word by word, which is slower for the few bytes of a segment.
        let end = text.bytes().position(|byte| byte == b'/');
        let (segment, behind) = match end {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        rest = behind;
        Some(segment)
    })
}
