//! Segments of paths: cut as they were sent, and then percent-decoded.

use std::borrow::Cow;

use axum::http::Uri;
use percent_encoding::percent_decode_str;

/// The segment at this place of the path, the first being 0; empty where there is none, and else
/// what is wrong with it. `%2F` is a slash within it, `..` is a text like any other, and `+` is a
/// plus.
pub(crate) fn segment(uri: &Uri, place: usize) -> Result<Cow<'_, str>, &'static str> {
    // A path begins with a slash, so nothing stands before the first.
    decoded(segments(uri.path()).nth(place + 1).unwrap_or_default())
}

/// A text that is percent-encoded, decoded; else what is wrong with it.
pub(crate) fn decoded(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    // Nearly always there is nothing to decode.
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

/// Whether each percent sign begins an encoded byte. A decoder that takes others for themselves would
/// make one id of `a%zz` and `a%25zz`.
fn is_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|behind| {
        let mut digits = behind.bytes();
        let mut is_digit = || digits.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        is_digit() && is_digit()
    })
}

/// What stands between the slashes of a path.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let text = rest?;
        // The search of the standard library looks at word after word, and tells bytes apart in the
        // last one only: for the few bytes of a segment that is slower.
        let end = text.bytes().position(|byte| byte == b'/');
        let (segment, behind) = match end {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        rest = behind;
        Some(segment)
    })
}
