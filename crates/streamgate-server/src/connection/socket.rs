//! The stream of a connection, in clear text or over TLS.

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::connection::delivery::Delivery;
use crate::connection::stall::Unread;

/// The stream of a connection. One type for both, so that the code of a connection exists once.
#[derive(Debug)]
pub(crate) enum Socket {
    Plain(Delivery),
    Tls(Box<Encrypted>),
}

/// A stream over TLS. However it is dropped, the client is told that the server has ended it
/// (`close_notify`): clients take a bare FIN for an attack (truncation).
#[derive(Debug)]
pub(crate) struct Encrypted(TlsStream<Delivery>);

impl From<TlsStream<Delivery>> for Socket {
    fn from(stream: TlsStream<Delivery>) -> Self {
        Self::Tls(Box::new(Encrypted(stream)))
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        let (delivery, connection) = self.0.get_mut();
        // Does nothing if it was sent.
        connection.send_close_notify();
        let mut direct = Direct(delivery.socket());
        while connection.wants_write() {
            match connection.write_tls(&mut direct) {
                Ok(written) if written > 0 => {}
                // The client reads nothing, or has gone.
                _ => break,
            }
        }
    }
}

/// Writes what the system takes at once.
struct Direct<'a>(&'a TcpStream);

impl Write for Direct<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Unread for Socket {
    fn has_unread(&self) -> bool {
        match self {
            Self::Plain(delivery) => delivery.has_unread(),
            Self::Tls(stream) => stream.0.get_ref().0.has_unread(),
        }
    }

    fn poll_hung_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Plain(delivery) => delivery.poll_hung_up(cx),
            Self::Tls(stream) => stream.0.get_mut().0.poll_hung_up(cx),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(delivery) => Pin::new(delivery).poll_read(cx, buf),
            Self::Tls(stream) => match Pin::new(&mut stream.0).poll_read(cx, buf) {
                // A FIN without `close_notify` is a FIN: a request says itself where it ends, so
                // a truncated one cannot be taken for a whole one.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                read => read,
            },
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(delivery) => Pin::new(delivery).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(&mut stream.0).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(delivery) => Pin::new(delivery).poll_write_vectored(cx, bytes),
            Self::Tls(stream) => Pin::new(&mut stream.0).poll_write_vectored(cx, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(delivery) => delivery.is_write_vectored(),
            Self::Tls(stream) => stream.0.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(delivery) => Pin::new(delivery).poll_flush(cx),
            Self::Tls(stream) => Pin::new(&mut stream.0).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(delivery) => Pin::new(delivery).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(&mut stream.0).poll_shutdown(cx),
        }
    }
}
