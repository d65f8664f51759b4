//! The socket of a connection, as hyper sees it: timeouts for a client that stalls, and what becomes
//! of a connection whose client has gone.
//!
//! **Timeouts.** Without them a client that never ends its head, or asks and never reads, would hold
//! its connection, and its place among `max_connections`, for good. hyper could bound heads as well,
//! with a timer made for each; the one here is made once a connection, and set again when it goes
//! off too early.
//!
//! **A client that has gone.** hyper is set to `half_close`, so a FIN ends no request: it is read
//! once the requests before it are answered. What is left is the write error. An answer that can no
//! longer be delivered is discarded here and reported to nobody, because hyper would drop the
//! requests that arrived behind it. The end of what was received then ends the connection.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::connection::heads::Lines;
use crate::connection::in_flight::RequestInFlight;

/// How long to wait for the runtime to report what the system knows already. A process that was
/// stopped and goes on handles its timers before its sockets, so a timer that has gone off proves
/// nothing until the sockets have been asked as well.
pub(crate) const EVENT_DELAY: Duration = Duration::from_millis(100);

/// How long the other side may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StallTimeouts {
    /// From the end of one answer, or from the beginning, to the end of the next head.
    pub(crate) head: Duration,
    /// To read some of an answer.
    pub(crate) write: Duration,
}

/// A socket that can be asked whether bytes wait in its receive buffer.
pub(crate) trait Unread {
    /// Asks the system, and not the runtime, which may not have heard yet.
    fn has_unread(&self) -> bool;
}

impl Unread for TcpStream {
    fn has_unread(&self) -> bool {
        // A second descriptor of the same socket, as unblocking as the first; without a free
        // descriptor nothing can be said, and the timeout holds.
        let Ok(socket) = self.as_fd().try_clone_to_owned() else {
            return false;
        };
        let peeked = std::net::TcpStream::from(socket).peek(&mut [0]);
        peeked.is_ok_and(|bytes| bytes > 0)
    }
}

/// A socket that fails once its client has stalled for too long.
#[derive(Debug)]
pub(crate) struct StallTimeoutStream<T> {
    inner: T,
    timeouts: StallTimeouts,
    in_flight: RequestInFlight,
    /// Armed while a write waits; nearly always none does.
    stalled: Option<WriteTimer>,
    /// Since something was written last.
    since: Stopwatch,
    /// Armed while a head is waited for. It may go off too early: `since` moves on, and it does
    /// not.
    idle: Option<Pin<Box<Sleep>>>,
    /// Where the heads end.
    lines: Lines,
    /// Whether a head was ambiguous: nothing behind it is read.
    is_spoiled: bool,
}

/// The timer of a write that waits.
#[derive(Debug)]
struct WriteTimer {
    sleep: Pin<Box<Sleep>>,
    /// Whether it has gone off once, and only [`EVENT_DELAY`] is left.
    is_over: bool,
}

impl<T: Unread> StallTimeoutStream<T> {
    pub(crate) fn new(inner: T, timeouts: StallTimeouts, in_flight: RequestInFlight) -> Self {
        Self {
            inner,
            timeouts,
            in_flight,
            stalled: None,
            since: Stopwatch::start(),
            idle: None,
            lines: Lines::default(),
            is_spoiled: false,
        }
    }

    /// What becomes of a read that has to wait for a head.
    fn idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let timeout = self.timeouts.head;
        let idle = match &mut self.idle {
            // Armed by an earlier poll, and it wakes the same task: that of the connection.
            Some(idle) if !idle.is_elapsed() => return Poll::Pending,
            idle => idle.get_or_insert_with(|| Box::pin(sleep(timeout))),
        };
        loop {
            ready!(idle.as_mut().poll(cx));
            let left = timeout.saturating_sub(self.since.elapsed());
            if !left.is_zero() {
                idle.set(sleep(left));
            } else if self.inner.has_unread() {
                // A request that has come in time is not lost because this process was late. Its
                // bytes are read as soon as the runtime reports them.
                idle.set(sleep(EVENT_DELAY));
            } else {
                let why = "the client does not send a whole request";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
            }
        }
    }

    /// What became of a write of `length` bytes: an error instead of waiting any longer, and a
    /// success where nobody is left to write to.
    fn bounded(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(written) => {
                self.stalled = None;
                self.since = Stopwatch::start();
                Poll::Ready(Ok(written.unwrap_or_else(|error| {
                    tracing::debug!(%error, "a client has gone before its answer");
                    self.in_flight.set_client_gone();
                    length
                })))
            }
            Poll::Pending => {
                ready!(self.stalled(cx));
                Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client does not read its answer",
                )))
            }
        }
    }

    /// Completes once a write has waited for too long.
    fn stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timeout = self.timeouts.write;
        let timer = self.stalled.get_or_insert_with(|| WriteTimer {
            sleep: Box::pin(sleep(timeout)),
            is_over: false,
        });
        ready!(timer.sleep.as_mut().poll(cx));
        if timer.is_over {
            return Poll::Ready(());
        }
        timer.is_over = true;
        timer.sleep.set(sleep(EVENT_DELAY));
        timer.sleep.as_mut().poll(cx)
    }
}

impl<T: AsyncRead + Unread + Unpin> AsyncRead for StallTimeoutStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_spoiled {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        let awaits_head = !self.in_flight.is_active();
        match read {
            // While a request is answered its own bounds hold: that of its body, and that of the
            // store.
            Poll::Pending if awaits_head => self.idle(cx),
            Poll::Ready(Ok(())) => {
                let new = &mut buf.filled_mut()[before..];
                self.is_spoiled = self.lines.follow(new, awaits_head);
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl<T: AsyncWrite + Unread + Unpin> AsyncWrite for StallTimeoutStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.bounded(cx, written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bytes.iter().map(|piece| piece.len()).sum();
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.bounded(cx, written, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        // hyper need not read before there is something to read, so the wait for it begins here.
        if !self.in_flight.is_active()
            && let Poll::Ready(Err(error)) = self.idle(cx)
        {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
