//! Where an answer ends: HTTP/1.1 framing over `httparse`, without a client around it.
//!
//! A client crate does far more than a load generator needs. Against a trivial server on the same
//! machine, one thread and 64 connections, hyper's client cost 9.5 to 12.8 µs of processor a
//! request, this 5.4 to 6.5, and the bare system calls 5.4 to 5.9.
//!
//! What is *not* here: answers to HEAD and CONNECT, whose body depends on the request.

use std::borrow::Cow;

use httparse::{EMPTY_HEADER, Header, Status};

/// Headers that an answer may have.
const HEADERS_MAX: usize = 64;

/// Longest answer that is taken, head and body.
const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;

/// An answer that is there to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The body, without its framing.
    pub body: Cow<'a, [u8]>,
}

/// What the bytes that have come so far are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Framed<'a> {
    /// A whole answer.
    Whole {
        /// The answer.
        answer: Answer<'a>,
        /// How many bytes it takes, framing included.
        length: usize,
        /// Whether the connection can carry another request.
        stays_open: bool,
    },
    /// The beginning of an answer.
    Incomplete {
        /// How many bytes there must be before it is worth another look.
        at_least: usize,
    },
}

/// The bytes are no HTTP/1, or longer than any answer should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Finds the end of an answer in the bytes that have come so far; `ended` says that no more will
/// come.
pub(crate) fn http1(bytes: &[u8], ended: bool) -> Result<Framed<'_>, Malformed> {
    let mut at = 0;
    loop {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(bytes.get(at..).unwrap_or_default());
        let Status::Complete(head) = parsed.map_err(|_| Malformed)? else {
            return incomplete(bytes.len() + 1);
        };
        at += head;
        let status = response.code.ok_or(Malformed)?;
        // Those below are on the way, such as early hints; the answer is still to come.
        if status >= 200 {
            let head = Head::of(status, response.version == Some(1), response.headers)?;
            return head.frame(bytes, at, ended);
        }
    }
}

/// What a head says of what follows.
struct Head {
    status: u16,
    body: Body,
    stays_open: bool,
}

/// What marks the end of a body.
enum Body {
    /// So many bytes.
    Length(usize),
    Chunked,
    /// By the end of the connection.
    UntilEnd,
}

impl Head {
    fn of(status: u16, is_1_1: bool, headers: &[Header<'_>]) -> Result<Self, Malformed> {
        let mut head = Self {
            status,
            body: Body::UntilEnd,
            stays_open: is_1_1,
        };
        for header in headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                // Where both are said, chunks count.
                if !matches!(head.body, Body::Chunked) {
                    head.body = Body::Length(length(header.value)?);
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                head.body = Body::Chunked;
            } else if header.name.eq_ignore_ascii_case("connection") {
                let has = |word: &[u8]| {
                    let mut words = header.value.split(|&byte| byte == b',');
                    words.any(|it| it.trim_ascii().eq_ignore_ascii_case(word))
                };
                head.stays_open = !has(b"close") && (is_1_1 || has(b"keep-alive"));
            }
        }
        if matches!(status, 204 | 304) {
            head.body = Body::Length(0);
        }
        Ok(head)
    }

    /// Finds the end of the body, which begins at `at`.
    fn frame(self, bytes: &[u8], at: usize, ended: bool) -> Result<Framed<'_>, Malformed> {
        let (body, length) = match self.body {
            Body::Length(body) => {
                let length = at.checked_add(body).ok_or(Malformed)?;
                match bytes.get(at..length) {
                    Some(body) => (Cow::Borrowed(body), length),
                    None => return incomplete(length),
                }
            }
            Body::Chunked => match chunks(bytes, at)? {
                Chunks::Whole { body, length } => (Cow::Owned(body), length),
                Chunks::Incomplete { at_least } => return incomplete(at_least),
            },
            Body::UntilEnd if ended => (
                Cow::Borrowed(bytes.get(at..).unwrap_or_default()),
                bytes.len(),
            ),
            Body::UntilEnd => return incomplete(bytes.len() + 1),
        };
        let stays_open = self.stays_open && !matches!(self.body, Body::UntilEnd);
        Ok(Framed::Whole {
            answer: Answer {
                status: self.status,
                body,
            },
            length,
            stays_open,
        })
    }
}

enum Chunks {
    Whole { body: Vec<u8>, length: usize },
    Incomplete { at_least: usize },
}

/// Reads a body in chunks that begins at `at`, trailers included.
fn chunks(bytes: &[u8], mut at: usize) -> Result<Chunks, Malformed> {
    let mut body = Vec::new();
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let parsed = httparse::parse_chunk_size(rest).map_err(|_| Malformed)?;
        let Status::Complete((line, size)) = parsed else {
            let at_least = bytes.len() + 1;
            return Ok(Chunks::Incomplete { at_least });
        };
        at += line;
        if size == 0 {
            return Ok(trailers(bytes, at, body));
        }
        let size = usize::try_from(size).map_err(|_| Malformed)?;
        let end = at.checked_add(size).filter(|end| *end <= ANSWER_MAX_BYTES);
        let end = end.ok_or(Malformed)?;
        match bytes.get(at..end + 2) {
            Some(chunk) if chunk.ends_with(b"\r\n") => {
                body.extend_from_slice(chunk.get(..size).unwrap_or_default());
                at = end + 2;
            }
            Some(_) => return Err(Malformed),
            None => return Ok(Chunks::Incomplete { at_least: end + 2 }),
        }
    }
}

/// The empty line after the last chunk, and the trailers before it.
fn trailers(bytes: &[u8], mut at: usize, body: Vec<u8>) -> Chunks {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match rest.windows(2).position(|pair| pair == b"\r\n") {
            Some(0) => {
                let length = at + 2;
                return Chunks::Whole { body, length };
            }
            Some(line) => at += line + 2,
            None => {
                let at_least = bytes.len() + 1;
                return Chunks::Incomplete { at_least };
            }
        }
    }
}

/// The length of a body.
fn length(digits: &[u8]) -> Result<usize, Malformed> {
    let digits = std::str::from_utf8(digits).map_err(|_| Malformed)?;
    let length = digits.parse().map_err(|_| Malformed)?;
    (length <= ANSWER_MAX_BYTES)
        .then_some(length)
        .ok_or(Malformed)
}

fn incomplete(at_least: usize) -> Result<Framed<'static>, Malformed> {
    if at_least > ANSWER_MAX_BYTES {
        return Err(Malformed);
    }
    Ok(Framed::Incomplete { at_least })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole answer in the bytes: status, body, length, and whether the connection stays.
    #[track_caller]
    fn whole(bytes: &[u8], ended: bool) -> (u16, Vec<u8>, usize, bool) {
        match http1(bytes, ended).unwrap() {
            Framed::Whole {
                answer,
                length,
                stays_open,
            } => (answer.status, answer.body.into_owned(), length, stays_open),
            Framed::Incomplete { at_least } => panic!("{at_least} bytes at least"),
        }
    }

    #[test]
    fn an_answer_ends_where_its_framing_says_and_not_before() {
        let hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
        let length = b"HTTP/1.1 201 Created\r\ncontent-type: a/b\r\nContent-Length: 5\r\n\r\nhello";
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
            3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nx: y\r\n\r\n";
        let nothing = b"HTTP/1.1 204 No Content\r\n\r\n";
        let all: [(&[u8], u16, &[u8]); 3] = [
            (length, 201, b"hello"),
            (chunked, 200, b"hello"),
            (nothing, 204, b""),
        ];
        for (answer, status, body) in all {
            for bytes in [answer.to_vec(), [hints, answer].concat()] {
                for cut in 0..bytes.len() {
                    match http1(&bytes[..cut], false).unwrap() {
                        Framed::Incomplete { at_least } => {
                            assert!(cut < at_least && at_least <= bytes.len());
                        }
                        whole => panic!("{cut}: {whole:?}"),
                    }
                }
                let more = [bytes.as_slice(), b"HTTP"].concat();
                let expected = (status, body.to_vec(), bytes.len(), true);
                assert_eq!(whole(&more, false), expected);
            }
        }
    }

    #[test]
    fn connections_stay_open_as_the_versions_of_http_say() {
        for (head, stays) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0", true),
            (
                "HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 0",
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\nconnection: x, close\r\ncontent-length: 0",
                false,
            ),
            ("HTTP/1.0 200 OK\r\ncontent-length: 0", false),
            (
                "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0",
                true,
            ),
        ] {
            let (.., stays_open) = whole(format!("{head}\r\n\r\n").as_bytes(), false);
            assert_eq!(stays_open, stays, "{head}");
        }
    }

    #[test]
    fn a_body_without_a_length_ends_with_its_connection() {
        let bytes = b"HTTP/1.1 200 OK\r\n\r\nall of it";
        let unfinished = http1(bytes, false).unwrap();
        assert!(matches!(unfinished, Framed::Incomplete { .. }));
        let expected = (200, b"all of it".to_vec(), bytes.len(), false);
        assert_eq!(whole(bytes, true), expected);
    }

    #[test]
    fn malformed_answers_are_distinguished_from_incomplete_ones() {
        for bytes in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc",
        ] {
            assert_eq!(http1(bytes.as_bytes(), false), Err(Malformed), "{bytes}");
        }
    }
}
