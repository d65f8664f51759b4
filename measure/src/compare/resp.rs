//! RESP2, the protocol of Redis: requests written, and answers framed for the load generator.
//!
//! What is *not* here: arrays and maps, because nothing that is asked here is answered by one.

use std::borrow::Cow;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use streamgate_loadgen::{Answer, Framed, Malformed};

use crate::Result;

/// Longest answer that is taken.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// The status of an answer that is no error; what it says is the body.
const OK: u16 = 200;

/// The status of an error; what it says is the body.
const ERROR: u16 = 500;

/// The framing of RESP2 (`streamgate_loadgen::Framing`).
pub(crate) fn resp(bytes: &[u8], _ended: bool) -> std::result::Result<Framed<'_>, Malformed> {
    let Some(kind) = bytes.first() else {
        return Ok(Framed::Incomplete { at_least: 1 });
    };
    let rest = bytes.get(1..).unwrap_or_default();
    let Some(line) = rest.windows(2).position(|pair| pair == b"\r\n") else {
        return incomplete(bytes.len() + 1);
    };
    let (begin, end) = (1, 1 + line);
    match kind {
        b'+' | b':' => Ok(whole(OK, bytes, begin..end)),
        b'-' => Ok(whole(ERROR, bytes, begin..end)),
        b'$' => {
            let length = bytes.get(begin..end).unwrap_or_default();
            if length == b"-1" {
                return Ok(whole(OK, bytes, end..end));
            }
            let length = std::str::from_utf8(length).map_err(|_| Malformed)?;
            let length: usize = length.parse().map_err(|_| Malformed)?;
            let begin = end + 2;
            let end = begin.checked_add(length).ok_or(Malformed)?;
            match bytes.get(end..).unwrap_or_default() {
                [b'\r', b'\n', ..] => Ok(whole(OK, bytes, begin..end)),
                [] | [b'\r'] => incomplete(end.saturating_add(2)),
                _ => Err(Malformed),
            }
        }
        _ => Err(Malformed),
    }
}

/// The answer that stands there, with the end of its line behind it.
fn whole(status: u16, bytes: &[u8], body: std::ops::Range<usize>) -> Framed<'_> {
    let length = body.end + 2;
    Framed::Whole {
        answer: Answer {
            status,
            body: Cow::Borrowed(bytes.get(body).unwrap_or_default()),
        },
        length,
        stays_open: true,
    }
}

fn incomplete(at_least: usize) -> std::result::Result<Framed<'static>, Malformed> {
    if at_least > ANSWER_MAX_BYTES {
        return Err(Malformed);
    }
    Ok(Framed::Incomplete { at_least })
}

/// Appends how many arguments there will be.
pub(crate) fn write_count(count: usize, out: &mut Vec<u8>) {
    // Writing to memory cannot fail, here and below.
    let _ = write!(out, "*{count}\r\n");
}

/// Appends an argument.
pub(crate) fn write_argument(argument: &[u8], out: &mut Vec<u8>) {
    let _ = write!(out, "${}\r\n", argument.len());
    out.extend_from_slice(argument);
    out.extend_from_slice(b"\r\n");
}

/// Asks, waits, and gives what was answered.
pub(crate) fn ask(stream: &mut TcpStream, arguments: &[&str]) -> Result<String> {
    let mut request = Vec::new();
    write_count(arguments.len(), &mut request);
    for argument in arguments {
        write_argument(argument.as_bytes(), &mut request);
    }
    stream.write_all(&request)?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        if let Framed::Whole { answer, .. } = resp(&bytes, false)? {
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            return match answer.status {
                OK => Ok(said),
                _ => {
                    Err(format!("redis-server answers {} with {said}", arguments.join(" ")).into())
                }
            };
        }
        match stream.read(&mut buffer)? {
            0 => return Err("redis-server closed a connection".into()),
            read => bytes.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says_and_not_before() {
        let all: [(&[u8], u16, &[u8]); 7] = [
            (b"+OK\r\n", 200, b"OK"),
            (b":1\r\n", 200, b"1"),
            (b":-17\r\n", 200, b"-17"),
            (b"-NOSCRIPT No such\r\n", 500, b"NOSCRIPT No such"),
            (b"$7\r\na\r\nb\r\nc\r\n", 200, b"a\r\nb\r\nc"),
            (b"$0\r\n\r\n", 200, b""),
            (b"$-1\r\n", 200, b""),
        ];
        for (bytes, status, body) in all {
            for cut in 0..bytes.len() {
                match resp(&bytes[..cut], false) {
                    Ok(Framed::Incomplete { at_least }) => {
                        assert!(cut < at_least && at_least <= bytes.len(), "{bytes:?} {cut}");
                    }
                    other => panic!("{bytes:?} {cut}: {other:?}"),
                }
            }
            // What follows is the next answer.
            let more = [bytes, b":0\r\n"].concat();
            let expected = Framed::Whole {
                answer: Answer {
                    status,
                    body: Cow::Borrowed(body),
                },
                length: bytes.len(),
                stays_open: true,
            };
            assert_eq!(resp(&more, false), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_answer_is_told_from_one_that_is_not_there_yet() {
        for bytes in [
            "HTTP/1.1 200 OK\r\n",
            "$x\r\n",
            "$-2\r\n",
            "$3\r\nabcdef\r\n",
            "$99999999\r\n",
            "*1\r\n:1\r\n",
        ] {
            assert_eq!(resp(bytes.as_bytes(), false), Err(Malformed), "{bytes}");
        }
    }

    #[test]
    fn requests_say_how_long_their_arguments_are() {
        let mut out = Vec::new();
        write_count(2, &mut out);
        write_argument(b"GET", &mut out);
        write_argument("ä\r\n".as_bytes(), &mut out);
        assert_eq!(out, "*2\r\n$3\r\nGET\r\n$4\r\nä\r\n\r\n".as_bytes());
    }
}
