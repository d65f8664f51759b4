//! HTTP/1.1 over a plain socket, without a runtime: a test can stop in the middle of a request or
//! send bytes that are none.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;

/// How long an answer may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request that is sent, or of which the head and perhaps a part of the body is.
#[derive(Debug)]
pub struct Request {
    stream: TcpStream,
}

/// Sends a whole request and gives the answer. `key` is sent as `x-api-key`.
pub fn call(
    to: SocketAddr,
    method: &str,
    path: &str,
    key: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let body = body.map(Value::to_string).unwrap_or_default();
    let key = key.map_or_else(String::new, |key| format!("x-api-key: {key}\r\n"));
    let mut request = Request::head(to, method, path, &key, body.len());
    request.send(body.as_bytes());
    request.answer()
}

/// What a server says once it reads the body of a request that waits for this word.
const CONTINUE: &[u8; 25] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl Request {
    /// Sends the head of a request whose body will be `length` bytes long, and waits until the
    /// server asks for it: from then on the request is certainly under way.
    pub fn begin(to: SocketAddr, method: &str, path: &str, length: usize) -> Self {
        let mut request = Self::head(to, method, path, "expect: 100-continue\r\n", length);
        let mut said = [0; CONTINUE.len()];
        request
            .stream
            .read_exact(&mut said)
            .expect("the server asks for the body");
        assert_eq!(&said, CONTINUE, "{}", String::from_utf8_lossy(&said));
        request
    }

    /// Sends a whole request without a body. Does not wait for the server to take it: the server may
    /// be stopped.
    pub fn sent(to: SocketAddr, method: &str, path: &str) -> Self {
        Self::head(to, method, path, "", 0)
    }

    fn head(to: SocketAddr, method: &str, path: &str, headers: &str, length: usize) -> Self {
        let mut stream = connect(to);
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n{headers}\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream
            .write_all(head.as_bytes())
            .expect("the server takes the head");
        Self { stream }
    }

    /// Sends a part of the body.
    pub fn send(&mut self, part: &[u8]) {
        self.stream.write_all(part).expect("the server takes it");
    }

    /// Reads the answer.
    pub fn answer(self) -> Answer {
        // The connection is closed after the answer.
        read_answer(&mut BufReader::new(self.stream))
    }
}

/// Sends these bytes, whatever they are, and gives the answer. They should ask for the connection
/// to be closed; the length that the answer states must be the one it has.
pub fn exchange(to: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = connect(to);
    // A server that refuses early need not take the rest, and may reset the connection over it
    // after its answer.
    let _ = stream.write_all(bytes);
    let mut said = Vec::new();
    if let Err(error) = stream.read_to_end(&mut said) {
        let reset = error.kind() == ErrorKind::ConnectionReset;
        assert!(reset && !said.is_empty(), "{error} after {said:?}");
    }
    let answer = read_answer(&mut said.as_slice());
    let has_body = !bytes.starts_with(b"HEAD ");
    if let (true, Ok(length)) = (has_body, answer.header("content-length").parse::<usize>()) {
        assert_eq!(answer.text.len(), length, "{answer:?}");
    }
    answer
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("the server listens");
    let set = stream.set_read_timeout(Some(PATIENCE));
    set.expect("a timeout is a usual option");
    stream
}

/// Reads an answer to the end of what comes.
fn read_answer(reader: &mut impl BufRead) -> Answer {
    let status = line(reader);
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut headers = Vec::new();
    loop {
        let header = line(reader);
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer {
        status: status.expect("an answer has a status"),
        headers,
        text: String::new(),
    };
    let body = match answer.header("transfer-encoding") {
        "chunked" => read_chunks(reader),
        _ => {
            let mut body = Vec::new();
            reader.read_to_end(&mut body).expect("the body ends");
            body
        }
    };
    answer.text = String::from_utf8(body).expect("the body is UTF-8");
    answer
}

/// Reads a body that comes in pieces, to its proper end.
fn read_chunks(reader: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let size = line(reader);
        let size = u64::from_str_radix(&size, 16).expect("a piece begins with its size");
        let before = body.len();
        let piece = reader.by_ref().take(size).read_to_end(&mut body);
        piece.expect("a piece comes");
        assert_eq!((body.len() - before) as u64, size, "the answer was cut off");
        line(reader);
        if size == 0 {
            return body;
        }
    }
}

fn line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("an answer comes");
    line.trim_end().to_owned()
}
