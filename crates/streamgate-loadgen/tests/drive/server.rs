//! Servers that do as they are told: what is measured of them is known beforehand.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// What a server does with a request.
pub(crate) enum Reply {
    /// Answers.
    Bytes(String),
    /// Answers, each part as a packet of its own.
    Parts(Vec<String>),
    /// Answers, and closes the connection.
    Last(String),
    /// Closes the connection.
    Close,
    /// Says nothing, and keeps the connection.
    Silence,
}

/// An answer with a status and no body.
pub(crate) fn status(status: u16) -> String {
    format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n")
}

/// Serves for as long as the test runs. `reply` hears which request of all it is, counted from 0,
/// and its first line.
pub(crate) fn serve(reply: impl Fn(u64, &str) -> Reply + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (reply, count) = (Arc::new(reply), Arc::new(AtomicU64::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            let (reply, count) = (Arc::clone(&reply), Arc::clone(&count));
            thread::spawn(move || {
                let writer = stream.try_clone().unwrap();
                let next = || count.fetch_add(1, Ordering::SeqCst);
                talk(BufReader::new(stream), writer, &*reply, &next);
            });
        }
    });
    address
}

/// Answers the requests of one connection, whatever carries it.
pub(crate) fn talk(
    mut reader: impl BufRead,
    mut writer: impl Write,
    reply: &dyn Fn(u64, &str) -> Reply,
    next: &dyn Fn() -> u64,
) {
    while let Some(line) = request(&mut reader) {
        let (parts, goes_on) = match reply(next(), &line) {
            Reply::Bytes(answer) => (vec![answer], true),
            Reply::Parts(parts) => (parts, true),
            Reply::Last(answer) => (vec![answer], false),
            Reply::Close => (Vec::new(), false),
            Reply::Silence => (Vec::new(), true),
        };
        for part in parts {
            // The generator may have given up.
            if writer
                .write_all(part.as_bytes())
                .and_then(|()| writer.flush())
                .is_err()
            {
                return;
            }
        }
        if !goes_on {
            return;
        }
    }
}

/// Reads a request to its end; its first line. Nothing, once the connection is closed.
fn request(reader: &mut impl BufRead) -> Option<String> {
    let (mut first, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        first.get_or_insert_with(|| line.to_owned());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    first
}

/// Lets time pass: a server that stalls.
pub(crate) fn stall(time: Duration) {
    let (_sender, nothing) = channel::<()>();
    // Nobody ever sends, so it is the time that ends it.
    nothing.recv_timeout(time).unwrap_err();
}

/// An address that refuses connections: it was free, and nobody listens there.
pub(crate) fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert!(TcpStream::connect(address).is_err());
    address
}
