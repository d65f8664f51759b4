//! The listening socket, with its backlog.

use std::io;
use std::net::SocketAddr;

use streamgate_core::bounds::BACKLOG_MAX;
use tokio::net::{TcpListener, TcpSocket};

/// Listens on this address.
pub(super) fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = match listen {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of a process before this one may linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG_MAX)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    /// Most connections that this system lets wait.
    fn system_max() -> usize {
        let max = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        max.trim().parse().unwrap()
    }

    #[tokio::test]
    async fn connections_that_come_all_at_once_find_room_in_the_backlog() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        for i in 0..system_max().min(800) {
            // One that finds no room is tried again after a second.
            let stream = TcpStream::connect_timeout(&address, Duration::from_millis(900));
            waiting.push(stream.unwrap_or_else(|error| panic!("connection {i}: {error}")));
        }
    }
}
