//! The socket of a connection, as hyper sees it: timeouts for a client that stalls, and write
//! errors of a client that has gone.
//!
//! **Timeouts.** Without them a client that never ends its head, or never reads its answers, would
//! hold its connection, and its place among `max_connections`, for ever. hyper could bound heads as
//! well, with a new timer for each head; the idle timer here is made once a connection.
//!
//! **A client that has gone.** hyper is set to `half_close`, so a FIN cancels no request: it is
//! read once the requests before it are answered. That leaves the write error. An answer that
//! cannot be delivered is discarded here without an error, because hyper would drop the pipelined
//! requests behind it. The end of the input then ends the connection.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio::time::{Sleep, sleep};

use crate::connection::heads::Lines;
use crate::connection::in_flight::RequestInFlight;

/// How long to wait for the runtime to report what the kernel knows already. A process that was
/// stopped (SIGSTOP) and continues handles its timers before its sockets, so an expired timer
/// proves nothing until the sockets have been polled as well.
pub(crate) const EVENT_DELAY: Duration = Duration::from_millis(100);

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StallTimeouts {
    /// From the last answer (or the accept) to the end of the next head.
    pub(crate) head: Duration,
    /// To read some of an answer.
    pub(crate) write: Duration,
}

/// A socket that can be asked whether bytes wait in its receive buffer.
pub(crate) trait Unread {
    /// Asks the kernel, because the runtime may not have polled it yet.
    fn has_unread(&self) -> bool;
}

impl Unread for TcpStream {
    fn has_unread(&self) -> bool {
        // A second descriptor of the same, non-blocking socket. If no descriptor is free, the
        // timeout holds.
        let Ok(socket) = self.as_fd().try_clone_to_owned() else {
            return false;
        };
        let peeked = std::net::TcpStream::from(socket).peek(&mut [0]);
        peeked.is_ok_and(|bytes| bytes > 0)
    }
}

/// A socket that fails with `TimedOut` once its client has stalled for too long.
#[derive(Debug)]
pub(crate) struct StallTimeoutStream<T> {
    inner: T,
    timeouts: StallTimeouts,
    in_flight: RequestInFlight,
    /// Armed while a write waits, which is rare.
    write_timer: Option<WriteTimer>,
    /// Since something was written last.
    since: Stopwatch,
    /// Idle timer, armed while a head is waited for. Not reset on activity: when it fires, it
    /// compares with `since`, and is armed again for the remainder.
    idle: Option<Pin<Box<Sleep>>>,
    /// Follows the lines of the heads.
    lines: Lines,
    /// Whether a head was ambiguous: nothing behind it is read any more.
    is_ambiguous: bool,
}

/// The timer of a waiting write.
#[derive(Debug)]
struct WriteTimer {
    sleep: Pin<Box<Sleep>>,
    /// Whether it has fired once, and is armed again for [`EVENT_DELAY`].
    has_fired: bool,
}

impl<T: Unread> StallTimeoutStream<T> {
    pub(crate) fn new(inner: T, timeouts: StallTimeouts, in_flight: RequestInFlight) -> Self {
        Self {
            inner,
            timeouts,
            in_flight,
            write_timer: None,
            since: Stopwatch::start(),
            idle: None,
            lines: Lines::default(),
            is_ambiguous: false,
        }
    }

    /// The result of a read that has to wait for a head: pending, or `TimedOut`.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let timeout = self.timeouts.head;
        let idle = match &mut self.idle {
            // Armed by an earlier poll, and it wakes the same task: that of the connection.
            Some(idle) if !idle.is_elapsed() => return Poll::Pending,
            idle => idle.get_or_insert_with(|| Box::pin(sleep(timeout))),
        };
        loop {
            // Without the task's budget: a poll that is out of budget would not arm the timer.
            ready!(Pin::new(&mut unconstrained(idle.as_mut())).poll(cx));
            let left = timeout.saturating_sub(self.since.elapsed());
            if !left.is_zero() {
                idle.set(sleep(left));
            } else if self.inner.has_unread() {
                // The request came in time, and this process is late. Its bytes are read as soon
                // as the runtime reports them.
                idle.set(sleep(EVENT_DELAY));
            } else {
                let why = "the client does not send a whole request";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
            }
        }
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
                self.write_timer = None;
                self.since = Stopwatch::start();
                Poll::Ready(Ok(written.unwrap_or_else(|error| {
                    tracing::debug!(%error, "a client has gone before its answer");
                    self.in_flight.set_client_gone();
                    length
                })))
            }
            Poll::Pending => {
                ready!(self.poll_write_timeout(cx));
                Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client does not read its answer",
                )))
            }
        }
    }

    /// Completes once a write has waited for its timeout.
    fn poll_write_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timeout = self.timeouts.write;
        let timer = self.write_timer.get_or_insert_with(|| WriteTimer {
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

impl<T: AsyncRead + Unread + Unpin> AsyncRead for StallTimeoutStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_ambiguous {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        let awaits_head = !self.in_flight.is_active();
        match read {
            // A request in flight has its own timeouts: that of its body, and that of the store.
            Poll::Pending if awaits_head => self.poll_idle(cx),
            Poll::Ready(Ok(())) => {
                let new = &mut buf.filled_mut()[before..];
                self.is_ambiguous = self.lines.follow(new, awaits_head);
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
        self.write_result(cx, written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bytes.iter().map(|piece| piece.len()).sum();
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.write_result(cx, written, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        // hyper may wait for the next head without a read, so the idle timer is armed here, too.
        if !self.in_flight.is_active()
            && let Poll::Ready(Err(error)) = self.poll_idle(cx)
        {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
