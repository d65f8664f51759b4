//! What the socket of a connection and the service behind it tell each other: whose turn it is, and
//! whether the client can still be written to.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// The state of a connection that its socket and its service share. It is the client's turn, but
/// while a request is answered; then the timeout of an idle connection does not count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turn(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_ours: AtomicBool,
    is_gone: AtomicBool,
}

impl Turn {
    /// Whether the server is to do something now.
    pub(crate) fn set_ours(&self, is_ours: bool) {
        self.0.is_ours.store(is_ours, Ordering::Relaxed);
    }

    /// Whether the server is to do something now.
    pub(crate) fn is_ours(&self) -> bool {
        self.0.is_ours.load(Ordering::Relaxed)
    }

    /// A write has failed: nothing more reaches the client.
    pub(crate) fn set_gone(&self) {
        self.0.is_gone.store(true, Ordering::Relaxed);
    }

    /// Ends the turn of the server: now, or with the last byte of a body whose length nobody knows
    /// yet.
    pub(crate) fn end_with(self, body: Body) -> Body {
        if body.size_hint().exact().is_some() {
            self.set_ours(false);
            return body;
        }
        Body::new(Streamed { body, turn: self })
    }
}

/// The body of a streamed answer. It ends early where the client has gone, and the turn of the
/// server ends with it, whether it was sent, skipped (HEAD) or given up.
#[derive(Debug)]
struct Streamed {
    body: Body,
    turn: Turn,
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.turn.0.is_gone.load(Ordering::Relaxed) {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.turn.set_ours(false);
    }
}
