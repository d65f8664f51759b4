//! An HTTP server that keeps what is posted to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::thread;

/// What was posted.
#[derive(Debug)]
pub(crate) struct Posted {
    /// The request line and the headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// How the receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    /// 200.
    Well,
    /// Never.
    Never,
    /// 503.
    Unavailable,
}

/// A receiver on a port of its own.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    posted: mpsc::Receiver<Posted>,
}

impl Receiver {
    pub(crate) fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, posted) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let sender = sender.clone();
                thread::spawn(move || receive(&stream.unwrap(), answers, &sender));
            }
        });
        Self { address, posted }
    }

    /// Everything that has been posted.
    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.try_iter().collect()
    }
}

/// Takes requests of one connection until it ends.
fn receive(stream: &TcpStream, answers: Answers, sender: &Sender<Posted>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|it| it.strip_prefix("content-length: "));
        let length = length.map_or(0, |it| it.parse().unwrap());
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        // The test may be over.
        let _ = sender.send(Posted { head, body });
        let status = match answers {
            Answers::Well => "200 OK",
            Answers::Unavailable => "503 Service Unavailable",
            // Until the client has closed the connection.
            Answers::Never => {
                let _ = reader.read(&mut [0]);
                return;
            }
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        if (&*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
