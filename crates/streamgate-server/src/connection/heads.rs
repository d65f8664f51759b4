//! Heads that two servers could read in two ways (request smuggling): refused with 400.
//!
//! hyper accepts a bare LF as the end of a line, more than one `Host`, one that names no host, a
//! `Transfer-Encoding` whose last coding alone is `chunked`, and a `Transfer-Encoding` beside a
//! `Content-Length`. A proxy in front may parse each of them differently. [`check`] looks at the
//! parsed head. Line endings are visible only in the bytes, so [`Framing`] looks at those as they
//! are read.

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
        (Some(host), None) => (!is_host(host.as_bytes())).then_some(("host", NO_HOST)),
        (Some(_), Some(_)) => Some(("host", "is given more than once")),
        // HTTP/1.0 does not require it.
        (None, _) if request.version() < Version::HTTP_11 => None,
        (None, _) => Some(("host", "is required")),
    };
    // A target in absolute form names the host once more.
    let wrong = wrong.or_else(|| {
        let target = request.uri().authority()?;
        (!is_host(target.as_str().as_bytes())).then_some(("host", NO_HOST))
    });
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

/// What is said to a `Host` or a target that [`is_host`] refuses.
const NO_HOST: &str = "must be a name or an address, with a port or without";

/// Whether this is a host with or without a port, `uri-host [":" port]` of RFC 9110, section 7.2,
/// or empty. By its characters only: an address need not exist, nor have the right number of parts.
fn is_host(value: &[u8]) -> bool {
    let mut rest = value;
    if let [b'[', literal @ ..] = value {
        let Some(end) = literal.iter().position(|byte| *byte == b']') else {
            return false;
        };
        // A zone (`%25eth0`) may follow an IPv6 address: RFC 6874.
        let is_literal = |byte: &u8| IN_NAME[usize::from(*byte)] || matches!(byte, b':' | b'%');
        if end == 0 || !literal[..end].iter().all(is_literal) {
            return false;
        }
        rest = &literal[end + 1..];
        if !matches!(rest, [] | [b':', ..]) {
            return false;
        }
    }
    loop {
        let Some(end) = rest.iter().position(|byte| !IN_NAME[usize::from(*byte)]) else {
            return true;
        };
        match &rest[end..] {
            [b':', port @ ..] => return port.iter().all(u8::is_ascii_digit),
            [b'%', high, low, behind @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                rest = behind;
            }
            _ => return false,
        }
    }
}

/// The bytes that stand for themselves in a name: `unreserved` and `sub-delims` of RFC 3986. Names
/// of containers have underscores.
static IN_NAME: [bool; 256] = {
    let bytes = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=";
    let mut table = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
};

/// Whether the body has no transfer coding but `chunked`, given once.
fn is_plain(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => true,
        (Some(one), None) => one.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// Whether the connection must end with the answer to this request: [`Framing`] does not know
/// where a chunked body ends, so it cannot check a head behind one.
pub(crate) fn ends_connection(request: &Request<Incoming>) -> bool {
    // A chunked body is never known to have ended yet.
    !request.body().is_end_stream() && request.headers().contains_key(header::TRANSFER_ENCODING)
}

/// A byte that is invalid everywhere in a head: hyper answers 400 to it.
const FORBIDDEN: u8 = 0;

/// How much of a line that comes in several reads is kept. The lines of interest are shorter.
const CUT_LINE_MAX_BYTES: usize = 64;

/// Follows the bytes of a connection, head by head, and makes an ambiguous head invalid: also one
/// behind another request in the same read (pipelining).
#[derive(Debug)]
pub(crate) enum Framing {
    /// The head of a request comes next, or goes on.
    Head(Head),
    /// This number of bytes of a body comes next.
    Body(u64),
    /// A chunked body comes next. No request behind it is served ([`ends_connection`]).
    LastBody,
}

impl Default for Framing {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

impl Framing {
    /// Looks at bytes that were read. Returns whether they were ambiguous, and have been made
    /// invalid.
    pub(crate) fn follow(&mut self, bytes: &mut [u8]) -> bool {
        let mut at = 0;
        while at < bytes.len() {
            match self {
                Self::Head(head) => match head.follow(&bytes[at..]) {
                    Ok(None) => return false,
                    Ok(Some((length, next))) => {
                        at += length;
                        *self = next;
                    }
                    Err(wrong) => {
                        bytes[at + wrong] = FORBIDDEN;
                        return true;
                    }
                },
                Self::Body(0) => *self = Self::default(),
                Self::Body(left) => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX);
                    let length = length.min(bytes.len() - at);
                    at += length;
                    *left -= length as u64;
                }
                Self::LastBody => return false,
            }
        }
        false
    }
}

/// The head of a request, as far as it was read.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// Of the line under way, what came with earlier reads: its first bytes, its length, and the
    /// last byte.
    cut: Vec<u8>,
    cut_length: usize,
    last: u8,
    /// Whether the head has a line. Empty lines before the first one do not end it.
    has_line: bool,
    /// The `Content-Length`. hyper refuses a head with two that differ.
    length: Option<u64>,
    has_encoding: bool,
}

impl Head {
    /// Looks at more bytes. Once the head has ended in them: where it ends, and what is behind it.
    ///
    /// # Errors
    /// The place of the first line ending that this head must not have.
    fn follow(&mut self, bytes: &[u8]) -> Result<Option<(usize, Framing)>, usize> {
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let before = end.checked_sub(1).map_or(self.last, |at| bytes[at]);
            if before != b'\r' {
                return Err(end);
            }
            // Without CR and LF; the CR belongs to this line, wherever it came.
            let length = self.cut_length + end - begin - 1;
            if length > 0 {
                self.has_line = true;
                let is_plain = if self.cut_length == 0 {
                    self.see(&bytes[begin..end - 1], length)
                } else {
                    self.keep(&bytes[begin..end]);
                    let mut line = std::mem::take(&mut self.cut);
                    line.truncate(length);
                    self.see(&line, length)
                };
                if !is_plain {
                    return Err(end);
                }
            } else if self.has_line {
                let next = match (self.length, self.has_encoding) {
                    (Some(_), true) => return Err(end),
                    (None, true) => Framing::LastBody,
                    (length, false) => Framing::Body(length.unwrap_or(0)),
                };
                return Ok(Some((end + 1, next)));
            }
            self.cut.clear();
            self.cut_length = 0;
            begin = end + 1;
        }
        self.keep(&bytes[begin..]);
        self.last = bytes.last().copied().unwrap_or(self.last);
        Ok(None)
    }

    /// Keeps the first bytes of a line that has not ended.
    fn keep(&mut self, bytes: &[u8]) {
        let room = CUT_LINE_MAX_BYTES - self.cut.len();
        self.cut.extend(bytes.iter().take(room));
        self.cut_length += bytes.len();
    }

    /// Looks at a line of `length` bytes, of which the first are given. Returns whether it has one
    /// meaning.
    fn see(&mut self, line: &[u8], length: usize) -> bool {
        let value = |name: &[u8]| {
            let is_this = line.get(name.len()) == Some(&b':')
                && line[..name.len()].eq_ignore_ascii_case(name);
            is_this.then(|| &line[name.len() + 1..])
        };
        if let Some(digits) = value(b"content-length") {
            self.length = number(digits);
            return line.len() == length && self.length.is_some();
        }
        self.has_encoding |= value(b"transfer-encoding").is_some();
        true
    }
}

/// The number that a header has as its value.
fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let digits = text.trim_matches([' ', '\t']);
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for host in [
            "",
            "a",
            "streams.example.com.",
            "node_1:8080",
            "127.0.0.1:80",
            "[::1]",
            "[fe80::1%25eth0]:8080",
            "[v1.a:b]",
            "a:",
            "%41b%c3%A9:1",
            "-._~!$&'()*+,;=",
        ] {
            assert!(is_host(host.as_bytes()), "{host:?}");
        }
        for host in [
            "a, b", "a b", "a\tb", "a@b", "a/", "a/c", "a?", "a#", "a\\b", "a\"", "<a>", "a^",
            "a`", "a|b", "{a}", "a:b", "a:80:80", "a:+1", "::1", "%", "%4", "%4g", "a%zzb", "[",
            "[]", "[::1", "[::1]a", "[::1]]", "[::1/]", "[::1]:x", "a[::1]", "a]", "é",
        ] {
            assert!(!is_host(host.as_bytes()), "{host:?}");
        }
        assert!(!is_host(b"a\xff") && !is_host(b"a\0"));
    }

    /// Whether these reads, one after the other, are spoiled.
    fn is_spoiled(reads: &[&str]) -> bool {
        let mut framing = Framing::default();
        let mut is_spoiled = false;
        for read in reads {
            is_spoiled |= framing.follow(&mut read.as_bytes().to_vec());
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
        let mut framing = Framing::default();
        let mut bytes = format!("{head}{{\n").into_bytes();
        assert!(!framing.follow(&mut bytes));
        assert!(bytes.ends_with(b"\n"));
        assert!(!framing.follow(&mut b"\n}".to_vec()));
        assert!(!framing.follow(&mut HEAD.as_bytes().to_vec()));
        assert!(framing.follow(&mut b"GET / HTTP/1.1\n".to_vec()));
    }

    #[test]
    fn a_head_behind_a_body_is_checked_however_they_are_cut() {
        for length in ["4", " 4", "\t4 ", "0004"] {
            let first = format!("PUT /a HTTP/1.1\r\nCONTENT-Length:{length}\r\n\r\n{{\n\n}}");
            for (second, is_wrong) in [
                (HEAD, false),
                ("GET /a HTTP/1.1\nhost: x\n\n", true),
                ("PUT /a HTTP/1.1\r\nhost: x\n\r\n", true),
                (
                    "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
                    true,
                ),
            ] {
                let bytes = format!("{first}{first}{second}");
                assert_eq!(is_spoiled(&[&bytes]), is_wrong, "{bytes:?}");
                for at in 0..bytes.len() {
                    let (left, right) = bytes.split_at(at);
                    assert_eq!(is_spoiled(&[left, right]), is_wrong, "{left:?} {right:?}");
                }
            }
        }
    }

    #[test]
    fn a_length_that_is_no_plain_number_spoils_the_head_however_it_is_cut() {
        let long = format!("{}4", "0".repeat(CUT_LINE_MAX_BYTES));
        for length in [
            "",
            "+4",
            "4, 4",
            "4 4",
            "-1",
            "0x4",
            "18446744073709551616",
            "\u{b2}",
        ] {
            let head = format!("PUT /a HTTP/1.1\r\ncontent-length: {length}\r\n\r\n");
            assert!(is_spoiled(&[&head]), "{length:?}");
            for (at, _) in head.char_indices() {
                let (left, right) = head.split_at(at);
                assert!(is_spoiled(&[left, right]), "{left:?} {right:?}");
            }
        }
        // As long as this only where it is cut, because the rest of the line is not kept.
        let head = format!("PUT /a HTTP/1.1\r\ncontent-length: {long}\r\n\r\n");
        assert!(!is_spoiled(&[&head]));
        assert!(is_spoiled(&[&head[..40], &head[40..]]));
    }

    #[test]
    fn nothing_behind_a_chunked_body_is_checked() {
        let head = "PUT /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
        assert!(!is_spoiled(&[head, "GET / HTTP/1.1\n\n"]));
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
