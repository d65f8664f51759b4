//! A client that does little: its part of a call is measured alone, and taken off.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Builder;

use crate::Result;
use crate::callgrind::laps;

/// Room for a whole batch: how it falls into pieces would depend on the machine, else.
pub(super) const SOCKET_BYTES: u32 = 1 << 20;

/// An answer of the usual length.
const ANSWER: &str = "HTTP/1.1 200 OK\r\n\
    content-type: application/json\r\n\
    x-request-id: 4f1d7c3a9b2e6058-0000000000000001\r\n\
    content-length: 140\r\n\
    date: Fri, 15 Jan 2027 08:00:00 GMT\r\n\
    \r\n\
    {\"session_id\":\"0193503c-5d3e-7c4a-9a3b-000000000000\",\
    \"expires_at\":\"2027-01-15T08:01:30.000Z\",\"heartbeat_interval_s\":30,\"limit\":3,\"active\":2}";

/// A request, and how it is answered.
pub(super) struct Request {
    bytes: Vec<u8>,
    status: u16,
}

impl Request {
    /// A request with a key and a JSON body, or none.
    pub(super) fn new(method: &str, path: &str, key: &str, body: &str, status: u16) -> Self {
        Self::with(method, path, &format!("x-api-key: {key}"), body, status)
    }

    /// A request with a credential in a header, and a JSON body, or none.
    pub(super) fn with(
        method: &str,
        path: &str,
        credential: &str,
        body: &str,
        status: u16,
    ) -> Self {
        let content_type = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        let length = body.len();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nhost: streamgate\r\n{credential}\r\n{content_type}\
             content-length: {length}\r\n\r\n{body}"
        );
        Self {
            bytes: text.into_bytes(),
            status,
        }
    }
}

/// A connection that stays open.
pub(super) struct Client {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Client {
    /// Connects.
    pub(super) async fn connect(to: SocketAddr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_send_buffer_size(SOCKET_BYTES)?;
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            answer: Vec::with_capacity(4_096),
        })
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn call(&mut self, request: &Request) -> Result<()> {
        self.send(request).await?;
        self.receive(request).await
    }

    async fn send(&mut self, request: &Request) -> Result<()> {
        Ok(self.stream.write_all(&request.bytes).await?)
    }

    async fn receive(&mut self, request: &Request) -> Result<()> {
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            match status(&self.answer)? {
                None => {}
                Some(status) if status == request.status => return Ok(()),
                Some(status) => {
                    let answer = String::from_utf8_lossy(&self.answer);
                    return Err(format!("{status}, not {}: {answer}", request.status).into());
                }
            }
        }
    }
}

/// The status of an answer; `None` where it is not whole yet.
fn status(answer: &[u8]) -> Result<Option<u16>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = head.parse(answer)? else {
        return Ok(None);
    };
    let mut body_bytes = 0;
    for header in &*head.headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            body_bytes = std::str::from_utf8(header.value)?.parse()?;
        }
    }
    match answer.len() - head_bytes {
        more if more > body_bytes => Err("there is more than one answer".into()),
        less if less < body_bytes => Ok(None),
        _ => Ok(head.code),
    }
}

/// The client's part of a call: the answer comes from a plain socket.
pub(in crate::paths) fn alone(repetitions: u64) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut client = Client::connect(listener.local_addr()?).await?;
        let (mut peer, _) = listener.accept()?;
        peer.set_nodelay(true)?;
        let path = "/v1/users/u/sessions/s/heartbeat";
        let request = Request::new("POST", path, "key", "", 200);
        let mut received = vec![0; request.bytes.len()];
        for request in laps(&[request], repetitions) {
            client.send(request).await?;
            peer.read_exact(&mut received)?;
            peer.write_all(ANSWER.as_bytes())?;
            client.receive(request).await?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        assert_eq!(status(ANSWER.as_bytes()).unwrap(), Some(200));
        for len in 0..ANSWER.len() {
            assert_eq!(status(&ANSWER.as_bytes()[..len]).unwrap(), None, "{len}");
        }
        let none = b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n";
        assert_eq!(status(none).unwrap(), Some(204));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for wrong in [
            &b"PUT / HTTP/1.1\r\n\r\n"[..],
            b"HTTP/1.1 204 No\r\n\r\nmore",
        ] {
            assert!(status(wrong).is_err());
        }
    }
}
