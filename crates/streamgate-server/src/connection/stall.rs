//! The reading side of a connection, as hyper sees it: the timeout of a client that does not send.
//!
//! Without it a client that never ends its head would hold its connection, and its place among
//! `max_connections`, for ever. hyper could bound heads as well, with a new timer for each head;
//! the idle timer here is made once a connection.
//!
//! What is *not* here: the timeout of a client that does not read ([`crate::connection::delivery`],
//! below TLS).

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::unconstrained;
use tokio::time::{Sleep, sleep};

use crate::connection::heads::Framing;
use crate::connection::in_flight::RequestInFlight;

/// How long to wait for the runtime to report what the kernel knows already. A process that was
/// stopped (SIGSTOP) and continues handles its timers before its sockets, so an expired timer
/// proves nothing until the sockets have been polled as well.
pub(crate) const EVENT_DELAY: Duration = Duration::from_millis(100);

/// A socket that can be asked whether bytes wait in its receive buffer.
pub(crate) trait Unread {
    /// Asks the kernel, because the runtime may not have polled it yet.
    fn has_unread(&self) -> bool;

    /// Completes once the client has closed its sending side; soon after, if bytes that it sent
    /// before are unread.
    fn poll_hung_up(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A stream that fails with `TimedOut` once its client has sent nothing for too long.
#[derive(Debug)]
pub(crate) struct StallTimeoutStream<T> {
    inner: T,
    /// From the last answer (or the accept) to the end of the next head.
    timeout: Duration,
    in_flight: RequestInFlight,
    /// Since something was written last.
    since: Stopwatch,
    /// Idle timer, armed while a head is waited for. Not reset on activity: when it fires, it
    /// compares with `since`, and is armed again for the remainder.
    idle: Option<Pin<Box<Sleep>>>,
    /// Follows the heads.
    framing: Framing,
    /// What is read once a head was ambiguous, in place of what comes behind it.
    in_place: Option<&'static [u8]>,
}

/// The end of a head.
const HEAD_END: &[u8] = b"\r\n\r\n";

impl<T: Unread> StallTimeoutStream<T> {
    pub(crate) fn new(inner: T, timeout: Duration, in_flight: RequestInFlight) -> Self {
        Self {
            inner,
            timeout,
            in_flight,
            since: Stopwatch::start(),
            idle: None,
            framing: Framing::default(),
            in_place: None,
        }
    }

    /// The result of a read that has to wait for a head: pending, or `TimedOut`.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let timeout = self.timeout;
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

    /// What was written, if it was: the client's turn begins.
    fn written(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.since = Stopwatch::start();
        }
        written
    }
}

impl<T: AsyncRead + Unread + Unpin> AsyncRead for StallTimeoutStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(rest) = &mut self.in_place {
            let (now, later) = rest.split_at(rest.len().min(buf.remaining()));
            buf.put_slice(now);
            *rest = later;
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
                if self.framing.follow(new) {
                    // hyper looks at a head that came in several reads only once its end is there.
                    self.in_place = Some(HEAD_END);
                }
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
        self.written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.written(written)
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
        if self.in_flight.awaits_hang_up() && self.inner.poll_hung_up(cx).is_ready() {
            self.in_flight.set_hung_up();
            // The body is polled once more.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
