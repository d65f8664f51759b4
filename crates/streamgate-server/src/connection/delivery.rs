//! The socket of a connection, below TLS: the timeout of a client that does not read, write errors
//! of a client that has gone, and the bound of what a client sends before it is spoken to.
//!
//! **A client that has vanished** (a power cut, a lost radio) sends no FIN, and reads nothing. An
//! event stream writes so little that its send buffer never fills, so no write waits and the timer
//! here is never armed; the kernel alone would send again for a quarter of an hour, in which a
//! stream that is a heartbeat would renew its lease. `TCP_USER_TIMEOUT` bounds that by the same
//! timeout: the kernel ends a connection once what was sent has not been acknowledged for so long.
//! A slow client that lives acknowledges what it takes.
//!
//! **A client that has gone.** hyper is set to `half_close`, so a FIN cancels no request: it is
//! read once the requests before it are answered. That leaves the write error. What cannot be
//! delivered is discarded here without an error, because hyper would drop the pipelined requests
//! behind the answer, and TLS the request behind its handshake. The end of the input then ends the
//! connection.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::connection::in_flight::RequestInFlight;
use crate::connection::stall::{EVENT_DELAY, Unread};

/// A socket whose writes fail with `TimedOut` once its client has read nothing for too long, and
/// never because the client has gone.
#[derive(Debug)]
pub(crate) struct Delivery {
    socket: TcpStream,
    /// How long the client may leave an answer waiting.
    timeout: Duration,
    in_flight: RequestInFlight,
    /// Armed while a write waits, which is rare.
    timer: Option<WriteTimer>,
    /// Armed while a FIN is waited for behind unread bytes, which is rare.
    look_again: Option<Pin<Box<Sleep>>>,
    /// Set while a handshake is under way.
    flight: Option<Flight>,
}

/// How long a FIN behind unread bytes may go unnoticed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a client sends in one turn of a handshake (a flight): until something is written to it.
#[derive(Debug)]
struct Flight {
    max_bytes: usize,
    read_bytes: usize,
}

/// The error of a read once a client has sent more than a flight may have.
#[derive(Debug, thiserror::Error)]
#[error("more than a handshake takes")]
pub(crate) struct FlightTooLong;

/// The timer of a waiting write.
#[derive(Debug)]
struct WriteTimer {
    sleep: Pin<Box<Sleep>>,
    /// Whether it has fired once, and is armed again for [`EVENT_DELAY`].
    has_fired: bool,
}

impl Delivery {
    pub(crate) fn new(socket: TcpStream, timeout: Duration, in_flight: RequestInFlight) -> Self {
        if let Err(error) = set_user_timeout(&socket, timeout) {
            tracing::debug!(%error, "TCP_USER_TIMEOUT could not be set");
        }
        Self {
            socket,
            timeout,
            in_flight,
            timer: None,
            look_again: None,
            flight: None,
        }
    }

    /// Has reads fail with [`FlightTooLong`] once more than `max_bytes` have come since the last
    /// write. `None`: there is no such bound.
    pub(crate) fn bound_flights(&mut self, max_bytes: Option<usize>) {
        self.flight = max_bytes.map(|max_bytes| Flight {
            max_bytes,
            read_bytes: 0,
        });
    }

    /// The socket itself.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The result of a write of `length` bytes: `TimedOut` after too long a wait, and success if
    /// the client has gone.
    fn write_result(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(written) => {
                self.timer = None;
                if let Some(flight) = &mut self.flight {
                    flight.read_bytes = 0;
                }
                Poll::Ready(Ok(written.unwrap_or_else(|error| {
                    tracing::debug!(%error, "a client has gone before its answer");
                    self.in_flight.set_client_gone();
                    length
                })))
            }
            Poll::Pending => {
                ready!(self.poll_timeout(cx));
                Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client does not read its answer",
                )))
            }
        }
    }

    /// Completes once a write has waited for its timeout.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| WriteTimer {
            sleep: Box::pin(sleep(timeout)),
            has_fired: false,
        });
        ready!(timer.sleep.as_mut().poll(cx));
        if timer.has_fired {
            return Poll::Ready(());
        }
        timer.has_fired = true;
        timer.sleep.set(sleep(EVENT_DELAY));
        timer.sleep.as_mut().poll(cx)
    }
}

/// Bounds how long what was sent may stay unacknowledged.
#[cfg(target_os = "linux")]
fn set_user_timeout(socket: &TcpStream, timeout: Duration) -> io::Result<()> {
    let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(socket, timeout_ms).map_err(io::Error::from)
}

/// Other systems have no such option.
#[cfg(not(target_os = "linux"))]
fn set_user_timeout(_: &TcpStream, _: Duration) -> io::Result<()> {
    Ok(())
}

impl Unread for Delivery {
    fn has_unread(&self) -> bool {
        // A second descriptor of the same, non-blocking socket. If no descriptor is free, the
        // timeout holds.
        let Ok(socket) = self.socket.as_fd().try_clone_to_owned() else {
            return false;
        };
        let peeked = std::net::TcpStream::from(socket).peek(&mut [0]);
        peeked.is_ok_and(|bytes| bytes > 0)
    }

    fn poll_hung_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if ready!(self.socket.poll_read_ready(cx)).is_err() {
            return Poll::Ready(());
        }
        match self.socket.ready(Interest::READABLE).now_or_never() {
            Some(Ok(state)) if !state.is_read_closed() => {}
            _ => return Poll::Ready(()),
        }
        // Bytes are unread: a request behind this one, or the end of a TLS session. While they are,
        // the runtime wakes nobody for the FIN behind them.
        let again = (self.look_again).get_or_insert_with(|| Box::pin(sleep(LOOK_AGAIN)));
        while again.as_mut().poll(cx).is_ready() {
            again.set(sleep(LOOK_AGAIN));
        }
        Poll::Pending
    }
}

impl AsyncRead for Delivery {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.flight.is_none() {
            return Pin::new(&mut self.socket).poll_read(cx, buf);
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        if let Some(flight) = &mut self.flight {
            flight.read_bytes += buf.filled().len() - before;
            if flight.read_bytes > flight.max_bytes {
                return Poll::Ready(Err(io::Error::other(FlightTooLong)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Delivery {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.write_result(cx, written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bytes.iter().map(|piece| piece.len()).sum();
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bytes);
        self.write_result(cx, written, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
