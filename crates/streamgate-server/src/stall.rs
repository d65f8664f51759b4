//! A connection whose other side must go on, asking or reading.
//!
//! Without it a client that never ends its head, or asks and never reads, would hold its
//! connection, and its place among `max_connections`, for good. hyper could bound heads as well,
//! with a timer made for each; the one here is made once a connection, and set again when it goes
//! off too early.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use streamgate_store::clock::Stopwatch;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long the other side may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From the end of one answer, or from the beginning, to the end of the next head.
    pub(crate) head: Duration,
    /// To read some of an answer.
    pub(crate) write: Duration,
}

/// Whose turn it is: the client's, but while a request is answered. Socket and service share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turn {
    is_ours: Arc<AtomicBool>,
}

impl Turn {
    /// Whether the server is to do something now.
    pub(crate) fn set_ours(&self, is_ours: bool) {
        self.is_ours.store(is_ours, Ordering::Relaxed);
    }

    fn is_ours(&self) -> bool {
        self.is_ours.load(Ordering::Relaxed)
    }
}

/// Fails once the other side has let it wait for too long.
#[derive(Debug)]
pub(crate) struct CutOffWhenStalled<T> {
    inner: T,
    patience: Patience,
    turn: Turn,
    /// Armed while a write waits; nearly always none does.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Since something was written last.
    since: Stopwatch,
    /// Armed while a head is waited for. It may go off too early: `since` moves on, and it does
    /// not.
    idle: Option<Pin<Box<Sleep>>>,
}

impl<T> CutOffWhenStalled<T> {
    pub(crate) fn new(inner: T, patience: Patience, turn: Turn) -> Self {
        Self {
            inner,
            patience,
            turn,
            stalled: None,
            since: Stopwatch::start(),
            idle: None,
        }
    }

    /// What becomes of a read that has to wait for a head.
    fn idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let patience = self.patience.head;
        let idle = self.idle.get_or_insert_with(|| Box::pin(sleep(patience)));
        loop {
            ready!(idle.as_mut().poll(cx));
            let left = patience.saturating_sub(self.since.elapsed());
            if left.is_zero() {
                let why = "the client does not send a whole request";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
            }
            idle.set(sleep(left));
        }
    }

    /// What became of a write: an error instead of waiting any longer.
    fn bounded<R>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.stalled = None;
            self.since = Stopwatch::start();
            return written;
        }
        let patience = self.patience.write;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read its answer",
        )))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for CutOffWhenStalled<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        // While a request is answered its own bounds hold: that of its body, and that of the store.
        if read.is_pending() && !self.turn.is_ours() {
            return self.idle(cx);
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for CutOffWhenStalled<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.bounded(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.bounded(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        // hyper reads again only once there is something to read, so the wait for it begins here.
        if !self.turn.is_ours()
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
