//! Players that call a node, each over a connection of its own that stays open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;

/// One kind of call, for any number.
pub(crate) trait Calls: Send + Sync + 'static {
    /// Method, path and body of the call with this number.
    fn call(&self, number: u64) -> (&'static str, String, String);
}

/// Sends the calls with the numbers below `count`, so many at once as there are connections, and
/// wants each to be answered with this status.
pub(crate) async fn drive(
    to: SocketAddr,
    connections: usize,
    count: u64,
    calls: Arc<dyn Calls>,
    status: u16,
) -> Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let mut players: JoinSet<Result<()>> = JoinSet::new();
    for _ in 0..connections {
        let (next, calls) = (Arc::clone(&next), Arc::clone(&calls));
        players.spawn(async move {
            let mut connection = Connection::open(to).await?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                let (method, path, body) = calls.call(number);
                let (is, said) = connection.call(method, &path, &body).await?;
                if is != status {
                    return Err(format!("{method} {path}: {is}, not {status}: {said}").into());
                }
            }
        });
    }
    while let Some(player) = players.join_next().await {
        player??;
    }
    Ok(())
}

/// A connection that carries one call after the other.
struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    async fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::with_capacity(4_096),
        })
    }

    /// Sends a call and reads its answer: the status, and the body.
    async fn call(&mut self, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.read.clear();
        let head_end = loop {
            if let Some(at) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let head = std::str::from_utf8(&self.read[..head_end])?.to_lowercase();
        let status = head.split(' ').nth(1).ok_or("an answer has a status")?;
        let status = status.parse()?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(Ok(0), |length| length.trim().parse::<usize>())?;
        while self.read.len() < head_end + length {
            self.read_more().await?;
        }
        let body = String::from_utf8_lossy(&self.read[head_end..]).into_owned();
        Ok((status, body))
    }

    async fn read_more(&mut self) -> Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err("the node closed a connection".into()),
            _ => Ok(()),
        }
    }
}
