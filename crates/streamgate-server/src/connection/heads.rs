//! Heads that two servers could read in two ways (request smuggling): refused with 400.
//!
//! hyper accepts a bare LF as the end of a line, more than one `Host`, a `Transfer-Encoding` whose
//! last coding alone is `chunked`, and a `Transfer-Encoding` beside a `Content-Length`. A proxy in
//! front may parse each of them differently. [`check`] looks at the parsed head. Line endings are
//! visible only in the bytes, so [`Lines`] looks at those as they are read.

use axum::body::HttpBody as _;
use axum::http::{HeaderMap, HeaderValue, Version, header};
use hyper::Request;
use hyper::body::Incoming;

use crate::problem::ApiError;

/// Refuses a request whose head is ambiguous.
///
/// # Errors
/// 400 `invalid_request` that names the header. The connection is closed after it, because the two
/// sides may not agree where the next request begins.
pub(crate) fn check(request: &Request<Incoming>) -> Result<(), ApiError> {
    let headers = request.headers();
    let mut hosts = headers.get_all(header::HOST).iter();
    let wrong = match (hosts.next(), hosts.next()) {
        (Some(_), None) => None,
        (Some(_), Some(_)) => Some(("host", "is given more than once")),
        // HTTP/1.0 does not require it.
        (None, _) if request.version() < Version::HTTP_11 => None,
        (None, _) => Some(("host", "is required")),
    };
    let wrong = wrong.or_else(|| {
        let has_body = !request.body().is_end_stream();
        (has_body && !is_plain(headers))
            .then_some(("transfer-encoding", "must be chunked, once and alone"))
    });
    match wrong {
        None => Ok(()),
        Some((field, message)) => Err(ApiError::field(field, message)
            .with_header(header::CONNECTION, HeaderValue::from_static("close"))),
    }
}

/// Whether the body has no transfer coding but `chunked`, given once.
fn is_plain(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => true,
        (Some(one), None) => one.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// A byte that is invalid everywhere in a head: hyper answers 400 to it.
const FORBIDDEN: u8 = 0;

/// Follows the lines of the heads of a connection, and makes an ambiguous head invalid.
///
/// A head behind another one in the same read (pipelining) is checked, too, unless the first may
/// have a body: only the parser knows where a body ends.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Whether the head has ended, and what comes next is a body.
    is_over: bool,
    /// How many bytes of the line under way came with earlier reads, and the last of them.
    begun: usize,
    last: u8,
    /// Whether the head has a line. Empty lines before the first one do not end it.
    has_line: bool,
    has_length: bool,
    has_encoding: bool,
    /// Whether a line came in pieces, so that its name was not checked.
    has_unseen: bool,
}

impl Lines {
    /// Looks at bytes that were read; `awaits_head` where no request is under way. Returns whether
    /// they were ambiguous, and have been made invalid.
    pub(crate) fn follow(&mut self, bytes: &mut [u8], awaits_head: bool) -> bool {
        if self.is_over {
            if !awaits_head {
                return false;
            }
            *self = Self::default();
        }
        let ambiguous = self.first_ambiguous(bytes);
        if let Some(at) = ambiguous {
            bytes[at] = FORBIDDEN;
        }
        ambiguous.is_some()
    }

    /// The place of the first line ending that a head must not have.
    fn first_ambiguous(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let before = end.checked_sub(1).map_or(self.last, |at| bytes[at]);
            if before != b'\r' {
                return Some(end);
            }
            // Without CR and LF; the CR belongs to this line, wherever it came.
            let length = self.begun + end - begin - 1;
            if length > 0 {
                self.see((self.begun == 0).then(|| &bytes[begin..end - 1]));
            } else if self.has_line {
                if self.has_length && self.has_encoding {
                    return Some(end);
                }
                let has_body = self.has_length || self.has_encoding || self.has_unseen;
                *self = Self::default();
                if has_body {
                    self.is_over = true;
                    return None;
                }
            }
            self.begun = 0;
            begin = end + 1;
        }
        self.begun += bytes.len() - begin;
        self.last = bytes.last().copied().unwrap_or(self.last);
        None
    }

    /// Looks at a line that has something in it; `None` if it came in pieces.
    fn see(&mut self, line: Option<&[u8]>) {
        self.has_line = true;
        let Some(line) = line else {
            self.has_unseen = true;
            return;
        };
        let is = |name: &[u8]| {
            line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name)
        };
        self.has_length |= is(b"content-length");
        self.has_encoding |= is(b"transfer-encoding");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether these reads, one after the other, are spoiled.
    fn is_spoiled(reads: &[&str]) -> bool {
        let mut lines = Lines::default();
        let mut is_spoiled = false;
        for read in reads {
            is_spoiled |= lines.follow(&mut read.as_bytes().to_vec(), true);
        }
        is_spoiled
    }

    const HEAD: &str = "PUT /a HTTP/1.1\r\nhost: x\r\n\r\n";

    #[test]
    fn a_head_with_crlf_is_left_as_it_is_however_it_is_cut() {
        for head in [HEAD, &format!("\r\n{HEAD}"), &HEAD.repeat(3)] {
            for at in 0..head.len() {
                let (left, right) = head.split_at(at);
                assert!(!is_spoiled(&[left, right]), "{left:?} {right:?}");
            }
        }
    }

    #[test]
    fn a_bare_lf_anywhere_in_a_head_spoils_it_however_it_is_cut() {
        for (place, _) in HEAD.match_indices('\r') {
            let mut head = HEAD.to_owned();
            head.remove(place);
            assert!(is_spoiled(&[&format!("{HEAD}{head}")]), "{head:?}");
            for before in ["", "\r\n"] {
                let heads = format!("{before}{head}");
                for at in 0..heads.len() {
                    let (left, right) = heads.split_at(at);
                    assert!(is_spoiled(&[left, right]), "{left:?} {right:?}");
                }
            }
        }
        assert!(is_spoiled(&["\nGET / HTTP/1.1\r\n\r\n"]));
    }

    #[test]
    fn a_body_may_have_any_bytes() {
        let head = "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n";
        let mut lines = Lines::default();
        let mut bytes = format!("{head}{{\n").into_bytes();
        assert!(!lines.follow(&mut bytes, true));
        assert!(bytes.ends_with(b"\n"));
        assert!(!lines.follow(&mut b"\n}".to_vec(), false));
        assert!(!lines.follow(&mut HEAD.as_bytes().to_vec(), true));
        assert!(lines.follow(&mut b"GET / HTTP/1.1\n".to_vec(), true));
    }

    #[test]
    fn a_head_with_a_length_and_an_encoding_is_spoiled() {
        for (one, two) in [
            ("Content-Length: 4", "Transfer-Encoding: chunked"),
            ("transfer-encoding: chunked", "content-length: 4"),
        ] {
            let line = "POST /a HTTP/1.1";
            assert!(is_spoiled(&[&format!("{line}\r\n{one}\r\n{two}\r\n\r\n")]));
            assert!(!is_spoiled(&[&format!("{line}\r\n{one}\r\n\r\n")]));
        }
    }
}
